// Live updates over one socket (htmx ws extension): says when the line is lost, re-reads the page when it is back,
// and never lets a pushed fragment take away what a person is typing.
// Marks that pages use: data-refetch-url (a live region, with an id), data-version (a number; older never replaces newer),
// data-keep-scroll (a scrolling box with an id), data-grows-above (a list to whose beginning more is added). Push by hx-swap-oob "true" or "beforeend:#id", never innerHTML.
(function () {
  "use strict";
  const RETRIED_BY_HTMX = [1006, 1011, 1012, 1013];
  const CLIENT_CLOSED = 1005;
  const ENDED = { 4401: "You are signed out. Sign in again to see live updates", 4403: "Live updates are not for this account", 4429: "Too many open pages: this one is not live" };
  const SHOW_AFTER_MS = 700;
  const openState = new Map();
  const stale = new Set(); // ids of regions that were busy when news came
  let lost = false;
  let pushed = false; // what is swapped now came by the socket, and is no answer
  let pressed = null; // what the pointer is down on
  let showTimer = 0;

  htmx.config.wsReconnectDelay = (tries) => Math.min(5000, 300 * 2 ** Math.min(tries, 5)) * (0.5 + Math.random() / 2);

  function show(text, state) {
    const box = document.getElementById("connection");
    if (!box) return;
    box.dataset.state = state;
    box.querySelector("[data-connection-text]").textContent = text;
    box.firstElementChild.hidden = state === "on";
  }

  function onLoss(event) {
    const code = event.detail.event ? event.detail.event.code : 1006;
    if (code === CLIENT_CLOSED) return;
    if (ENDED[code]) {
      clearTimeout(showTimer);
      show(ENDED[code], "ended");
      return;
    }
    // Started once for a loss: quick failed retries would otherwise put off the words again and again.
    if (!lost) showTimer = setTimeout(() => show("Reconnecting: what you see may be old", "lost"), SHOW_AFTER_MS);
    lost = true;
    // A server that stops in good order says 1000 or 1001, after which the extension would stay away for ever.
    if (!RETRIED_BY_HTMX.includes(code)) setTimeout(() => event.detail.socketWrapper.reconnect(), htmx.config.wsReconnectDelay(1));
  }

  function onOpen() {
    clearTimeout(showTimer);
    show("", "on");
    if (lost) refetchAll();
    lost = false;
  }

  // ---- typing is sacred ----------------------------------------------------------------------------------------
  const isField = (el) => el.matches?.("input:not([type=hidden], [type=submit], [type=button]), textarea, select, [contenteditable]");

  function isDirty(field) {
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return [...field.options].some((o) => o.selected !== o.defaultSelected) && field.selectedIndex > 0;
    return field.value !== field.defaultValue;
  }

  function isTypedIn(region) {
    const active = document.activeElement;
    if (active && isField(active) && region.contains(active)) return true;
    return [...region.querySelectorAll("input:not([type=hidden]), textarea, select")].some(isDirty);
  }

  // The answer to a form or button that was taken away meanwhile would be lost, and with it why a deed was refused.
  const isAsking = (region) => region.querySelector("form.htmx-request, button.htmx-request");
  // Between its two halves a click would be lost, or fall on what came in its place.
  const isHeld = (region) => isAsking(region) || (pressed && region.contains(pressed));
  const isBusy = (region) => isTypedIn(region) || isHeld(region);

  function putOff(region) {
    stale.add(region.id);
    if (isTypedIn(region)) region.dataset.stale = ""; // says so
  }

  function refetch(region) {
    if (isBusy(region)) {
      putOff(region);
      return;
    }
    htmx.ajax("GET", region.dataset.refetchUrl, { target: region, source: region, swap: "outerHTML", headers: { "X-Refetch": "1" } });
  }

  function refetchAll() {
    document.querySelectorAll("[data-refetch-url]").forEach((region) => {
      if (!region.parentElement.closest("[data-refetch-url]")) refetch(region); // the outer one brings the inner ones
    });
  }

  function freshen() {
    stale.forEach((id) => {
      const region = document.getElementById(id);
      if (region && isBusy(region)) return;
      stale.delete(id);
      region?.removeAttribute("data-stale");
      const source = region?.closest("[data-refetch-url]");
      if (source) refetch(source);
    });
  }

  function letGo() {
    pressed = null;
    freshen();
  }

  const isOlder = (now, next) => Number(next?.dataset?.version) < Number(now.dataset.version);

  // A row may come twice: in the answer to one's own click or a re-read, and pushed.
  function dropTwins(fragment) {
    [...fragment.children].forEach((row) => {
      if (row.id && document.getElementById(row.id)) row.remove();
    });
  }

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    if (!(fragment instanceof DocumentFragment)) { // beforeend and its like take nothing away
      dropTwins(fragment);
      return;
    }
    if (isOlder(target, fragment.firstElementChild)) event.preventDefault();
    else if (isTypedIn(target) || (pushed && isHeld(target))) {
      event.preventDefault();
      putOff(target);
    } else {
      stale.delete(target.id);
      restoreOpen(fragment);
      keepPlace(target);
    }
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, requestConfig } = event.detail;
    const asksByItself = requestConfig?.headers["X-Refetch"] || (target.dataset.refetchUrl && requestConfig?.verb === "get" && requestConfig.elt === target);
    if (asksByItself && isBusy(target)) {
      event.detail.shouldSwap = false;
      putOff(target);
    } else if (target.matches("[data-grows-above]")) holdPlace(target);
    else keepPlace(target);
  });

  // ---- open sections, scroll and focus outlive a swap ------------------------------------------------------------
  function restoreOpen(root) {
    root.querySelectorAll("details[id]").forEach((el) => {
      if (openState.has(el.id)) el.open = openState.get(el.id);
    });
  }

  function keepPlace(target) {
    // Asked of marked boxes only: to be told where one stands, the browser has to lay the whole page out.
    const boxes = [target, ...target.querySelectorAll("[data-keep-scroll]")].filter((el) => el.matches("[data-keep-scroll][id]")).map((el) => [el.id, el.scrollTop, el.scrollLeft]);
    const focused = target.contains(document.activeElement) ? document.activeElement.id : "";
    const restore = () => {
      boxes.forEach(([id, top, left]) => {
        const el = id && document.getElementById(id);
        if (el && (top || left)) el.scrollTo({ top, left, behavior: "instant" });
      });
      if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true });
    };
    requestAnimationFrame(restore);
  }

  // What is put above what one reads must not push it down; the key that asked for it may be gone, the focus not.
  let before = null;

  function holdPlace(target) {
    document.documentElement.style.overflowAnchor = "none"; // else the browser and we would both make up for it
    const first = target.firstElementChild;
    before = first && { first, top: first.getBoundingClientRect().top };
  }

  function takePlace(target) {
    if (before?.first.isConnected) window.scrollBy({ top: before.first.getBoundingClientRect().top - before.top, behavior: "instant" });
    before = null;
    requestAnimationFrame(() => {
      document.documentElement.style.overflowAnchor = "";
      if (document.activeElement === document.body) target.focus({ preventScroll: true });
    });
  }

  // The browser tells of a toggle later, when a swap may have taken the section away.
  document.addEventListener("click", (event) => {
    const section = event.target.closest("summary")?.parentElement;
    if (section?.id && !event.defaultPrevented) openState.set(section.id, !section.open);
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.id && event.target.matches("details") && event.target.isConnected) openState.set(event.target.id, event.target.open);
  }, true);
  // Of a region that was replaced whole, event.detail.target is the old one, which is gone; the event comes from the new one.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.matches("[data-grows-above]") && event.detail.requestConfig?.verb === "get") takePlace(event.detail.target);
  });
  document.addEventListener("htmx:afterSwap", (event) => restoreOpen(event.target.parentElement ?? event.target));
  document.addEventListener("focusout", () => setTimeout(freshen, 0));
  document.addEventListener("reset", () => setTimeout(freshen, 0));
  document.addEventListener("htmx:afterRequest", () => setTimeout(freshen, 0));
  document.addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
  ["pointerup", "pointercancel"].forEach((name) => document.addEventListener(name, () => setTimeout(letGo, 0), true));
  document.addEventListener("htmx:wsBeforeMessage", () => { pushed = true; });
  document.addEventListener("htmx:wsAfterMessage", () => { pushed = false; });
  document.addEventListener("htmx:wsOpen", onOpen);
  document.addEventListener("htmx:wsClose", onLoss);
  document.addEventListener("htmx:wsError", onLoss);
})();
