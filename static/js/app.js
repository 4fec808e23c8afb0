// What every page of the team needs: menus, the phone's navigation, dialogs, toasts, copy buttons, form errors, offline page.
(function () {
  "use strict";
  const TOAST_MS = 8000;
  const root = document.documentElement;

  // ---- menus (details[data-menu]) and navigation -----------------------------------------------------------------
  function closeMenus(except) {
    document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
      if (menu !== except) menu.open = false;
    });
  }

  function setNav(open) {
    const button = document.querySelector("[data-nav-toggle]");
    if (!button) return;
    root.style.setProperty("--nav-top", `${document.querySelector(".frame__top").getBoundingClientRect().bottom}px`);
    root.toggleAttribute("data-nav-open", open);
    button.setAttribute("aria-expanded", String(open));
    if (open) document.querySelector("#nav a")?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details[data-menu][open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (root.hasAttribute("data-nav-open")) {
      setNav(false);
      document.querySelector("[data-nav-toggle]").focus();
    }
  });
  document.addEventListener("focusin", (event) => {
    closeMenus(event.target.closest("details[data-menu]"));
    // Tabbing out of the phone's navigation must not leave the focus behind it.
    if (root.hasAttribute("data-nav-open") && event.target.closest("main")) setNav(false);
  });

  // ---- toasts ------------------------------------------------------------------------------------------------------
  function armToast(toast) {
    if (toast.dataset.toast === "armed") return;
    toast.dataset.toast = "armed";
    if (toast.matches(".toast--error")) return; // an error stays until it is read
    const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 1000) : toast.remove());
    setTimeout(leave, TOAST_MS);
  }

  function addToast(text, tone) {
    const model = document.getElementById("toast-model");
    const region = document.getElementById("toasts");
    if (!model || !region) return;
    const toast = model.content.firstElementChild.cloneNode(true);
    toast.className = `toast toast--${/^[a-z]+$/.test(tone) ? tone : "info"}`;
    toast.querySelector(".toast__text").textContent = text;
    region.append(toast);
    armToast(toast);
  }

  const armAll = () => document.querySelectorAll("[data-toast]").forEach(armToast);
  document.addEventListener("toast", (event) => addToast(event.detail.text, event.detail.tone)); // HX-Trigger: {"toast": {...}}
  document.addEventListener("htmx:wsAfterMessage", armAll);
  document.addEventListener("htmx:afterSettle", armAll);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.xhr?.status === 422) event.target.querySelector?.('[aria-invalid="true"]')?.focus(); // see below
  });

  const SAID = { 0: "No answer from AgentOps. Check the connection and try again.", 401: "You are signed out. Sign in and try again.", 403: "Your role may not do that.", 404: "That is gone, or not yours to see.", 429: "Too many requests. Wait a moment." };
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    addToast(SAID[status] ?? `AgentOps could not do that (${status}). Nothing was changed twice; try again.`, "error");
  });
  ["htmx:sendError", "htmx:timeout"].forEach((name) => document.addEventListener(name, (event) => {
    if (!event.detail.requestConfig?.headers["X-Refetch"]) addToast(SAID[0], "error");
  }));

  // ---- dialogs, copy, submit-on-change ---------------------------------------------------------------------------
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      addToast("Copied", "ok");
    } catch {
      addToast("The browser did not allow to copy", "warning");
    }
  }

  document.addEventListener("click", (event) => {
    const hit = (name) => event.target.closest(`[${name}]`);
    if (hit("data-nav-toggle")) setNav(!root.hasAttribute("data-nav-open"));
    else if (hit("data-toast-close")) event.target.closest("[data-toast]").remove();
    else if (hit("data-open-dialog")) document.getElementById(hit("data-open-dialog").dataset.openDialog)?.showModal();
    else if (hit("data-close-dialog")) event.target.closest("dialog")?.close();
    else if (hit("data-copy")) copy(hit("data-copy"));
    else if (hit("data-print")) window.print();
    else if (event.target.matches("dialog[open]")) event.target.close(); // the backdrop
    closeMenus(event.target.closest("details[data-menu]"));
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });

  document.addEventListener("DOMContentLoaded", () => {
    armAll();
    // After a refused form the person stands on the first field to mend, not at the top.
    document.querySelector('[aria-invalid="true"]')?.focus();
    const worker = document.querySelector('meta[name="service-worker"]')?.content;
    if (worker) navigator.serviceWorker?.register(worker);
  });
})();
