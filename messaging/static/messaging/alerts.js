// Shows by the browser what its reader wants shown: once for each event, however many tabs are open, and never what
// comes from before they opened. Texts reach the browser as text.

import { isRefused, JSON_TYPE, request } from "../taskproject/request.js";

const SHOWN = "taskproject.alerts";
// After sleep, what happened meanwhile is on the page; a hundred alerts at once help nobody.
const FRESH_FOR = 5 * 60_000;
const MOST = 3;

const wanted = (event) =>
  event.kind.startsWith("notification.") && event.data.alert === true && Date.now() - Date.parse(event.at) < FRESH_FOR;

// One tab at a time looks and notes which events were shown; the others find them noted.
function unseen(events) {
  return navigator.locks.request(SHOWN, () => {
    const last = BigInt(localStorage.getItem(SHOWN) || 0);
    const fresh = events.filter((event) => BigInt(event.id) > last);
    if (fresh.length) localStorage.setItem(SHOWN, fresh.at(-1).id);
    return fresh;
  });
}

function placeOf(row) {
  if (row.kind === "invited") return "/invitations/";
  return row.task && row.count === 1 ? `/tasks/${encodeURIComponent(row.task)}` : "/notifications/";
}

function show(row) {
  // The same tag replaces what was shown of the same row before.
  const shown = new Notification(row.text, { body: row.title || "", tag: `taskproject-${row.id}` });
  shown.addEventListener("click", () => {
    window.focus();
    window.location.assign(placeOf(row));
    shown.close();
  });
}

export async function alertOf(events) {
  if (!("Notification" in window) || Notification.permission !== "granted" || !navigator.locks) return;
  const candidates = events.filter(wanted);
  if (!candidates.length) return;
  const fresh = await unseen(candidates);
  if (!fresh.length) return;
  const answer = await request("/api/v1/notifications?unread=true&limit=50", { accept: JSON_TYPE });
  if (isRefused(answer) || !answer.ok) return;
  const ids = new Set(fresh.map((event) => event.data.notification));
  (await answer.json()).results.filter((row) => ids.has(row.id)).slice(0, MOST).forEach(show);
}
