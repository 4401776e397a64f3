// How the pages' modules talk to the server: as the signed-in user, bypassing the cache, and with a timeout.

export const JSON_TYPE = "application/json";

export function request(url, { accept = "text/html", headers = {}, patience = 10_000, ...options } = {}) {
  return fetch(url, {
    credentials: "same-origin",
    cache: "no-store",
    headers: { Accept: accept, ...headers },
    signal: AbortSignal.timeout(patience),
    ...options,
  });
}

export const isRefused = (answer) => answer.status === 401 || answer.status === 403;

// The document in `answer`.
export async function readPage(answer) {
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Whoever is signed out is led to the page that asks them to sign in, and that is a good answer to any request.
export const SIGNED_OUT = "You are signed out. Reload the page to sign in again.";
export const asksToSignIn = (page) => page.querySelector("[data-sign-in]") !== null;

// Milliseconds to wait after a number of failures: doubling, with jitter, so that pages do not return all at once.
export function backoff(failures, soonest, latest) {
  return Math.min(latest, soonest * 2 ** failures) * (0.5 + Math.random() / 2);
}
