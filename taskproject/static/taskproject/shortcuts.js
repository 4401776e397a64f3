// Shortcuts: what a key does is declared once, in a group that says where it works, and the sheet of the key "?" is
// made from the same declarations.
//
//   declare({ title: "In the inbox", here: () => true, entries: [{ keys: ["j"], words: "Next item", run: () => … }] })
//
// `keys`: one key each, or two after another ("g b"). `run(key)` may return a sentence that says why it does nothing.
// Without `run` an entry is only described. Where two groups have the same key, the one declared last has it.
//
// Nothing happens while somebody types, in dialogs, or with a modifier, which the browser owns. All can be switched
// off, since people who speak to their computer type keys by what they say (WCAG 2.1.4).

import { say } from "./sending.js";

const TYPING =
  "input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=reset]), textarea, select, " +
  "[contenteditable]:not([contenteditable=false]), [role=textbox], [role=combobox]";
const PATIENCE = 2_500;
const STORED = "shortcuts";
const OFF = "off";

const groups = [];
let first = "";
let timer = 0;
let sheet = null;
let place = null;

export function declare(group) {
  groups.push(group);
}

// --- Saying ---

function own() {
  place ??= document.body.appendChild(Object.assign(document.createElement("p"), { className: "toast" }));
  place.setAttribute("role", "status");
  return place;
}

// Say a sentence in the page's toast, or in our own where a page has none.
export function tell(sentence, options = {}) {
  if (document.querySelector("[data-toast]")) return say(sentence, options);
  const toast = own();
  toast.textContent = sentence;
  toast.classList.toggle("is-refusal", options.refusal ?? false);
  return setTimeout(() => {
    if (toast.textContent === sentence) toast.textContent = "";
  }, 8_000);
}

// --- On and off ---

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

export const areOn = () => stored() !== OFF;

function switchTo(on) {
  try {
    if (on) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, OFF);
  } catch {
    tell("This browser keeps no settings, so shortcuts stay on.", { refusal: true });
  }
}

// --- Keys ---

// The entry for these keys that works here now.
function entryOf(keys) {
  for (const group of [...groups].reverse()) {
    const entry = group.here() && group.entries.find((each) => each.run && each.keys.includes(keys));
    if (entry) return entry;
  }
  return null;
}

// What may follow a first key, in words; empty if nothing may.
function followers(key) {
  const ways = groups.filter((group) => group.here()).flatMap((group) => group.entries);
  return ways
    .filter((entry) => entry.run && entry.keys.some((keys) => keys.startsWith(`${key} `)))
    .map((entry) => `${entry.keys[0].slice(2)}: ${entry.short ?? entry.words}`);
}

function forget() {
  clearTimeout(timer);
  first = "";
  own().textContent = "";
}

function wait(key, ways) {
  first = key;
  own().classList.remove("is-refusal");
  own().textContent = `${key}, then ${ways.join(", ")}`;
  timer = setTimeout(forget, PATIENCE);
}

function isOurs(event) {
  if (event.defaultPrevented || event.isComposing || !areOn()) return false;
  const altGraph = event.getModifierState?.("AltGraph");
  if ((event.ctrlKey || event.altKey || event.metaKey) && !altGraph) return false;
  if (event.target.closest?.(TYPING)) return false;
  return document.querySelector("dialog[open], [popover]:popover-open") === null;
}

// The window hears it last: a control that has its own use for a key says so by preventing the default.
window.addEventListener("keydown", (event) => {
  if (!isOurs(event) || event.key.length !== 1) return;
  const key = event.shiftKey ? event.key : event.key.toLowerCase();
  const keys = first ? `${first} ${key}` : key;
  if (first) forget();
  const ways = followers(key);
  const entry = entryOf(keys) ?? (keys === key ? null : entryOf(key));
  if (event.repeat && !entry?.repeats) return;
  if (entry) {
    event.preventDefault();
    const why = entry.run(key);
    if (typeof why === "string") tell(why, { refusal: true });
  } else if (keys === key && ways.length) {
    event.preventDefault();
    wait(key, ways);
  }
});

// --- The sheet ---

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function shownKeys(entry) {
  const parts = (entry.shown ?? entry.keys).map((keys, index) => [
    ...(index ? [" "] : []),
    ...keys.split(" ").flatMap((key, at) => [...(at ? [" "] : []), element("kbd", { textContent: key })]),
  ]);
  return parts.flat();
}

function section(group) {
  const list = element("dl");
  for (const entry of group.entries) {
    list.append(element("div", {}, element("dt", {}, ...shownKeys(entry)), element("dd", { textContent: entry.words })));
  }
  return element("section", {}, element("h3", { textContent: group.title }), list);
}

function toggle() {
  const box = element("input", { type: "checkbox", checked: areOn(), id: "shortcuts-on" });
  box.addEventListener("change", () => switchTo(box.checked));
  box.setAttribute("aria-describedby", "shortcuts-note");
  const note = "When off, single keys do nothing; Ctrl and ⌘ combinations still work. Kept in this browser. " +
    "This sheet is also in the menu of your account.";
  return element(
    "div",
    { className: "shortcuts-toggle" },
    element("label", { htmlFor: "shortcuts-on" }, box, " Shortcuts of a single key"),
    element("p", { className: "field-help", id: "shortcuts-note", textContent: note }),
  );
}

export function showSheet() {
  sheet?.remove();
  const here = groups.filter((group) => group.here());
  const others = groups.filter((group) => !group.here());
  sheet = element(
    "dialog",
    { className: "shortcuts" },
    element("h2", { id: "shortcuts-title", textContent: "Keyboard shortcuts" }),
    toggle(),
    element("div", { className: "shortcuts-groups" }, ...[...here, ...others].map(section)),
    element("form", { method: "dialog" }, element("button", { className: "button", textContent: "Close" })),
  );
  sheet.setAttribute("aria-labelledby", "shortcuts-title");
  document.body.append(sheet);
  sheet.showModal();
}

for (const button of document.querySelectorAll("[data-shortcuts]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    button.closest("details[data-menu]")?.removeAttribute("open");
    showSheet();
  });
}
// A live region is heard only if it was there before its words.
own();
