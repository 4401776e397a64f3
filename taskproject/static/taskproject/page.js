// Behaviour of every page: local times, menus that close and stay in the window.

import { localise } from "./times.js";

localise();
setInterval(() => localise(), 30000);
setInterval(() => localise(document, "time[data-time=countdown]"), 1000);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    const held = menu.contains(document.activeElement);
    menu.open = false;
    if (held) menu.querySelector("summary").focus();
  }
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Where a panel would reach beyond the right edge, it ends with its button. `toggle` does not bubble.
document.addEventListener(
  "toggle",
  ({ target: menu }) => {
    if (!menu.open || !menu.matches("details[data-menu]")) return;
    const panel = menu.querySelector(".menu-panel");
    if (!panel || panel.getBoundingClientRect().right <= document.documentElement.clientWidth) return;
    if (menu.getBoundingClientRect().right >= panel.offsetWidth) panel.classList.add("menu-panel-end");
  },
  true,
);
