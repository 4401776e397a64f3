// The inbox: items come and go while the reader works, and never move what they are typing in or focused on.

import { onEvents, onReset } from "../taskproject/live.js";
import { morph } from "../taskproject/morph.js";
import { paced } from "../taskproject/pace.js";
import { fetchPage, isWriting, swapRegions } from "../taskproject/refresh.js";
import { readPage, request } from "../taskproject/request.js";
import { onSent, say, send } from "../taskproject/sending.js";
import { declare, showSheet } from "../taskproject/shortcuts.js";
import { localise } from "../taskproject/times.js";
import { concernsInbox } from "./inbox_count.js";

// How often to look for what no event reports: a snoozed item whose time has come.
const LOOK_EVERY = 60_000;
const LATER = 3_000;
const NUMBERED = 9;
const FIELDS = "input:not([type=checkbox], [type=radio], [type=hidden]), textarea, select";

const region = () => document.querySelector("[data-live='inbox']");
const items = () => [...region().querySelectorAll("[data-item]")];
const current = () => document.activeElement?.closest?.("[data-item]") ?? null;
const undoable = [];
// Forms that put something aside and have no answer yet.
const leaving = new Set();
let undoNext = false;

// --- Following ---

// The place of an item stays, with all that is typed in it; if it is gone, a sentence says so.
function hold(fresh) {
  const kept = items().filter((item) => isWriting(item) || item.querySelector(".verb[open], .question-more[open]"));
  for (const item of kept) {
    const key = CSS.escape(item.dataset.key);
    const wanted = fresh.querySelector(`[data-key="${key}"][data-item]`);
    if (wanted) {
      wanted.dataset.kept = "";
      continue;
    }
    const list = fresh.querySelector(".inbox-list") ?? fresh.appendChild(document.createElement("ol"));
    list.className = "inbox-list";
    const place = document.createElement("li");
    Object.assign(place.dataset, { key: item.dataset.key, item: item.dataset.item, kept: "" });
    list.insertBefore(place, list.children[items().indexOf(item)] ?? null);
    letGo(item);
  }
  return kept.length > 0;
}

// Somebody else has done it: say so beside what is being typed, for a question with who answered what.
async function letGo(item) {
  if (item.querySelector(".inbox-gone")) return;
  const notice = Object.assign(document.createElement("p"), { className: "notice notice-warning inbox-gone" });
  notice.setAttribute("role", "status");
  notice.textContent = "This needs you no more: somebody else has seen to it.";
  item.prepend(notice);
  const question = item.querySelector("[data-question]")?.dataset.question;
  if (!question) return;
  const answer = await request(`/questions/${question}`).catch(() => null);
  const outcome = answer?.ok ? (await readPage(answer)).querySelector("[data-outcome]") : null;
  if (outcome) notice.textContent = outcome.textContent.trim();
}

function number() {
  for (const item of items()) {
    let next = 1;
    for (const act of item.querySelectorAll("[data-act]")) {
      if (!act.checkVisibility() || next > NUMBERED) delete act.dataset.number;
      else act.dataset.number = next++;
    }
  }
}

function tell(before, after) {
  const came = after.filter((name) => !before.includes(name)).length;
  const went = before.filter((name) => !after.includes(name)).length;
  const words = [];
  if (came) words.push(`${came} ${came === 1 ? "item" : "items"} more`);
  if (went) words.push(`${went} ${went === 1 ? "item" : "items"} fewer`);
  if (words.length) document.querySelector("[data-news]").textContent = `${words.join(", ")} in the inbox.`;
}

function show(page) {
  const fresh = page.querySelector("[data-live='inbox']");
  if (!fresh) return false;
  const old = items();
  const names = old.map((item) => item.dataset.item);
  const focused = current();
  const at = focused ? old.indexOf(focused) : -1;
  const anchor = focused ?? old.find((item) => item.getBoundingClientRect().bottom > 80) ?? null;
  const top = anchor?.getBoundingClientRect().top ?? 0;
  const follows = focused !== null || scrollY > 0;
  const held = hold(fresh);
  if (morph(region(), fresh)) localise(region());
  number();
  swapOthers(page);
  tell(names, items().map((item) => item.dataset.item));
  // The next item takes the place of the one that has gone, so that the keyboard goes on from there.
  if (focused && !focused.isConnected) focusItem(items()[Math.min(at, items().length - 1)]);
  else if (anchor?.isConnected && follows) scrollBy(0, anchor.getBoundingClientRect().top - top);
  return !held;
}

// The tabs that name counts; the region of items is swapped above.
function swapOthers(page) {
  page.querySelector("[data-live='inbox']").remove();
  swapRegions(page);
}

const ask = paced(async () => {
  const page = await fetchPage(location.href);
  if (page && !show(page)) setTimeout(ask, LATER);
}, { least: 300, most: 3_000 });

onEvents((events) => concernsInbox(events) && ask());
onReset(ask);
setInterval(() => document.hidden || ask(), LOOK_EVERY);

document.addEventListener("submit", (event) => {
  if (event.target.dataset.aside !== undefined) leaving.add(event.target);
});

onSent((result, form) => {
  const item = form.closest("[data-item]");
  const undone = leaving.delete(form) && undoNext;
  undoNext = undoNext && !undone;
  if (!result.done) return;
  // By its id: the item may have gone meanwhile.
  if (form.dataset.aside !== undefined) undoable.push(form.elements.namedItem("id").value);
  form.reset();
  for (const details of item?.querySelectorAll("details[open]") ?? []) details.open = false;
  if (item && item.contains(document.activeElement)) item.focus({ preventScroll: true });
  if (new URL(result.url).pathname === location.pathname) show(result.page);
  else ask();
  if (undone) undo();
});

// --- Keyboard ---

function focusItem(item) {
  if (!item) return region().querySelector(".empty a, .inbox-groups a")?.focus();
  item.focus({ preventScroll: true });
  return item.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = items();
  const here = current();
  const to = here ? all.indexOf(here) + by : by > 0 ? 0 : all.length - 1;
  focusItem(all[Math.max(0, Math.min(to, all.length - 1))]);
}

function act(item, wanted) {
  const target = item?.querySelector(`[data-number="${wanted}"]`);
  if (!target) return;
  if (target.matches("textarea")) return target.focus();
  target.click();
  if (target.nodeName !== "SUMMARY") return undefined;
  return target.parentElement.querySelector(FIELDS)?.focus();
}

async function undo() {
  // The last one may still be on its way: it is undone when it has arrived.
  if (leaving.size) {
    undoNext = true;
    return undefined;
  }
  const name = undoable.pop();
  if (!name) return say("There is nothing to undo.");
  const form = document.createElement("form");
  form.action = region().dataset.here;
  const token = region().querySelector("[name=csrfmiddlewaretoken]").value;
  for (const [field, value] of Object.entries({ csrfmiddlewaretoken: token, do: "restore", id: name })) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: field, value }));
  }
  const result = await send(form);
  say(result.sentence, { refusal: !result.done });
  if (!result.done) return undefined;
  show(result.page);
  return focusItem(items().find((item) => item.dataset.item === name));
}

function snooze(item) {
  const summary = item?.querySelector("[data-snooze]");
  summary?.click();
  summary?.parentElement.querySelector("button")?.focus();
}

declare({
  title: "In the inbox",
  here: () => true,
  entries: [
    { keys: ["j"], words: "Next item", repeats: true, run: () => step(1) },
    { keys: ["k"], words: "Previous item", repeats: true, run: () => step(-1) },
    { keys: [..."123456789"], shown: ["1", "…", "9"], words: "The answer or button with this number", run: (key) => act(current(), key) },
    { keys: ["o"], words: "Open the task", run: () => current()?.querySelector("[data-open]")?.click() },
    { keys: ["s"], words: "Snooze…", run: () => snooze(current()) },
    { keys: ["e"], words: "Archive until something new happens", run: () => current()?.querySelector("[data-archive]")?.click() },
    { keys: ["u"], words: "Undo the last archive or snooze", run: () => undo() },
    { keys: ["Esc"], words: "Leave a field" },
  ],
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches?.(FIELDS) && !document.querySelector("dialog[open]")) current()?.focus();
});

const help = document.querySelector("[data-help]");
help.hidden = false;
help.addEventListener("click", showSheet);
number();
