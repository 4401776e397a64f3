// The palette: one box to go anywhere and to do what is open on this page, opened by Ctrl-K or ⌘-K or its link, which
// without this leads to the page of the same search. It follows the ARIA pattern of a combobox with a list box.
//
//   offer((text) => [{ words, kind, hint, run }, …])  what else can be done on this page
//   remember(ref)                                     a task to show first where nothing is typed

import { readPage, request } from "./request.js";
import { declare, tell } from "./shortcuts.js";

const LATER = 120;
const FETCH = { "X-Requested-With": "palette" };
const RECENT = "recent";
const MOST_RECENT = 8;
const MOST_OFFERED = 6;
const UNREACHED = "The server did not answer; type again to ask once more.";

const link = document.querySelector("[data-palette]");
const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const offers = [];
let dialog = null;
let box = null;
let list = null;
let status = null;
let options = [];
let chosen = -1;
let timer = 0;
let asked = 0;
let answers = [];
// Whether the answers are those of what is typed; Enter waits for them.
let isFresh = true;
let entered = false;
let hasMoved = false;

export function offer(provider) {
  offers.push(provider);
}

// --- Recent tasks: their refs alone, since titles should not outlive the session ---

function recent() {
  try {
    return JSON.parse(localStorage.getItem(RECENT) ?? "[]").filter((ref) => typeof ref === "string");
  } catch {
    return [];
  }
}

export function remember(ref) {
  try {
    const refs = [ref, ...recent().filter((other) => other !== ref)].slice(0, MOST_RECENT);
    localStorage.setItem(RECENT, JSON.stringify(refs));
  } catch {
    // A browser that keeps nothing has no recent tasks.
  }
}

// --- Options ---

function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function show(place) {
  chosen = options.length ? (place + options.length) % options.length : -1;
  const items = [...list.children];
  items.forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
  if (chosen < 0) return box.removeAttribute("aria-activedescendant");
  box.setAttribute("aria-activedescendant", items[chosen].id);
  return items[chosen].scrollIntoView({ block: "nearest" });
}

function row(option, at) {
  const item = make("li", { id: `palette-${at}`, className: "menu-item" }, make("span", { className: "answer-words", textContent: option.words }));
  if (option.hint) item.append(make("span", { className: "answer-hint", textContent: option.hint }));
  item.append(make("span", { className: "answer-kind", textContent: option.kind }));
  item.setAttribute("role", "option");
  // The focus stays in the box.
  item.addEventListener("mousedown", (event) => event.preventDefault());
  item.addEventListener("click", (event) => use(option, event));
  return item;
}

// `held`: the option that somebody has moved to since they typed; it stays the chosen one when answers come.
function render(held = null) {
  const text = box.value.trim();
  const words = text.toLowerCase().split(/\s+/);
  const fits = (option) => option.always || words.every((word) => option.words.toLowerCase().includes(word));
  const own = offers.flatMap((provider) => provider(text)).filter(fits);
  options = [...own.filter((option) => !option.last).slice(0, MOST_OFFERED), ...answers, ...own.filter((option) => option.last)];
  list.replaceChildren(...options.map(row));
  show(held ? Math.max(0, options.findIndex((option) => option.words === held.words && option.kind === held.kind && option.url === held.url)) : 0);
}

function say(sentence) {
  status.textContent = sentence;
}

async function ask() {
  const mine = ++asked;
  const text = box.value.trim();
  const query = text ? { q: text } : { recent: recent().join(",") };
  try {
    const answer = await request(`${link.pathname}?${new URLSearchParams(query)}`, { headers: FETCH });
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const page = await readPage(answer);
    if (mine !== asked || !dialog.open) return undefined;
    answers = [...page.querySelectorAll("a[data-answer]")].map((each) => ({
      words: each.querySelector(".answer-words").textContent.trim(),
      hint: each.querySelector(".answer-hint")?.textContent.trim() ?? "",
      kind: each.querySelector(".answer-kind").textContent.trim(),
      url: each.getAttribute("href"),
    }));
    isFresh = true;
    render(hasMoved ? options[chosen] : null);
    if (entered && options.length) return use(options[0], {});
    entered = false;
    say(options.length ? `${options.length} ${options.length === 1 ? "answer" : "answers"}` : "Nothing found.");
  } catch {
    if (mine !== asked) return undefined;
    entered = false;
    isFresh = true;
    say(UNREACHED);
  }
  return undefined;
}

function use(option, event) {
  if (option.url && (event.ctrlKey || event.metaKey)) return window.open(option.url, "_blank", "noopener");
  dialog.close();
  if (option.url) return location.assign(option.url);
  const why = option.run();
  return typeof why === "string" ? tell(why, { refusal: true }) : undefined;
}

function onKey(event) {
  if (event.isComposing) return;
  const to = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, PageDown: options.length - 1, PageUp: 0 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    hasMoved = true;
    show(to);
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (!isFresh && !hasMoved) entered = true;
    else if (options[chosen]) use(options[chosen], event);
  }
}

function build() {
  box = make("input", { type: "text", id: "palette-box", autocomplete: "off", spellcheck: false, maxLength: 200, placeholder: "Go to, find or do…" });
  list = make("ul", { id: "palette-list" });
  status = make("p", { className: "palette-status" });
  const attributes = { role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", "aria-label": "Go to, find or do" };
  for (const [name, value] of Object.entries(attributes)) box.setAttribute(name, value);
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Answers");
  status.setAttribute("role", "status");
  box.addEventListener("keydown", onKey);
  box.addEventListener("input", () => {
    // What is still on its way answers what was typed before.
    asked += 1;
    isFresh = false;
    entered = hasMoved = false;
    render();
    clearTimeout(timer);
    timer = setTimeout(ask, LATER);
  });
  dialog = make("dialog", { className: "palette" }, box, list, status);
  dialog.setAttribute("aria-label", "Search and commands");
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  dialog.addEventListener("close", () => clearTimeout(timer));
  document.body.append(dialog);
}

function open() {
  if (document.querySelector("dialog[open]")) return;
  if (!dialog) build();
  box.value = "";
  answers = [];
  isFresh = true;
  entered = hasMoved = false;
  dialog.showModal();
  render();
  say("");
  ask();
}

if (link) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    open();
  });
  link.setAttribute("aria-keyshortcuts", isMac ? "Meta+K" : "Control+K");
  link.setAttribute("aria-haspopup", "dialog");
  // On a Mac, Ctrl-K belongs to the text fields.
  window.addEventListener("keydown", (event) => {
    const modifier = isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    if (!modifier || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k" || event.isComposing) return;
    event.preventDefault();
    if (dialog?.open) dialog.close();
    else open();
  });
  declare({
    title: "Search and commands",
    here: () => true,
    entries: [{ keys: [isMac ? "⌘ K" : "Ctrl K"], words: "Search, go anywhere, do what is open here" }],
  });
}
