// A dashboard renews itself when something happens to the tasks that it counts.

import { onEvents, onReset } from "../taskproject/live.js";
import { paced } from "../taskproject/pace.js";
import { refreshPage } from "../taskproject/refresh.js";

const { project } = document.querySelector("[data-live='dashboard']").dataset;

const ask = paced(() => refreshPage(ask), { least: 3000 });

onEvents((events) => {
  if (events.some((event) => event.task !== null && (!project || event.project === project))) ask();
});
onReset(ask);
