// The link to the inbox shows on every page how many items need the reader. Events only say that something may have
// changed: the count is requested, so that it is right whatever happened in between.

import { onEvents, onReset } from "../taskproject/live.js";
import { paced } from "../taskproject/pace.js";
import { isRefused, JSON_TYPE, request } from "../taskproject/request.js";

// What changes no inbox.
const OTHERS = ["task.progressed", "notification.", "agent.", "project."];

const link = document.querySelector("[data-inbox-count]");

export const concernsInbox = (events) =>
  events.some((event) => !OTHERS.some((beginning) => event.kind.startsWith(beginning)));

export function showCount(count) {
  if (!link || link.dataset.inboxCount === String(count)) return;
  const most = Number(link.dataset.most);
  const shown = count >= most ? `${most - 1}+` : String(count);
  link.dataset.inboxCount = count;
  const badge = link.querySelector("[data-inbox-shown]");
  badge.textContent = shown;
  badge.hidden = count === 0;
  link.querySelector("[data-inbox-words]").textContent = count ? `, ${shown} waiting for you` : "";
}

async function count() {
  const answer = await request("/api/v1/inbox/count", { accept: JSON_TYPE });
  if (isRefused(answer)) return;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  showCount((await answer.json()).count);
}

if (link) {
  const ask = paced(count, { least: 500, most: 10_000 });
  onEvents((events) => concernsInbox(events) && ask());
  onReset(ask);
}
