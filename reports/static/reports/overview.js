// The overview of reports opens without figures, however much there is to count. Each card asks for its own once it has
// come near what the reader sees, two at a time, and again when something has happened to tasks; hidden pages ask nothing.

import { onEvents, onReset } from "../taskproject/live.js";
import { morph } from "../taskproject/morph.js";
import { paced } from "../taskproject/pace.js";
import { fetchPage } from "../taskproject/refresh.js";
import { backoff } from "../taskproject/request.js";

const AT_ONCE = 2;
const NEAR = "300px 0px";
// Longer than the server gives a report.
const PATIENCE = 90_000;
const RENEW = { least: 5_000, most: 60_000 };
const SOONEST_RETRY = 1_000;
const LATEST_RETRY = 60_000;

const { searchParams } = new URL(location.href);
const project = searchParams.get("project")?.toUpperCase();
const cards = [...document.querySelectorAll("[data-figures]")];
const due = new Set(cards);
const near = new Set();
let busy = 0;
let failures = 0;

async function load(card) {
  const { figures } = card.dataset;
  try {
    const page = await fetchPage(figures, { path: new URL(figures, location.href).pathname, patience: PATIENCE });
    const fresh = page?.querySelector(".report-card-figures");
    if (!fresh) return;
    fresh.dataset.figures = figures;
    morph(card, fresh);
    failures = 0;
  } catch {
    due.add(card);
    failures += 1;
    // Figures that were there stay; a card without any goes on to say that it waits for them.
    await new Promise((resolve) => setTimeout(resolve, backoff(failures, SOONEST_RETRY, LATEST_RETRY)));
  }
}

async function work() {
  if (busy === AT_ONCE) return;
  busy += 1;
  for (;;) {
    const card = document.hidden ? undefined : cards.find((each) => due.has(each) && near.has(each));
    if (!card) break;
    due.delete(card);
    await load(card);
  }
  busy -= 1;
}

const fill = () => Promise.all(Array.from({ length: AT_ONCE }, work));

const renew = paced(() => {
  for (const card of cards) due.add(card);
  return fill();
}, RENEW);

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) near.add(target);
    else near.delete(target);
  }
  fill();
}, { rootMargin: NEAR });

for (const card of cards) {
  card.hidden = false;
  card.setAttribute("aria-busy", "true");
  sight.observe(card);
}
document.addEventListener("visibilitychange", fill);
onEvents((events) => {
  if (events.some((event) => event.task !== null && (!project || event.project === project))) renew();
});
onReset(renew);
