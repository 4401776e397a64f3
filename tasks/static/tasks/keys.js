// The shortcuts of tasks, declared once: what they do, and the words that the sheet of the key "?" shows.

import { offer, remember } from "../taskproject/palette.js";
import { declare, showSheet, tell } from "../taskproject/shortcuts.js";
import { openAssigning, openMoves } from "./acting.js";

const ITEM = "main [data-task-row], main tr[data-ref], main .card[data-ref]";
// Of a task's page: its first editor opens when the page has come.
const EDIT = "#edit";
const CHOOSE = "Choose a task first: j goes to the next, k to the previous.";

// Where the keyboard was last, for when a dialog or a click has taken the focus elsewhere.
let last = "";

const pageOfTask = () => document.querySelector("main article.task[data-ref]");
const items = () => [...document.querySelectorAll(ITEM)].filter((item) => item.checkVisibility());
const hasItems = () => document.querySelector(ITEM) !== null;
const first = (...selectors) =>
  selectors.map((selector) => document.querySelector(selector)).find((part) => part?.checkVisibility()) ?? null;

function item() {
  const held = document.activeElement?.closest?.(ITEM);
  return held ?? items().find((each) => each.dataset.ref === last) ?? null;
}

function linkOf(each) {
  return each.querySelector("[data-main-link]") ?? each.querySelector("a[href]");
}

function focusOn(each) {
  last = each.dataset.ref;
  linkOf(each).focus({ preventScroll: true });
  each.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function step(by) {
  const all = items();
  if (!all.length) return "There is no task here.";
  const here = item();
  const to = here ? all.indexOf(here) + by : by > 0 ? 0 : all.length - 1;
  return focusOn(all[Math.max(0, Math.min(to, all.length - 1))]);
}

// To the first card of the next column that has one.
function stepColumn(by) {
  const columns = [...document.querySelectorAll("main [data-column]")];
  const here = item()?.closest("[data-column]");
  const from = here ? columns.indexOf(here) + by : by > 0 ? 0 : columns.length - 1;
  for (let place = from; columns[place]; place += by) {
    const card = [...columns[place].querySelectorAll(ITEM)].find((each) => each.checkVisibility());
    if (card) return focusOn(card);
  }
  return "There is no card in that direction.";
}

function turnPage(by) {
  if (document.querySelector("main [data-column]")) return stepColumn(by);
  const link = first(`main a[rel=${by > 0 ? "next" : "prev"}]`);
  return link ? link.click() : `There is no ${by > 0 ? "next" : "previous"} page.`;
}

const refInQuestion = () => item()?.dataset.ref ?? pageOfTask()?.dataset.ref ?? null;

function withTask(use) {
  const ref = refInQuestion();
  return ref ? use(ref) : CHOOSE;
}

// What the row, the card or the page of the task has for it, else the task's own page.
function edit() {
  const within = item() ?? pageOfTask();
  if (!within) return CHOOSE;
  const control = within.querySelector("[data-shortcut=e], .aside-panel a.button[href*='/change/']");
  if (control) return control.click();
  return pageOfTask() ? "You may not edit this task." : location.assign(`${linkOf(within).href}${EDIT}`);
}

function select() {
  const box = item()?.querySelector("input[type=checkbox]");
  if (!item()) return CHOOSE;
  return box ? box.click() : "Tasks are selected in the list.";
}

function changeStatus(ref) {
  const button = item()?.querySelector(".card-move");
  return button?.checkVisibility() ? button.click() : openMoves(ref);
}

function search() {
  const box = first("[data-shortcut='/']", "main input[type=search]");
  if (!box) return "This page has no search.";
  box.focus();
  return box.select?.();
}

function create() {
  const control = first("[data-shortcut=c]", "main a[href*='/tasks/task/add/']");
  return control ? control.click() : "You may not create tasks here.";
}

const visit = (selector) => () => {
  const link = document.querySelector(selector);
  return link ? link.click() : "You don't have access to that page.";
};

const PAGES = [
  ["b", "Board", "[data-go=board]"],
  ["l", "List", "[data-go=list]"],
  ["i", "Inbox", "[data-inbox-count]"],
  ["a", "Agents", "[data-go=agents]"],
  ["r", "Reports", "[data-go=reports]"],
  ["m", "Messages", "[data-go=messages]"],
  ["n", "Notifications", "[data-notifications-count]"],
];

declare({
  title: "On every page",
  here: () => true,
  entries: [
    { keys: ["/"], words: "Focus the search box", run: search },
    { keys: ["c"], words: "New task", run: create },
    ...PAGES.map(([key, name, selector]) => ({ keys: [`g ${key}`], words: `Go to ${name}`, short: name, run: visit(selector) })),
    { keys: ["?"], words: "This sheet", run: showSheet },
  ],
});

declare({
  title: "On a task's page, and on the row or card with the focus",
  here: () => pageOfTask() !== null || hasItems(),
  entries: [
    { keys: ["e"], words: "Edit", run: edit },
    { keys: ["a"], words: "Assign", run: () => withTask(openAssigning) },
    { keys: ["s"], words: "Change the status", run: () => withTask(changeStatus) },
  ],
});

declare({
  title: "On the board and in lists",
  here: hasItems,
  entries: [
    { keys: ["j"], words: "Next row or card", repeats: true, run: () => step(1) },
    { keys: ["k"], words: "Previous row or card", repeats: true, run: () => step(-1) },
    { keys: ["]"], words: "Next column of the board, next page of the list", repeats: true, run: () => turnPage(1) },
    { keys: ["["], words: "Previous column or page", repeats: true, run: () => turnPage(-1) },
    { keys: ["o"], shown: ["Enter", "o"], words: "Open", run: () => (item() ? linkOf(item()).click() : CHOOSE) },
    { keys: ["m"], words: "Move the card that has the focus" },
    { keys: ["x"], words: "Select or deselect", run: select },
  ],
});

window.addEventListener("load", () => {
  if (location.hash !== EDIT || !pageOfTask()) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  const why = edit();
  if (typeof why === "string") tell(why, { refusal: true });
});

document.addEventListener("focusin", ({ target }) => {
  const held = target.closest?.(ITEM);
  if (held) last = held.dataset.ref;
});

// --- What the palette offers here ---

const labelOf = (act) => act.textContent.trim().replace(/\s+/g, " ");

function press(control) {
  control.click();
  if (control.nodeName === "SUMMARY") control.parentElement.querySelector("input:not([type=hidden]), textarea, select")?.focus();
}

function actsOfPage() {
  return [...document.querySelectorAll("main .task-verbs [data-act]")]
    .filter((act) => act.checkVisibility())
    .map((act) => ({ words: labelOf(act), hint: pageOfTask()?.dataset.ref ?? "", kind: "Do", run: () => press(act) }));
}

// What controls of the page do, also those in a closed menu; only for who asks, since pages come first.
function commands(text) {
  if (!text) return [];
  const controls = [...document.querySelectorAll("[data-command]")].map((control) => ({
    words: control.dataset.command || labelOf(control),
    run: () => press(control),
  }));
  const everywhere = [{ words: "New task", run: create }, { words: "Keyboard shortcuts", run: showSheet }];
  return [...controls, ...everywhere].map((command) => ({ ...command, kind: "Do" }));
}

function doings() {
  const ref = refInQuestion();
  if (!ref) return [];
  const ways = [["Edit", edit], ["Assign", () => openAssigning(ref)], ["Change the status", () => changeStatus(ref)]];
  return ways.map(([words, run]) => ({ words, hint: ref, kind: "Do", run }));
}

// With what is typed as its title, where the form of a new task takes one.
function creating(text) {
  const link = document.querySelector("a[data-shortcut=c]");
  if (!link || !text) return [];
  const target = new URL(link.href);
  target.searchParams.set("title", text);
  const run = () => {
    const own = Object.assign(document.createElement("a"), { href: target.href, hidden: true });
    Object.assign(own.dataset, { newTask: "" });
    document.body.append(own);
    own.click();
    own.remove();
  };
  return [{ words: `Create task “${text}”`, kind: "Do", always: true, last: true, run }];
}

offer((text) => [...actsOfPage(), ...doings(), ...commands(text), ...creating(text)]);
if (pageOfTask()) remember(pageOfTask().dataset.ref);
