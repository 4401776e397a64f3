// Reloads this page and swaps its regions (data-live) in place; a region in which somebody is typing is left alone
// and retried a little later.

import { morph } from "./morph.js";
import { readPage, request } from "./request.js";
import { localise } from "./times.js";

const LOOK_AGAIN = 4_000;

function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) return [...field.options].some((option) => option.selected !== option.defaultSelected) && field.selectedIndex > 0;
  return field.type !== "hidden" && field.defaultValue !== undefined && field.value !== field.defaultValue;
}

// A form whose words a swap leaves as they are, since it stays the same element: it holds nothing up.
const STAYS = "[data-quick-add]";

// Whether the reader is typing in the region, or has changed one of its fields.
export function isWriting(region) {
  if (region.dataset.hold !== undefined) return true;
  const active = document.activeElement;
  const isField = active?.matches("input:not([type=hidden], [data-select]), textarea, select") && !active.closest(STAYS);
  if (isField && region.contains(active)) return true;
  return [...region.querySelectorAll(`form:not(${STAYS})`)].some((form) => [...form.elements].some(isChanged));
}

function leave() {
  // Signed out, or no longer a member: the server's own page says so. Nothing that is being typed is discarded.
  if (![...document.querySelectorAll("[data-live]")].some(isWriting)) location.reload();
}

// The document at `url`; null if the reader may no longer see it, and the page leaves. Throws if nobody answers.
// `path`: of what answers, if it is not this page.
export async function fetchPage(url, { path = location.pathname, ...options } = {}) {
  const answer = await request(url, { headers: { "X-Requested-With": "refresh" }, ...options });
  if ((answer.redirected && new URL(answer.url).pathname !== path) || [401, 403, 404].includes(answer.status)) {
    leave();
    return null;
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return readPage(answer);
}

// Update the regions of this page to match `fresh`; returns whether all of them could be.
export function swapRegions(fresh) {
  let all = true;
  for (const region of document.querySelectorAll("[data-live]")) {
    const wanted = fresh.querySelector(`[data-live="${CSS.escape(region.dataset.live)}"]`);
    if (!wanted) continue;
    if (isWriting(region)) all = false;
    else if (morph(region, wanted)) {
      localise(region);
      region.dispatchEvent(new CustomEvent("live:swapped", { bubbles: true }));
    }
  }
  return all;
}

// Bring the regions of this page up to date; `again`: what to call later if somebody was typing in one of them.
// `options`: of the request.
export async function refreshPage(again, options = {}) {
  const fresh = await fetchPage(location.href, options);
  if (fresh && !swapRegions(fresh)) setTimeout(again, LOOK_AGAIN);
}
