// Sends a form without leaving the page: the server's sentence about the outcome is said in the page's toast.
//
// A form with data-in-place is sent so by itself. `onSent((result, form) => …)` is told the outcome: whether it was
// done, the sentence, and the page that the server led to. Without this module the form works as any other.

import { SIGNED_OUT, asksToSignIn, readPage, request } from "./request.js";

const FORGET = 8_000;
const PATIENCE = 15_000;
const UNREACHED = "The server did not answer. Look again before you try again.";

const subscribers = new Set();
let toastTimer = 0;

export function say(sentence, { refusal = false } = {}) {
  const toast = document.querySelector("[data-toast]");
  clearTimeout(toastTimer);
  toast.textContent = sentence;
  toast.classList.toggle("is-refusal", refusal);
  toastTimer = setTimeout(() => {
    toast.textContent = "";
  }, FORGET);
}

// The outcome: whether it was done, the server's sentence, and its page.
export async function send(form, button = null, unreached = UNREACHED) {
  try {
    const body = new FormData(form, button);
    const answer = await request(form.action, { method: "POST", body, patience: PATIENCE });
    const page = await readPage(answer);
    if (asksToSignIn(page)) return { done: false, sentence: SIGNED_OUT, page: null, url: "" };
    const refused = !answer.ok || page.querySelector(".notices .notice-error") !== null;
    const notice = page.querySelector(answer.ok ? ".notices .notice" : ".task-problem, .center-card p:not(.ref)");
    const otherwise = refused ? "The server refused this." : "Done.";
    return { done: !refused, sentence: notice?.textContent.trim() || otherwise, page, url: answer.url };
  } catch {
    return { done: false, sentence: unreached, page: null, url: "" };
  }
}

export function onSent(callback) {
  subscribers.add(callback);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-in-place]") || !document.querySelector("[data-toast]") || !subscribers.size) return;
  event.preventDefault();
  // A second click would be a second answer.
  if (form.dataset.sending !== undefined) return;
  form.dataset.sending = "";
  const result = await send(form, event.submitter);
  delete form.dataset.sending;
  say(result.sentence, { refusal: !result.done });
  for (const callback of subscribers) callback(result, form);
});
