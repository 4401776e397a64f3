// Behaviour of every page: local times, menus that close and stay in the window, the current place in sight.

import { localise } from "./times.js";

localise();
document.querySelector(".site-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
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
    if (!menu.matches("details[data-menu]")) return;
    delete menu.dataset.atEnd;
    const panel = menu.querySelector(".menu-panel");
    if (!menu.open || !panel || panel.getBoundingClientRect().right <= document.documentElement.clientWidth) return;
    if (menu.getBoundingClientRect().right >= panel.offsetWidth) menu.dataset.atEnd = "";
  },
  true,
);
