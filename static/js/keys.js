// Single-key shortcuts: j, k walk through [data-key-list]; any other key presses the [data-key="<key>"] of the focused
// row, else of the page. Never while typing, never with Ctrl, Alt or Meta; can be switched off (WCAG 2.1.4).
(function () {
  "use strict";
  const KEY = "agentops-keys";
  const ROW = "[data-key-row]";

  const enabled = () => {
    try {
      return localStorage.getItem(KEY) !== "off";
    } catch {
      return true; // storage may be forbidden
    }
  };

  function isTyping(el) {
    return el.isContentEditable || el.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])");
  }

  function step(by) {
    const rows = [...document.querySelectorAll(`[data-key-list] ${ROW}`)];
    if (!rows.length) return false;
    const at = rows.indexOf(document.activeElement.closest(ROW));
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
    const link = next.querySelector("a[href], button") ?? next;
    link.focus();
    next.scrollIntoView({ block: "nearest" });
    return true;
  }

  function press(key) {
    const row = document.activeElement.closest(ROW);
    const name = `[data-key="${CSS.escape(key)}"]:not([disabled], [aria-disabled="true"])`;
    const target = row?.querySelector(name) ?? [...document.querySelectorAll(name)].find((el) => !el.closest(ROW));
    if (!target) return false;
    target.focus();
    if (!isTyping(target)) target.click();
    return true;
  }

  function act(key) {
    if (key === "?") {
      document.getElementById("keyboard-help")?.showModal();
      return true;
    }
    if (key === "j") return step(1);
    if (key === "k") return step(-1);
    return key.length === 1 && press(key);
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]") || !enabled()) return;
    if (act(event.key)) event.preventDefault();
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-keys-enabled]").forEach((box) => {
      box.checked = enabled();
      box.addEventListener("change", () => {
        try {
          localStorage.setItem(KEY, box.checked ? "on" : "off");
        } catch {
          // the choice cannot be kept in this browser
        }
      });
    });
  });
})();
