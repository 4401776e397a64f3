// A dashboard renews itself when something happens to the tasks that it counts.

import { onEvents, onReset } from "../taskproject/live.js";
import { paced } from "../taskproject/pace.js";
import { refreshPage } from "../taskproject/refresh.js";

// Longer than the server gives a slow report: many of them are in one answer.
const PATIENCE = 90_000;
const RENEW = { least: 5_000, most: 60_000 };

const { project } = document.querySelector("[data-live='dashboard']").dataset;

const ask = paced(() => refreshPage(ask, { patience: PATIENCE }), RENEW);

onEvents((events) => {
  if (events.some((event) => event.task !== null && (!project || event.project === project))) ask();
});
onReset(ask);
