// Moving a card to another column: drag it there by mouse or finger, or open its menu (its button, or M on the card).
// The server says which verb leads there and asks for its input, or says why there is none. The card itself moves when
// the move is done, as if somebody else had made it.

import { readPage, request } from "../taskproject/request.js";
import { say, send as sendForm } from "../taskproject/sending.js";
import { letTouch } from "./touch.js";

const PATIENCE = 15_000;
const UNREACHED = "The server did not answer. Check the card before you try again.";

let moved = () => {};
let dragged = null;

const region = () => document.querySelector("[data-live='board']");
const menu = () => document.querySelector("[data-move-menu]");
const dialog = () => document.querySelector("[data-move-dialog]");
const cardOf = (ref) => region().querySelector(`.card[data-ref="${CSS.escape(ref)}"]`);
const linkOf = (ref) => cardOf(ref)?.querySelector(".card-link");

// For each column a <form> that leads there or a <p> that says why not; null if the server does not answer.
async function movesOf(ref) {
  try {
    const answer = await request(`/tasks/${encodeURIComponent(ref)}/moves`, { patience: PATIENCE });
    const moves = answer.ok ? (await readPage(answer)).querySelector("[data-moves]") : null;
    return moves ? [...moves.querySelectorAll("[data-target]")].map((move) => document.importNode(move, true)) : null;
  } catch {
    return null;
  }
}

const send = (form) => sendForm(form, null, UNREACHED);

async function carryOut(ref, move) {
  cardOf(ref)?.classList.add("is-pending");
  const { done, sentence } = await send(move);
  cardOf(ref)?.classList.remove("is-pending");
  say(sentence, { refusal: !done });
  moved(ref);
}

function ask(ref, move) {
  const box = dialog();
  const problem = box.querySelector("[role=alert]");
  problem.hidden = true;
  box.querySelector("h2").textContent = `${ref} to “${move.dataset.label}”`;
  const row = document.createElement("div");
  row.className = "form-row";
  const back = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "Leave it" });
  const go = Object.assign(document.createElement("button"), { className: "button button-primary", textContent: move.dataset.button });
  if (["failed", "cancelled"].includes(move.dataset.target)) go.className = "button button-danger";
  row.append(back, go);
  move.append(row);
  back.addEventListener("click", () => box.close());
  move.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    const { done, sentence } = await send(move);
    go.disabled = false;
    moved(ref);
    if (done) {
      box.close();
      say(sentence);
    } else {
      problem.textContent = sentence;
      problem.hidden = false;
    }
  });
  box.querySelector("[data-move-form]").replaceChildren(move);
  box.addEventListener("close", () => linkOf(ref)?.focus({ preventScroll: true }), { once: true });
  box.showModal();
  move.querySelector("textarea, select, input:not([type=hidden])")?.focus();
}

function use(ref, move) {
  if (move.nodeName !== "FORM") return say(move.textContent.trim(), { refusal: true });
  if (move.dataset.asks === undefined) return carryOut(ref, move);
  return ask(ref, move);
}

// --- The menu, following the ARIA pattern "menu button" ---

function closeMenu({ focus = true } = {}) {
  const box = menu();
  if (!box?.matches(":popover-open")) return;
  const button = cardOf(box.dataset.for)?.querySelector(".card-move");
  box.hidePopover();
  button?.removeAttribute("aria-expanded");
  if (focus) (box.dataset.by === "key" ? linkOf(box.dataset.for) : button)?.focus({ preventScroll: true });
}

function menuItem(move, ref) {
  const item = document.createElement("button");
  item.type = "button";
  item.className = `menu-item status status-${move.dataset.target}`;
  item.setAttribute("role", "menuitem");
  item.tabIndex = -1;
  const icon = region().querySelector(`[data-column="${move.dataset.target}"] .status-icon`)?.cloneNode(true);
  item.append(...(icon ? [icon] : []), `${move.dataset.button}: to “${move.dataset.label}”`);
  item.addEventListener("click", () => {
    closeMenu();
    use(ref, move);
  });
  return item;
}

function placeMenu(box, card) {
  const at = card.getBoundingClientRect();
  const size = box.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  box.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - size.height - 8))}px`;
}

async function openMenu(ref, by) {
  closeMenu({ focus: false });
  const moves = await movesOf(ref);
  const box = menu();
  const card = cardOf(ref);
  if (!moves) return say(UNREACHED, { refusal: true });
  if (!card) return undefined;
  const ways = moves.filter((move) => move.nodeName === "FORM");
  if (!ways.length) {
    // One sentence that applies to all columns but the card's own.
    const why = moves.find((move) => move.dataset.target !== card.closest("[data-column]")?.dataset.column);
    return say(why?.textContent.trim() ?? `${ref} cannot be moved now.`, { refusal: true });
  }
  box.replaceChildren(...ways.map((move) => menuItem(move, ref)));
  box.setAttribute("aria-label", `Move ${ref}`);
  box.dataset.for = ref;
  box.dataset.by = by;
  card.querySelector(".card-move").setAttribute("aria-expanded", "true");
  box.showPopover();
  placeMenu(box, card);
  box.firstElementChild.focus();
  return undefined;
}

function onMenuKey(event) {
  const items = [...menu().querySelectorAll("[role=menuitem]")];
  const place = items.indexOf(document.activeElement);
  const to = { ArrowDown: place + 1, ArrowUp: place - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items[to % items.length].focus();
  } else if (event.key === "Escape") {
    event.preventDefault();
    closeMenu();
  } else if (event.key === "Tab") {
    closeMenu();
  }
}

// --- Dragging ---

function markColumns(moves) {
  for (const move of moves ?? []) {
    for (const column of region().querySelectorAll(`[data-column="${move.dataset.target}"]`)) {
      column.classList.add(move.nodeName === "FORM" ? "may-drop" : "no-drop");
    }
  }
}

function unmarkColumns() {
  for (const column of region().querySelectorAll("[data-column]")) column.classList.remove("may-drop", "no-drop", "is-over");
}

function begin(card) {
  const { ref } = card.dataset;
  card.classList.add("is-dragged");
  const mine = { ref, card, moves: movesOf(ref) };
  dragged = mine;
  mine.moves.then((moves) => dragged === mine && markColumns(moves));
}

function goOver(column) {
  if (column?.classList.contains("is-over")) return;
  for (const other of region().querySelectorAll(".is-over")) other.classList.remove("is-over");
  column?.classList.add("is-over");
}

async function drop(column) {
  const { ref, moves } = dragged;
  const target = column.dataset.column;
  const known = await moves;
  if (!known) return say(UNREACHED, { refusal: true });
  const own = cardOf(ref)?.closest("[data-column]");
  if (target === own?.dataset.column) {
    const isOther = column !== own && column.matches(".lane-cell");
    return isOther ? say(`${ref} stays: its lane follows the task, which is changed on its page.`, { refusal: true }) : undefined;
  }
  const move = known.find((candidate) => candidate.dataset.target === target);
  return move ? use(ref, move) : undefined;
}

function end() {
  dragged?.card.classList.remove("is-dragged");
  dragged = null;
  unmarkColumns();
}

const isMovable = (card) => card && region().dataset.movable !== undefined;

function onDragStart(event) {
  const card = event.target.closest?.(".card");
  if (!isMovable(card)) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", card.dataset.ref);
  event.dataTransfer.setDragImage(card, 20, 20);
  begin(card);
}

function onDragOver(event) {
  const column = dragged && event.target.closest?.("[data-column]");
  if (!column) return;
  // Also where the card may not go: dropping it there shows why.
  event.preventDefault();
  event.dataTransfer.dropEffect = "move";
  goOver(column);
}

function onDrop(event) {
  const column = dragged && event.target.closest?.("[data-column]");
  if (!column) return;
  event.preventDefault();
  drop(column);
}

// `onTried(ref)` is called when a move was tried, so that the board reloads the card.
export function letMove(onTried) {
  if (!menu() || !dialog() || !HTMLElement.prototype.showPopover) return;
  moved = onTried;
  document.documentElement.classList.add("can-move");
  document.addEventListener("dragstart", onDragStart);
  document.addEventListener("dragover", onDragOver);
  document.addEventListener("drop", onDrop);
  document.addEventListener("dragend", end);
  letTouch({ isMovable, begin, goOver, drop, end });
  // Updating the columns removes their marks.
  region().addEventListener("live:swapped", () => dragged?.moves.then(markColumns));
  menu().addEventListener("keydown", onMenuKey);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".card-move");
    if (button) openMenu(button.closest(".card").dataset.ref, "button");
    else if (!menu().contains(event.target)) closeMenu({ focus: false });
  });
  document.addEventListener("keydown", (event) => {
    const link = event.target.closest?.(".card-link");
    if (!link || event.key.toLowerCase() !== "m" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    openMenu(link.closest(".card").dataset.ref, "key");
  });
  window.addEventListener("resize", () => closeMenu());
}
