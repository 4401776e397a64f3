// Until the live stream takes over: asks for the page every few seconds and swaps its regions (data-live) in place.
// Rests while the tab is hidden, leaves regions alone in which somebody writes, and recovers when the server is back.

import { morph } from "./morph.js";
import { localise } from "./times.js";

const EVERY = 4000;
const LONGEST_WAIT = 15000;
const PATIENCE = 10000;
const WORDS = { live: "Live", paused: "Paused", away: "Reconnecting…" };

const badge = document.querySelector("[data-live-state]");
let timer = 0;
let failures = 0;
let asking = false;

function show(state) {
  if (!badge || badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.querySelector("[data-live-text]").textContent = WORDS[state];
  badge.hidden = false;
}

function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) return [...field.options].some((option) => option.selected !== option.defaultSelected) && field.selectedIndex > 0;
  return field.type !== "hidden" && field.defaultValue !== undefined && field.value !== field.defaultValue;
}

function isWriting(region) {
  if (region.dataset.hold !== undefined) return true;
  const active = document.activeElement;
  if (active && region.contains(active) && active.matches("input:not([type=hidden]), textarea, select")) return true;
  return [...region.querySelectorAll("form")].some((form) => [...form.elements].some(isChanged));
}

function leave() {
  // Signed out, or no member any more: the server's own page says so. Nothing that is being written is thrown away.
  if (![...document.querySelectorAll("[data-live]")].some(isWriting)) location.reload();
}

async function ask() {
  const answer = await fetch(location.href, {
    credentials: "same-origin",
    cache: "no-store",
    headers: { Accept: "text/html", "X-Requested-With": "refresh" },
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return leave();
  if ([401, 403, 404].includes(answer.status)) return leave();
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const region of document.querySelectorAll("[data-live]")) {
    const wanted = fresh.querySelector(`[data-live="${CSS.escape(region.dataset.live)}"]`);
    if (wanted && !isWriting(region) && morph(region, wanted)) {
      localise(region);
      region.dispatchEvent(new CustomEvent("live:swapped", { bubbles: true }));
    }
  }
}

async function turn() {
  if (asking) return;
  clearTimeout(timer);
  if (document.hidden) return show("paused");
  asking = true;
  try {
    await ask();
    failures = 0;
    show("live");
  } catch {
    failures += 1;
    show("away");
  } finally {
    asking = false;
  }
  timer = setTimeout(turn, failures ? Math.min(1000 * 2 ** failures, LONGEST_WAIT) : EVERY);
}

export function start() {
  show("live");
  document.addEventListener("visibilitychange", turn);
  window.addEventListener("online", turn);
  window.addEventListener("offline", () => show("away"));
  timer = setTimeout(turn, EVERY);
}
