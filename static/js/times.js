// Keeps <time datetime data-relative> ("3 min ago") and <time datetime data-since> (a running duration) true.
// Without script both show what the server wrote. The full moment, in the person's own zone, is the title once the pointer is there.
(function () {
  "use strict";
  const EVERY_MS = 1000;
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
  let full; // made when first wanted: a long form of a date costs a phone more than all else here
  const moment = () => new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
  const dayOfYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [7 * 86400, "day", 86400]];

  function relative(then, now) {
    const seconds = Math.round((then - now) / 1000);
    const size = Math.abs(seconds);
    if (size < 10) return "now";
    const step = STEPS.find(([limit]) => size < limit);
    if (step) return words.format(Math.trunc(seconds / step[2]), step[1]);
    return (new Date(then).getFullYear() === new Date(now).getFullYear() ? day : dayOfYear).format(then);
  }

  function duration(then, now) {
    const s = Math.max(0, Math.floor((now - then) / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  }

  let onPaper = false;

  function update(root) {
    if (onPaper) return;
    const now = Date.now();
    root.querySelectorAll("time[data-relative], time[data-since]").forEach((el) => {
      const then = Date.parse(el.dateTime);
      if (Number.isNaN(then)) return;
      const text = el.hasAttribute("data-since") ? duration(then, now) : relative(then, now);
      if (el.textContent !== text) el.textContent = text;
    });
  }

  update(document); // deferred: the page is whole
  document.addEventListener("htmx:load", (event) => event.target.parentElement && update(event.target.parentElement));
  document.addEventListener("visibilitychange", () => update(document));
  document.addEventListener("pointerover", (event) => {
    const el = event.target.closest?.("time[data-relative], time[data-since]");
    const then = el && !el.title ? Date.parse(el.dateTime) : NaN;
    if (Number.isNaN(then)) return;
    el.title = (full ??= moment()).format(then);
  });
  // "3 min ago" says nothing on paper, and no second that passes brings it back there.
  window.addEventListener("beforeprint", () => {
    onPaper = true;
    document.querySelectorAll("time[data-relative]").forEach((el) => {
      const then = Date.parse(el.dateTime);
      if (!Number.isNaN(then)) el.textContent = (full ??= moment()).format(then);
    });
  });
  window.addEventListener("afterprint", () => {
    onPaper = false;
    update(document);
  });
  setInterval(() => document.hidden || update(document), EVERY_MS);
})();
