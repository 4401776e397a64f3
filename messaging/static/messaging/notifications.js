// The bell shows the unread count on every page; the notifications page follows too. Events only say that something
// changed: the count is requested, so that it is right whatever happened in between.

import { onEvents, onReset } from "../taskproject/live.js";
import { paced } from "../taskproject/pace.js";
import { refreshPage } from "../taskproject/refresh.js";
import { alertOf } from "./alerts.js";
import { isRefused, JSON_TYPE, request } from "../taskproject/request.js";

const CONCERNS = ["notification.", "member."];

const bell = document.querySelector("[data-notifications-count]");
const list = document.querySelector("[data-live='notifications']");

function show(unread) {
  if (bell.dataset.notificationsCount === String(unread)) return;
  bell.dataset.notificationsCount = unread;
  const badge = bell.querySelector("[data-notifications-shown]");
  const { mostShown, mostCounted } = bell.dataset;
  badge.textContent = unread > Number(mostShown) ? `${mostShown}+` : unread;
  badge.hidden = unread === 0;
  const words = unread >= Number(mostCounted) ? `${mostCounted} or more` : unread;
  bell.querySelector("[data-notifications-words]").textContent = unread ? `, ${words} unread` : "";
}

async function count() {
  const answer = await request("/api/v1/notifications/unread", { accept: JSON_TYPE });
  if (isRefused(answer)) return;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  show((await answer.json()).unread);
}

// Opening what a notification is about marks it as read. Sent in a way that outlives the page.
function readWhatIsOpened(event) {
  const link = event.target.closest?.("a[data-reads]");
  if (!link) return;
  request("/api/v1/notifications/read", {
    method: "POST",
    accept: JSON_TYPE,
    keepalive: true,
    headers: { "Content-Type": JSON_TYPE, "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value },
    body: JSON.stringify({ ids: [Number(link.dataset.reads)] }),
  }).catch(() => {});
}

if (bell) {
  const ask = paced(count);
  const refreshes = [ask];
  if (list) {
    const again = paced(() => refreshPage(again), { least: 300 });
    refreshes.push(again);
    list.addEventListener("click", readWhatIsOpened);
    list.addEventListener("auxclick", readWhatIsOpened);
  }
  onEvents((events) => {
    const concerns = events.some((event) => CONCERNS.some((beginning) => event.kind.startsWith(beginning)));
    if (concerns) refreshes.forEach((refresh) => refresh());
    alertOf(events).catch(() => {});
  });
  onReset(() => refreshes.forEach((refresh) => refresh()));
}
