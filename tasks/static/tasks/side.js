// The side bar: folded or open as the reader left it, and its counts, which are asked for after the page, all at once,
// and again when something has happened, but seldom; a hidden or folded one asks for nothing.

import { onEvents, onReset } from "../taskproject/live.js";
import { morph } from "../taskproject/morph.js";
import { paced } from "../taskproject/pace.js";
import { readPage, request } from "../taskproject/request.js";

const EVERY = 4_000;
const SELDOM = 20_000;
const NARROW = matchMedia("(max-width: 48rem)");

const side = document.querySelector("[data-side]");
const nav = side.querySelector("[data-side-views]");

async function renew() {
  if (!side.open) return;
  const query = new URLSearchParams({ view: new URLSearchParams(location.search).get("view") ?? "" });
  const answer = await request(`${nav.dataset.sideViews}?${query}`);
  if (answer.redirected || [401, 403, 404].includes(answer.status)) return;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const fresh = (await readPage(answer)).querySelector("[data-side-list]");
  if (fresh) morph(nav.querySelector("[data-side-list]"), fresh);
}

const ask = paced(renew, { least: EVERY, most: SELDOM });

// Where it would be above the page, it begins folded, and what is done there is no choice for wide windows.
if (NARROW.matches) side.open = false;
side.addEventListener("toggle", () => side.open && ask());
side.querySelector("summary").addEventListener("click", () => {
  if (NARROW.matches) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  // It is still as it was before the click.
  document.cookie = `side=${side.open ? "folded" : "open"}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
});
onEvents((events) => {
  if (events.some((event) => event.task !== null || event.kind.startsWith("member."))) ask();
});
onReset(ask);
if (side.open) ask();
