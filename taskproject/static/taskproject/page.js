// Behaviour of every page: local times, menus that close and stay in the window, the current place in sight.

import { localise } from "./times.js";

localise();
document.querySelector(".site-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
setInterval(() => localise(), 30000);
setInterval(() => localise(document, "time[data-time=countdown]"), 1000);

// Escape closes one thing, the innermost: whoever closes something says so by preventing the default.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const open = [...document.querySelectorAll("details[data-menu][open]")];
  const holds = (menu) => menu.contains(document.activeElement);
  const menu = open.findLast(holds) ?? open.at(-1);
  if (!menu) return;
  event.preventDefault();
  const held = holds(menu);
  menu.open = false;
  if (held) menu.querySelector("summary").focus();
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
