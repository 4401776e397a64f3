// Which events concern this page of tasks or agents, and what it does about them.

import { onEvents, onReset } from "../taskproject/live.js";
import { paced } from "../taskproject/pace.js";
import { fetchPage, refreshPage, swapRegions } from "../taskproject/refresh.js";
import { letChoose } from "./choices.js";
import { letFilter } from "./filter.js";
import { letMove } from "./move.js";

// How often to refresh what has no event (a renewed lease, an agent's last call).
const LOOK_EVERY = 15_000;
const CHANGES = "/board/changes";
const MOST_REFS = 100;
// These may change which tasks wait for which, without naming all of them.
const RESHAPES = new Set([
  "task.created",
  "task.edited",
  "task.imported",
  "task.reimported",
  "task.deleted",
  "task.dependencies_added",
  "task.dependencies_removed",
]);
// These may change what the board offers at all.
const OF_THE_TEAM = ["project.", "member."];
// The bell follows these by itself.
const OF_THE_BELL = "notification.";

function whenever(concerns, ask) {
  onEvents((events) => {
    if (events.some((event) => !event.kind.startsWith(OF_THE_BELL) && concerns(event))) ask();
  });
  onReset(ask);
}

function followTask(article) {
  const ask = paced(() => refreshPage(ask), { least: 300 });
  const { ref, project } = article.dataset;
  const isShown = (task) => task !== null && article.querySelector(`[data-about="${CSS.escape(task)}"]`) !== null;
  whenever((event) => {
    if (event.project !== project) return isShown(event.task);
    return event.task === null || event.task === ref || RESHAPES.has(event.kind) || isShown(event.task);
  }, ask);
  document.addEventListener("messages:sent", ask);
  setInterval(() => article.querySelector("[data-lease]") && ask(), LOOK_EVERY);
}

function followAgents() {
  const ask = paced(() => refreshPage(ask), { least: 1000 });
  whenever(() => true, ask);
  setInterval(ask, LOOK_EVERY);
}

function followList() {
  const ask = paced(() => refreshPage(ask), { least: 2000 });
  whenever((event) => event.task !== null, ask);
}

function followBoard() {
  const changed = new Set();
  let everything = false;

  const ask = paced(async () => {
    const refs = [...changed];
    const whole = everything || refs.length > MOST_REFS;
    changed.clear();
    everything = false;
    try {
      if (whole) return await refreshPage(askForAll);
      const fresh = await fetchPage(changesUrl(refs), { path: CHANGES });
      if (!fresh) return;
      for (const ref of unknownIn(fresh)) changed.add(ref);
      swapRegions(fresh);
    } catch (error) {
      for (const ref of refs) changed.add(ref);
      everything ||= whole;
      throw error;
    }
    if (changed.size) ask();
  }, { least: 150, most: 1500 });

  const askForAll = () => {
    everything = true;
    ask();
  };

  letChoose(askForAll);
  letFilter(askForAll);
  letMove((ref) => {
    changed.add(ref);
    ask();
  });
  onReset(askForAll);
  onEvents((events) => {
    const { project } = document.querySelector("[data-live='board']").dataset;
    for (const event of events) {
      if (project && event.project !== project) continue;
      if (event.task !== null) changed.add(event.task);
      else if (OF_THE_TEAM.some((beginning) => event.kind.startsWith(beginning))) everything = true;
    }
    if (changed.size || everything) ask();
  });
}

function changesUrl(refs) {
  const query = new URLSearchParams(location.search);
  query.set("refs", refs.join(","));
  if (document.querySelector(".first-steps")) query.set("steps", "1");
  return `${CHANGES}?${query}`;
}

// Cards that have moved up into view: marked as kept, but not yet on this page.
function unknownIn(fresh) {
  const region = document.querySelector("[data-live='board']");
  const refs = [...fresh.querySelectorAll("[data-kept]")].map((card) => card.dataset.ref);
  return refs.filter((ref) => !region.querySelector(`[data-ref="${CSS.escape(ref)}"]`));
}

const article = document.querySelector("article.task[data-ref]");
if (article) followTask(article);
else if (document.querySelector("[data-live='agents'], [data-live='agent-work']")) followAgents();
else if (document.querySelector("[data-live='board']")) followBoard();
else if (document.querySelector("[data-live='list']")) followList();
