// Runs before the first paint, so that a stored theme never flashes the other one.
// Pages offer [data-theme-choice="system|light|dark"] buttons anywhere; the choice stays in localStorage.
(function () {
  "use strict";
  var KEY = "agentops-theme";
  var root = document.documentElement;

  function stored() {
    try {
      return window.localStorage.getItem(KEY) || "system";
    } catch {
      return "system"; // storage may be forbidden: the system's preference then holds
    }
  }

  function apply(choice) {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
  }

  function mark() {
    var choice = stored();
    document.querySelectorAll("[data-theme-choice]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    });
  }

  apply(stored());

  document.addEventListener("DOMContentLoaded", mark);
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    try {
      window.localStorage.setItem(KEY, button.dataset.themeChoice);
    } catch {
      // the choice then holds for this page only
    }
    apply(button.dataset.themeChoice);
    document.querySelectorAll("[data-theme-choice]").forEach(function (other) {
      other.setAttribute("aria-pressed", String(other === button));
    });
  });
  window.addEventListener("storage", function (event) {
    if (event.key !== KEY) return;
    apply(stored());
    mark();
  });
})();
