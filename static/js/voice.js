// Spoken summaries: play on request; pushed ones play by themselves once the person allowed it in this browser.
// Marks: [data-player] with <audio>, [data-player-play], [data-player-mute]; a pushed player carries data-player-auto.
(function () {
  "use strict";
  const KEY = "agentops-voice";
  const read = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be forbidden: nothing plays by itself
    }
  };
  const write = (value) => {
    try {
      localStorage.setItem(KEY, value);
    } catch {
      // holds for this page only
    }
  };

  function stopOthers(audio) {
    document.querySelectorAll("[data-player] audio").forEach((other) => other !== audio && other.pause());
  }

  async function play(player) {
    const audio = player.querySelector("audio");
    stopOthers(audio);
    audio.currentTime = 0;
    try {
      await audio.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") {
        document.dispatchEvent(new CustomEvent("toast", { detail: { text: "The spoken summary could not be played", tone: "warning" } }));
      }
    }
  }

  document.addEventListener("click", (event) => {
    const player = event.target.closest("[data-player]");
    if (!player) return;
    const audio = player.querySelector("audio");
    if (event.target.closest("[data-player-play]")) {
      if (read() !== "muted") write("allowed");
      if (audio.paused) play(player);
      else audio.pause();
    } else if (event.target.closest("[data-player-mute]")) {
      write(read() === "muted" ? "allowed" : "muted");
      if (read() === "muted") audio.pause();
      mark();
    }
  });

  function mark() {
    const muted = read() === "muted";
    document.querySelectorAll("[data-player-mute]").forEach((button) => button.setAttribute("aria-pressed", String(muted)));
  }

  function arrived() {
    mark();
    const fresh = document.querySelector("[data-player][data-player-auto]:not([data-player-heard])");
    if (!fresh) return;
    fresh.dataset.playerHeard = "";
    if (read() === "allowed") play(fresh);
  }

  document.addEventListener("DOMContentLoaded", mark);
  document.addEventListener("htmx:wsAfterMessage", arrived);
})();
