// Writing and reacting without leaving the page: the composer, replies, mentions, the buttons of a message.
// Every form also works by itself; here it is sent in the background, and a refusal is shown where it was typed.

import { onEvents, onSignal, signal } from "../taskproject/live.js";
import { JSON_TYPE, request } from "../taskproject/request.js";

const DRAFT = "draft ";
const LOOK_UP_AFTER = 120;
const MOST_SHOWN = 8;
const SAY_TYPING_EVERY = 3_000;
const MENTION = /(?:^|[\s(])@([\p{L}\p{N}_.-]*)$/u;

// Tells the page that something was sent; whoever follows the page then refreshes it.
function sent(form) {
  form.dispatchEvent(new CustomEvent("messages:sent", { bubbles: true }));
}

function complain(form, sentence) {
  const place = form.querySelector("[data-problem]");
  if (!place) return alertOnPage(sentence);
  place.textContent = sentence;
  place.hidden = !sentence;
}

// For buttons that have no place of their own for it.
function alertOnPage(sentence) {
  let place = document.querySelector("[data-page-problem]");
  if (!place) {
    place = document.createElement("p");
    place.className = "notice notice-error";
    place.dataset.pageProblem = "";
    place.setAttribute("role", "alert");
    document.querySelector("#main").prepend(place);
  }
  place.textContent = sentence;
  place.hidden = !sentence;
}

// Sends `form` in the background; returns whether it was taken.
async function send(form, submitter) {
  const body = new FormData(form, submitter);
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await request(form.action, { method: "POST", headers: { "X-Requested-With": "fetch" }, body });
    if (answer.redirected) {
      // Signed out meanwhile. What was typed stays, and is kept as a draft.
      complain(form, "You are signed out. Sign in again in another tab, then send it.");
    } else if (answer.ok) {
      complain(form, "");
      return true;
    } else if ((answer.headers.get("Content-Type") ?? "").startsWith("text/plain")) {
      complain(form, await answer.text());
    } else {
      complain(form, "The server could not take it. It is still here: try again.");
    }
  } catch {
    complain(form, "The server did not answer. It is still here: try again.");
  } finally {
    for (const button of buttons) button.disabled = false;
  }
  return false;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-composer], [data-quiet]")) return;
  event.preventDefault();
  if (form.dataset.sending) return;
  form.dataset.sending = "true";
  const done = await send(form, event.submitter);
  delete form.dataset.sending;
  if (!done) return;
  if (form.matches("[data-composer]")) clear(form);
  else finish(form);
  sent(form);
});

// A menu or editor that did its work closes; its field no longer counts as being written in.
function finish(form) {
  const box = form.closest("details");
  if (box) {
    const held = box.contains(document.activeElement);
    box.open = false;
    if (held) box.querySelector("summary").focus();
  }
  for (const field of form.querySelectorAll("textarea")) field.defaultValue = field.value;
}

// --- the composer

const field = (form) => form.querySelector("textarea");

function remember(form) {
  const { value } = field(form);
  try {
    if (value) sessionStorage.setItem(DRAFT + form.dataset.composer, value);
    else sessionStorage.removeItem(DRAFT + form.dataset.composer);
  } catch {
    // Without storage there are no drafts.
  }
}

function recall(form) {
  try {
    field(form).value ||= sessionStorage.getItem(DRAFT + form.dataset.composer) ?? "";
  } catch {
    // As above.
  }
}

function clear(form) {
  field(form).value = "";
  remember(form);
  replyTo(form, null);
  // The next message is a comment again: an instruction is always a decision.
  const comment = form.querySelector("input[name=kind]");
  if (comment) comment.checked = true;
  const keep = form.querySelector("input[name=keep]");
  if (keep) keep.checked = false;
  field(form).focus();
}

function replyTo(form, message) {
  const line = form.querySelector("[data-reply-to]");
  form.elements.in_reply_to.value = message?.dataset.message ?? "";
  line.hidden = !message;
  if (!message) return;
  line.querySelector("[data-reply-author]").textContent = message.querySelector(".message-author").textContent;
  field(form).focus();
}

const composer = document.querySelector("[data-composer]");

function showReplies(root = document) {
  for (const button of root.querySelectorAll("[data-reply][hidden]")) button.hidden = false;
}

if (composer) {
  recall(composer);
  showReplies();
  document.addEventListener("live:swapped", ({ target }) => showReplies(target));
  composer.addEventListener("input", () => remember(composer));
  composer.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      composer.requestSubmit();
    }
  });
  document.addEventListener("click", ({ target }) => {
    const reply = target.closest?.("[data-reply]");
    if (reply) replyTo(composer, reply.closest("[data-message]"));
    else if (target.closest?.("[data-reply-cancel]")) replyTo(composer, null);
  });
  completeMentions(composer);
  showTyping(composer);
}

// --- who is typing, which others see for some seconds

function showTyping(form) {
  const place = form.querySelector("[data-typing]");
  const { composer: conversation } = form.dataset;
  const until = new Map();
  let said = 0;

  function show() {
    const now = Date.now();
    for (const [who, end] of until) if (end <= now) until.delete(who);
    const names = [...until.keys()];
    const words = names.length > 3 ? "Several people are" : `${names.join(", ")} ${names.length > 1 ? "are" : "is"}`;
    place.textContent = names.length ? `${words} typing…` : "";
    if (names.length) setTimeout(show, 1_000);
  }

  field(form).addEventListener("input", () => {
    if (!field(form).value || Date.now() - said < SAY_TYPING_EVERY) return;
    said = Date.now();
    signal({ type: "typing", conversation });
  });
  onSignal("typing", (frame) => {
    if (frame.conversation !== conversation) return;
    until.set(frame.who, Date.now() + 1_000 * frame.seconds);
    show();
  });
  // Whoever has sent it is no longer typing it.
  onEvents((events) => {
    for (const event of events) if (event.kind === "message.posted" && until.delete(event.actor)) show();
  });
}

// --- mentions: a list of members below the field while "@…" is being typed

function completeMentions(form) {
  const text = field(form);
  const list = form.querySelector("[data-completions]");
  let timer = 0;
  let asked = 0;
  let chosen = 0;

  text.setAttribute("aria-autocomplete", "list");
  list.id = "completions";
  text.setAttribute("aria-controls", list.id);

  const begun = () => MENTION.exec(text.value.slice(0, text.selectionStart));
  const options = () => [...list.children];

  function close() {
    clearTimeout(timer);
    asked += 1;
    list.hidden = true;
    list.replaceChildren();
    text.removeAttribute("aria-activedescendant");
  }

  function choose(index) {
    const all = options();
    chosen = (index + all.length) % all.length;
    all.forEach((option, place) => option.setAttribute("aria-selected", String(place === chosen)));
    text.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  }

  function take(name) {
    const match = begun();
    close();
    if (!match) return;
    const end = text.selectionStart;
    text.setRangeText(`${name} `, end - match[1].length, end, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function show(members) {
    list.replaceChildren(
      ...members.slice(0, MOST_SHOWN).map((member, index) => {
        const option = document.createElement("li");
        option.id = `completion-${index}`;
        option.className = "completion";
        option.setAttribute("role", "option");
        option.dataset.name = member.name;
        const name = document.createElement("strong");
        name.textContent = `@${member.name}`;
        option.append(name);
        if (member.full_name && member.full_name !== member.name) {
          const full = document.createElement("span");
          full.className = "muted";
          full.textContent = ` ${member.full_name}`;
          option.append(full);
        }
        return option;
      }),
    );
    list.hidden = members.length === 0;
    if (members.length) choose(0);
  }

  async function look(start) {
    const mine = (asked += 1);
    const query = new URLSearchParams({ q: start });
    if (form.dataset.project) query.set("project", form.dataset.project);
    try {
      const answer = await request(`/api/v1/members?${query}`, { accept: JSON_TYPE });
      if (mine === asked && answer.ok) show((await answer.json()).results);
    } catch {
      // No list; the name can be typed.
    }
  }

  text.addEventListener("input", () => {
    clearTimeout(timer);
    const match = begun();
    if (match) timer = setTimeout(look, LOOK_UP_AFTER, match[1]);
    else close();
  });
  text.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) choose(chosen + step);
    else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === "Tab") take(options()[chosen].dataset.name);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  text.addEventListener("blur", () => setTimeout(close, 150));
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[data-name]");
    if (!option) return;
    event.preventDefault();
    take(option.dataset.name);
  });
}
