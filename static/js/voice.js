// Spoken alerts and summaries: play on request; pushed ones play by themselves once the person allowed it in this browser.
// Marks: [data-player] with an optional <audio>, [data-player-script] (what the browser's own voice reads when there is no
// audio or it fails), [data-player-play], [data-player-mute]; a pushed player carries data-player-auto and data-speech.
(function () {
  "use strict";
  const KEY = "agentops-voice";
  const HEARD = "agentops-voice-heard";
  const KEPT = 50;
  const synthesis = window.speechSynthesis;
  const read = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage may be forbidden: nothing plays by itself
    }
  };
  const write = (key, value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // holds for this page only
    }
  };

  function silence() {
    document.querySelectorAll("[data-player] audio").forEach((audio) => audio.pause());
    if (synthesis) synthesis.cancel();
  }

  // Only what really began was heard: a browser may refuse to speak before somebody touched the page. The next page tries.
  function began(player) {
    if (player.hasAttribute("hx-post")) htmx.trigger(player, "heard");
  }

  function refused(player) {
    write(HEARD, begun().filter((number) => number !== player.dataset.speech).join(","));
  }

  function readAloud(player) {
    const script = player.querySelector("[data-player-script]");
    if (!script || !synthesis) return false;
    const words = new SpeechSynthesisUtterance(script.textContent);
    words.lang = "en";
    words.addEventListener("start", () => began(player));
    words.addEventListener("error", (event) => {
      if (event.error === "not-allowed") refused(player);
    });
    synthesis.speak(words);
    return true;
  }

  function tell(text) {
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: text, tone: "warning" } }));
  }

  async function play(player) {
    silence();
    const audio = player.querySelector("audio");
    if (!audio) {
      if (!readAloud(player)) tell("This browser has no voice; the script can be read");
      return;
    }
    audio.currentTime = 0;
    try {
      await audio.play();
      began(player);
    } catch (error) {
      if (error.name === "AbortError") return; // paused meanwhile
      if (error.name === "NotAllowedError") refused(player);
      else if (!readAloud(player)) tell("It could not be spoken; the script can be read");
    }
  }

  const speaks = (player) => {
    const audio = player.querySelector("audio");
    return audio ? !audio.paused : Boolean(synthesis && synthesis.speaking);
  };

  // Playing an alert counts as hearing it: then the server has nothing to show, but what is being said is said to its end.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, requestConfig, serverResponse } = event.detail;
    if (target.id !== "voice-slot" || requestConfig.verb !== "get" || serverResponse.trim()) return;
    const player = target.querySelector("[data-player]");
    if (player && speaks(player)) event.detail.shouldSwap = false;
  });

  document.addEventListener("click", (event) => {
    const player = event.target.closest("[data-player]");
    if (!player) return;
    if (event.target.closest("[data-player-play]")) {
      if (read(KEY) !== "muted") write(KEY, "allowed");
      if (speaks(player)) silence();
      else play(player);
    } else if (event.target.closest("[data-player-mute]")) {
      write(KEY, read(KEY) === "muted" ? "allowed" : "muted");
      if (read(KEY) === "muted") silence();
      mark();
    }
  });

  function mark() {
    const muted = read(KEY) === "muted";
    document.querySelectorAll("[data-player-mute]").forEach((button) => button.setAttribute("aria-pressed", String(muted)));
  }

  const begun = () => (read(HEARD) || "").split(",").filter(Boolean);

  function isNew(player) {
    const number = player.dataset.speech;
    if (!number) return true;
    if (begun().includes(number)) return false; // on another page, or in another tab
    write(HEARD, [...begun(), number].slice(-KEPT).join(","));
    return true;
  }

  function arrived() {
    mark();
    const fresh = document.querySelector("[data-player][data-player-auto]:not([data-player-heard])");
    if (!fresh) return;
    fresh.dataset.playerHeard = "";
    if (read(KEY) === "allowed" && isNew(fresh)) play(fresh);
  }

  // An alert that comes at the lower edge moves nothing but what has the focus, when it would lie under it.
  function uncover(slot) {
    const focused = document.activeElement;
    if (!slot.firstElementChild || !focused.closest(".main__page")) return;
    const under = focused.getBoundingClientRect().bottom - slot.getBoundingClientRect().top;
    if (under > 0 && focused.getBoundingClientRect().top < innerHeight) window.scrollBy({ top: under + 8, behavior: "instant" });
  }

  // Whoever worked in an alert that goes away is put back where they came from, and not at the top of the page.
  let before = null;
  document.addEventListener("focusin", (event) => {
    if (event.target.closest("#voice-slot")) return;
    before = event.target.matches(".skip") ? null : event.target;
  });

  function refocus(slot) {
    const place = slot.querySelector(".voice-alert") || (before && before.checkVisibility() ? before : document.getElementById("main"));
    place.focus({ preventScroll: true });
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const slot = event.detail.target;
    if (slot.id === "voice-slot") slot.toggleAttribute("data-focused", slot.contains(document.activeElement));
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const slot = event.detail.target;
    if (slot.id !== "voice-slot") return;
    if (slot.hasAttribute("data-focused") && !slot.contains(document.activeElement)) refocus(slot);
    else uncover(slot);
  });
  document.addEventListener("DOMContentLoaded", arrived);
  document.addEventListener("htmx:afterSettle", arrived);
  document.addEventListener("htmx:wsAfterMessage", arrived);
})();
