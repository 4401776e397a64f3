// The bell counts what is unread, on every page; the page of notifications follows too. Events only say that something
// changed: the number is asked for, so that it is right whatever came in between.

import { onEvents, onReset } from "../taskproject/live.js";
import { paced } from "../taskproject/pace.js";
import { refreshPage } from "../taskproject/refresh.js";

const CONCERNS = ["notification.", "member."];
const MOST_SHOWN = 99;
const COUNTED = 1000;

const bell = document.querySelector("[data-notifications-count]");
const list = document.querySelector("[data-live='notifications']");

function show(unread) {
  if (bell.dataset.notificationsCount === String(unread)) return;
  bell.dataset.notificationsCount = unread;
  const badge = bell.querySelector("[data-notifications-shown]");
  badge.textContent = unread > MOST_SHOWN ? `${MOST_SHOWN}+` : unread;
  badge.hidden = unread === 0;
  const words = unread >= COUNTED ? `${COUNTED} or more` : unread;
  bell.querySelector("[data-notifications-words]").textContent = unread ? `, ${words} unread` : "";
}

async function count() {
  const answer = await fetch("/api/v1/notifications/unread", {
    credentials: "same-origin",
    cache: "no-store",
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.status === 401 || answer.status === 403) return;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  show((await answer.json()).unread);
}

// Opening what a notification is about is reading it. Sent so that it outlives the page that is left.
function readWhatIsOpened(event) {
  const link = event.target.closest?.("a[data-reads]");
  if (!link) return;
  fetch("/api/v1/notifications/read", {
    method: "POST",
    credentials: "same-origin",
    keepalive: true,
    headers: { "Content-Type": "application/json", "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value },
    body: JSON.stringify({ ids: [Number(link.dataset.reads)] }),
  }).catch(() => {});
}

if (bell) {
  const ask = paced(count);
  const asks = [ask];
  if (list) {
    const again = paced(() => refreshPage(again), { least: 300 });
    asks.push(again);
    list.addEventListener("click", readWhatIsOpened);
    list.addEventListener("auxclick", readWhatIsOpened);
  }
  onEvents((events) => {
    if (events.some((event) => CONCERNS.some((beginning) => event.kind.startsWith(beginning)))) asks.forEach((one) => one());
  });
  onReset(() => asks.forEach((one) => one()));
}
