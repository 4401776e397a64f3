// Moving a card to another column or lane: drag it there by mouse or finger, or open its menu (its button, or M on the card).
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

const laneOf = (part) => part?.closest("[data-lane]") ?? null;

// For each column, and of a board in lanes for another lane, a <form> that leads there or a <p> that says why not; null
// if the server does not answer.
async function movesOf(ref) {
  try {
    const group = new URLSearchParams(location.search).get("group") ?? "";
    const path = `/tasks/${encodeURIComponent(ref)}/moves?group=${encodeURIComponent(group)}`;
    const answer = await request(path, { patience: PATIENCE });
    const moves = answer.ok ? (await readPage(answer)).querySelector("[data-moves]") : null;
    if (!moves) return null;
    const copies = (selector) => [...moves.querySelectorAll(selector)].map((move) => document.importNode(move, true));
    return { columns: copies("[data-target]"), otherLane: copies("[data-other-lane]")[0] ?? null };
  } catch {
    return null;
  }
}

// What leads to a column and a lane (null: the board has none) from where the card is; null if it is there.
function wayTo({ columns, otherLane }, card, target, lane) {
  const own = laneOf(card);
  const isOther = lane !== null && lane.dataset.lane !== own?.dataset.lane;
  const move = columns.find((candidate) => candidate.dataset.target === target);
  if (target === card?.closest("[data-column]")?.dataset.column) return isOther ? otherLane : null;
  if (move?.nodeName !== "FORM" || !isOther || move.dataset.takesLane !== undefined) return move ?? null;
  return otherLane?.dataset.everywhere !== undefined ? otherLane : move;
}

function fillIn(move, card, lane) {
  if (move.nodeName !== "FORM" || !move.elements.group || !lane) return move;
  const own = laneOf(card);
  move.elements.lane.value = lane.dataset.lane;
  move.elements.came_from.value = own?.dataset.lane ?? "";
  if (lane !== own) move.dataset.toLane = lane.dataset.laneLabel;
  return move;
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
  const lane = move.dataset.toLane === undefined ? "" : `, lane “${move.dataset.toLane}”`;
  box.querySelector("h2").textContent = `${ref} to “${move.dataset.label}”${lane}`;
  const row = document.createElement("div");
  row.className = "form-row";
  const back = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "Cancel" });
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

function menuItem(ref, move, lane, words, icon = null) {
  const item = document.createElement("button");
  item.type = "button";
  item.className = "menu-item";
  item.setAttribute("role", "menuitem");
  item.tabIndex = -1;
  item.append(...(icon ? [icon] : []), words);
  item.addEventListener("click", () => {
    const card = cardOf(ref);
    closeMenu();
    if (card) use(ref, fillIn(move, card, lane));
  });
  return item;
}

function columnItem(ref, move, card) {
  const icon = region().querySelector(`[data-column="${move.dataset.target}"] .status-icon`)?.cloneNode(true);
  const item = menuItem(ref, move, laneOf(card), `${move.dataset.button}: to “${move.dataset.label}”`, icon);
  item.classList.add("status", `status-${move.dataset.target}`);
  return item;
}

function laneItems(ref, otherLane, card) {
  if (otherLane?.nodeName !== "FORM" || !laneOf(card)) return [];
  const others = [...region().querySelectorAll("[data-lane]")].filter((lane) => lane !== laneOf(card));
  return others.map((lane) => menuItem(ref, otherLane, lane, `To the lane “${lane.dataset.laneLabel}”`));
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
  const ways = moves.columns.filter((move) => move.nodeName === "FORM");
  const items = [...ways.map((move) => columnItem(ref, move, card)), ...laneItems(ref, moves.otherLane, card)];
  if (!items.length) {
    // One sentence that applies to all columns but the card's own.
    const why = moves.columns.find((move) => move.dataset.target !== card.closest("[data-column]")?.dataset.column);
    return say(why?.textContent.trim() ?? `${ref} cannot be moved now.`, { refusal: true });
  }
  box.replaceChildren(...items);
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

function markColumns(ref, moves) {
  const card = cardOf(ref);
  if (!moves || !card) return;
  for (const column of region().querySelectorAll("[data-column]")) {
    // The head of a column says nothing of a lane.
    const lane = laneOf(column) ?? laneOf(card);
    const way = wayTo(moves, card, column.dataset.column, lane);
    column.classList.add(way?.nodeName === "FORM" ? "may-drop" : "no-drop");
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
  mine.moves.then((moves) => dragged === mine && markColumns(ref, moves));
}

function goOver(column) {
  if (column?.classList.contains("is-over")) return;
  for (const other of region().querySelectorAll(".is-over")) other.classList.remove("is-over");
  column?.classList.add("is-over");
}

async function drop(column) {
  const { ref, moves } = dragged;
  const { column: target } = column.dataset;
  const key = laneOf(column)?.dataset.lane;
  const known = await moves;
  if (!known) return say(UNREACHED, { refusal: true });
  const card = cardOf(ref);
  // The board may have been renewed meanwhile.
  const lane = key === undefined ? laneOf(card) : region().querySelector(`[data-lane="${CSS.escape(key)}"]`);
  const move = card ? wayTo(known, card, target, lane) : null;
  return move ? use(ref, fillIn(move, card, lane)) : undefined;
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
  region().addEventListener("live:swapped", () => dragged?.moves.then((moves) => dragged && markColumns(dragged.ref, moves)));
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
