// The page of messages follows what is written, keeps its place at the end, and notes what has been read.

import { onEvents, onReset, onSignal } from "../taskproject/live.js";
import { paced } from "../taskproject/pace.js";
import { refreshPage } from "../taskproject/refresh.js";
import { JSON_TYPE, request } from "../taskproject/request.js";

const OF_MESSAGES = "message.";
const OF_THE_TEAM = ["project.", "member."];
// How long a message has to be in view before it counts as read.
const READ_AFTER = 800;
// How near the end of the page the reader is "at the end".
const NEAR = 120;
const LOOK_UP_AFTER = 150;

const conversation = document.querySelector("[data-conversation]");
const root = document.scrollingElement;

const isAtEnd = () => root.scrollHeight - root.scrollTop - window.innerHeight < NEAR;
const last = () => Number(conversation?.querySelector("[data-last]").dataset.last || 0);

function toEnd() {
  root.scrollTop = root.scrollHeight;
}

// --- the line above what is new stays where it was, although it is noted as read

const here = new URL(location.href);

function keepLine() {
  const { readUpTo, first, newest } = conversation.dataset;
  if (!readUpTo || here.searchParams.has("since")) return;
  here.searchParams.set("since", readUpTo);
  // A page that begins with the first unread message does so although that is read meanwhile.
  if (newest === undefined && first && !here.searchParams.has("before")) here.searchParams.set("at", first);
  history.replaceState(history.state, "", here);
}

// Who writes has read what is above, and sees what they wrote.
function dropLine() {
  for (const name of ["since", "at", "before"]) here.searchParams.delete(name);
  history.replaceState(history.state, "", here);
}

// --- what was in view long enough is read

let marked = 0;
let timer = 0;

async function markRead() {
  const upTo = last();
  if (document.hidden || !isAtEnd() || upTo <= marked) return;
  marked = upTo;
  try {
    const answer = await request("/api/v1/messages/read", {
      method: "POST",
      accept: JSON_TYPE,
      headers: { "Content-Type": JSON_TYPE, "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value },
      body: JSON.stringify({ conversation: conversation.dataset.conversation, up_to: upTo }),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    ask();
  } catch {
    marked = 0;
  }
}

function lookSoon() {
  clearTimeout(timer);
  if (conversation) timer = setTimeout(markRead, READ_AFTER);
}

const ask = paced(async () => {
  const stay = conversation && isAtEnd();
  const before = last();
  await refreshPage(ask);
  if (stay && last() !== before) toEnd();
  lookSoon();
}, { least: 200, most: 1500 });

onEvents((events) => {
  const concerns = (kind) => kind.startsWith(OF_MESSAGES) || OF_THE_TEAM.some((beginning) => kind.startsWith(beginning));
  if (events.some((event) => concerns(event.kind))) ask();
});
onReset(ask);
document.addEventListener("messages:sent", ({ target }) => {
  if (target.matches("[data-composer]")) {
    dropLine();
    toEnd();
  }
  ask();
});

if (conversation) {
  keepLine();
  const line = conversation.querySelector("[data-unread-line]");
  if (/^#message-\d+$/.test(location.hash)) document.querySelector(location.hash)?.scrollIntoView();
  else if (line) line.scrollIntoView({ block: "center" });
  else if (conversation.dataset.newest !== undefined) toEnd();
  lookSoon();
  window.addEventListener("scroll", lookSoon, { passive: true });
  document.addEventListener("visibilitychange", lookSoon);
}

// --- who is there

const MOST_NAMED = 4;
const hereIn = new Map();

function showPresence() {
  const place = conversation.querySelector("[data-presence]");
  const { home, conversation: name } = conversation.dataset;
  let words = "";
  if (name.startsWith("@")) {
    words = [...hereIn.values()].some((names) => names.includes(name.slice(1))) ? "Here now" : "";
  } else {
    const names = hereIn.get(home) ?? [];
    const more = names.length - MOST_NAMED;
    words = names.slice(0, MOST_NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
    if (words) words = `Here now: ${words}`;
  }
  place.textContent = words;
  place.hidden = !words;
  place.classList.toggle("is-here", Boolean(words));
}

if (conversation) {
  onSignal("presence", ({ project, here: names }) => {
    hereIn.set(project, names);
    showPresence();
  });
}

// --- the names of those to whom one may write

const to = document.querySelector("#write-to");
let lookUp = 0;
to?.addEventListener("input", () => {
  clearTimeout(lookUp);
  lookUp = setTimeout(async () => {
    try {
      const answer = await request(`/api/v1/members?${new URLSearchParams({ q: to.value })}`, { accept: JSON_TYPE });
      if (!answer.ok) return;
      const { results } = await answer.json();
      to.list.replaceChildren(
        ...results.map(({ name, full_name: full }) => Object.assign(document.createElement("option"), { value: name, label: full || name })),
      );
    } catch {
      // Names can be typed.
    }
  }, LOOK_UP_AFTER);
});
