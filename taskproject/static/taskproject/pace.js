// Runs work soon after it was requested, never twice at once: a burst of events costs a few runs, not one each.
// After a run it rests for a multiple of what the run took, so that a busy server gets fewer requests; in a long
// stream of news the rests grow from `least` to `most` milliseconds. Hidden pages wait.

import { backoff } from "./request.js";

const SOON = 60;
const REST = 3;
const LONGEST_REST = 5_000;
const QUIET = 2_000;
const SOONEST_RETRY = 500;
const LATEST_RETRY = 15_000;

export function paced(work, { least = 0, most = least } = {}) {
  let timer = 0;
  let wanted = false;
  let running = false;
  let failures = 0;
  let free = 0;
  let rest = least;
  let lastRun = 0;

  async function run() {
    timer = 0;
    if (running || !wanted || document.hidden) return;
    wanted = false;
    running = true;
    const began = performance.now();
    rest = began - lastRun > QUIET ? least : Math.min(most, rest * 1.5);
    lastRun = began;
    try {
      await work();
      failures = 0;
      const took = performance.now() - began;
      free = performance.now() + Math.max(rest, Math.min(LONGEST_REST, REST * took));
    } catch {
      wanted = true;
      failures += 1;
      free = performance.now() + backoff(failures, SOONEST_RETRY, LATEST_RETRY);
    } finally {
      running = false;
    }
    schedule();
  }

  function schedule() {
    if (!wanted || running || timer) return;
    timer = setTimeout(run, Math.max(SOON, free - performance.now()));
  }

  document.addEventListener("visibilitychange", schedule);
  return () => {
    wanted = true;
    schedule();
  };
}
