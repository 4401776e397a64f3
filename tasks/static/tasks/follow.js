// Which events concern this page, and what it does about them.

import { onEvents, onReset } from "../messaging/live.js";
import { paced } from "./pace.js";
import { refreshPage } from "./refresh.js";

// What has no event (a lease that was renewed, an agent's last call) is looked at so often.
const LOOK_EVERY = 15_000;
// These may change who waits for whom, without naming all of them.
const RESHAPES = /^task\.(created|edited|imported|reimported|deleted|dependencies_)/;

function whenever(concerns, ask) {
  onEvents((events) => {
    if (events.some(concerns)) ask();
  });
  onReset(ask);
}

function followTask(article) {
  const ask = paced(() => refreshPage(ask), { least: 300 });
  const { ref } = article.dataset;
  const project = ref.slice(0, ref.lastIndexOf("-"));
  whenever((event) => {
    if (event.project !== project) return article.querySelector(`[data-about="${CSS.escape(event.task ?? "")}"]`) !== null;
    if (event.task === null) return true;
    return event.task === ref || RESHAPES.test(event.kind) || article.querySelector(`[data-about="${CSS.escape(event.task)}"]`) !== null;
  }, ask);
  setInterval(() => article.querySelector("[data-lease]") && ask(), LOOK_EVERY);
}

function followAgents() {
  const ask = paced(() => refreshPage(ask), { least: 1000 });
  whenever(() => true, ask);
  setInterval(ask, LOOK_EVERY);
}

function followBoard() {
  const ask = paced(() => refreshPage(ask));
  whenever((event) => event.task !== null || event.kind.startsWith("project."), ask);
}

export function follow() {
  const article = document.querySelector("article.task[data-ref]");
  if (article) followTask(article);
  else if (document.querySelector("[data-live='agents']")) followAgents();
  else if (document.querySelector("[data-live='board']")) followBoard();
}
