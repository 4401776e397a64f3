// Shows what the title of a new task says while it is typed, as the server reads it.

import { request } from "../taskproject/request.js";
import { localise } from "../taskproject/times.js";

const URL_OF_READING = "/tasks/new/reading";
const PAUSE = 250;
// Anything that may say more than a title.
const SAYS_MORE = /(^|\s)([!@#+^\\]\S|due:)/i;

const timers = new WeakMap();
const turns = new WeakMap();

export function forget(form) {
  clearTimeout(timers.get(form));
  turns.set(form, (turns.get(form) ?? 0) + 1);
  form.querySelector("[data-reading]")?.replaceChildren();
}

// Ask at once; `preview`: the description too. What comes after a newer question, or after the form was sent, is dropped.
export async function show(form, { preview = false } = {}) {
  clearTimeout(timers.get(form));
  const place = form.querySelector("[data-reading]");
  const turn = (turns.get(form) ?? 0) + 1;
  turns.set(form, turn);
  const body = new FormData(form);
  if (preview) body.set("preview", "1");
  try {
    const answer = await request(URL_OF_READING, { method: "POST", body });
    if (!answer.ok || turns.get(form) !== turn) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    if (turns.get(form) !== turn) return;
    place.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    localise(place);
  } catch {
    // Nobody is kept from creating a task by a server that is slow to say what it will read.
  }
}

function soon(form) {
  clearTimeout(timers.get(form));
  const preview = form.querySelector("[data-preview]") !== null;
  if (!preview && !SAYS_MORE.test(form.elements.title.value)) return forget(form);
  timers.set(form, setTimeout(() => show(form, { preview }), PAUSE));
}

document.addEventListener("input", ({ target }) => {
  const form = target.form;
  if (form?.matches("[data-new-task-form], [data-quick-add]")) soon(form);
});
