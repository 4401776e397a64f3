// The page's one client of the event stream: /ws/events, from the cursor at which the server made the page, so that
// page + events = a fresh page. Reconnects by itself with nothing missed; polls over HTTP if no socket opens.
//
//   onEvents((events) => …)  events in order, each once
//   onReset(() => …)         what was missed is no longer replayed: reload what you show
//   onSignal("typing", …)    what passes by and is stored nowhere; only over a socket
//   signal({ … })            the same from here

import { backoff, isRefused, JSON_TYPE, request } from "./request.js";

const HELLO_WITHIN = 10_000;
const SOONEST_RETRY = 300;
const LATEST_RETRY = 10_000;
// A page that never had a socket polls over HTTP at once; one that had, only after this many failed tries.
const TRIES_BEFORE_POLLING = 5;
const POLL_EVERY = 3_000;
const SOCKET_AGAIN = 60_000;
// A connection that was cut silently looks like a quiet one: after this long, or after sleep, replace it.
const QUIET_FOR = 60_000;
const TICK = 5_000;
const SLEPT = 75_000;
const HIDDEN_FOR = 20_000;
// A drop shorter than this is not shown.
const GRACE = 800;
const WORDS = { live: "Live", away: "Reconnecting…", ended: "Signed out" };
const SIGNED_OUT = 4401;
const BAD_CURSOR = 4400;

const subscribers = { events: new Set(), reset: new Set() };
// The server sends only the signals that the page asks for.
const signals = new Map();
const badge = document.querySelector("[data-live-state]");

let cursor = document.body.dataset.cursor || "";
let socket = null;
let hadSocket = false;
let failures = 0;
let polling = false;
let ended = false;
let leaving = null;
let timer = 0;
let grace = 0;
let heard = Date.now();
let ticked = Date.now();
let hiddenAt = 0;
let triedSocketAt = 0;

function subscribe(kind, callback) {
  subscribers[kind].add(callback);
  return () => subscribers[kind].delete(callback);
}

export const onEvents = (callback) => subscribe("events", callback);
export const onReset = (callback) => subscribe("reset", callback);

export function onSignal(type, callback) {
  signals.set(type, callback);
}

export function signal(frame) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

function notify(kind, ...args) {
  for (const callback of subscribers[kind]) {
    try {
      callback(...args);
    } catch (error) {
      reportError(error);
    }
  }
}

function show(state) {
  clearTimeout(grace);
  grace = 0;
  if (!badge || badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.querySelector("[data-live-text]").textContent = WORDS[state];
  badge.hidden = false;
}

function showAwaySoon() {
  grace ||= setTimeout(show, GRACE, "away");
}

function reach(place, events) {
  const isReset = cursor === "";
  heard = Date.now();
  cursor = place;
  if (isReset) notify("reset");
  else if (events.length) notify("events", events);
}

function hear(frame) {
  if (frame.type === "hello") {
    hadSocket = true;
    failures = 0;
    show("live");
    reach(frame.cursor, []);
  } else if (frame.type === "events") {
    reach(frame.cursor, frame.events);
  } else if (frame.type === "reset") {
    cursor = "";
  } else {
    signals.get(frame.type)?.(frame);
  }
}

function end() {
  // Signed out, here or elsewhere. A subscriber that reloads finds out and leads to the login.
  ended = true;
  clearTimeout(timer);
  show("ended");
  notify("reset");
}

// The page is signing out: what would be refused from here on is no news. If it stays after all, it follows again.
function leave() {
  ended = true;
  hangUp();
  leaving?.abort();
  clearTimeout(timer);
  setTimeout(stay, LATEST_RETRY);
}

function stay() {
  ended = false;
  connect();
}

function again(wait) {
  clearTimeout(timer);
  timer = setTimeout(connect, wait);
}

const retryWait = () => backoff(failures, SOONEST_RETRY, LATEST_RETRY);

function closed(code) {
  socket = null;
  if (ended) return;
  if (code === SIGNED_OUT) return end();
  showAwaySoon();
  if (code === BAD_CURSOR) cursor = "";
  const wait = retryWait();
  failures += 1;
  if (failures > (hadSocket ? TRIES_BEFORE_POLLING : 0)) poll();
  else again(wait);
}

function openSocket() {
  triedSocketAt = Date.now();
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = new URLSearchParams();
  if (cursor) query.set("after", cursor);
  if (signals.size) query.set("signals", [...signals.keys()].join(","));
  let mine;
  try {
    mine = new WebSocket(`${scheme}://${location.host}/ws/events?${query}`);
  } catch {
    return closed(0);
  }
  socket = mine;
  const deadline = setTimeout(() => mine === socket && drop(), HELLO_WITHIN);
  mine.addEventListener("message", ({ data }) => {
    if (mine !== socket) return;
    clearTimeout(deadline);
    hear(JSON.parse(data));
  });
  mine.addEventListener("close", ({ code }) => {
    clearTimeout(deadline);
    if (mine === socket) closed(code);
  });
}

// Close the socket; whatever it still sends is ignored.
function hangUp() {
  const old = socket;
  socket = null;
  old?.close();
}

function drop() {
  hangUp();
  closed(0);
}

async function poll() {
  if (polling) return;
  polling = true;
  clearTimeout(timer);
  leaving = new AbortController();
  const patience = setTimeout(() => leaving.abort(), HELLO_WITHIN);
  try {
    const after = encodeURIComponent(cursor || "now");
    const answer = await request(`/api/v1/events?limit=1000&after=${after}`, {
      accept: JSON_TYPE,
      signal: leaving.signal,
    });
    if (isRefused(answer)) return end();
    if (answer.status === 400 || answer.status === 410) cursor = "";
    else if (!answer.ok) throw new Error(`status ${answer.status}`);
    else {
      const page = await answer.json();
      show("live");
      reach(page.cursor, page.events);
    }
    again(cursor === "" ? 0 : POLL_EVERY);
  } catch {
    if (ended) return;
    showAwaySoon();
    failures += 1;
    again(retryWait());
  } finally {
    clearTimeout(patience);
    polling = false;
  }
}

function connect() {
  clearTimeout(timer);
  if (ended || socket || polling) return;
  const socketIsDue = Date.now() - triedSocketAt > SOCKET_AGAIN;
  if (failures <= (hadSocket ? TRIES_BEFORE_POLLING : 0) || socketIsDue) openSocket();
  else if (!document.hidden) poll();
}

// Replace the connection, from the cursor: nothing is lost, whatever happened to the old one.
function wake() {
  if (ended) return;
  hangUp();
  heard = Date.now();
  if (hadSocket) failures = 0;
  connect();
}

function tick() {
  const now = Date.now();
  const slept = now - ticked > SLEPT;
  ticked = now;
  if (slept || (socket && !document.hidden && now - heard > QUIET_FOR)) wake();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = Date.now();
  else if (!socket || Date.now() - hiddenAt > HIDDEN_FOR) wake();
});
window.addEventListener("online", wake);
window.addEventListener("offline", () => {
  hangUp();
  show("away");
  again(SOONEST_RETRY);
});
document.addEventListener("submit", ({ target }) => target.matches("[data-signs-out]") && leave());
window.addEventListener("pageshow", ({ persisted }) => persisted && wake());
setInterval(tick, TICK);

// After all modules of the page have run, so that none subscribes too late.
if (document.readyState === "complete") connect();
else window.addEventListener("DOMContentLoaded", connect);
