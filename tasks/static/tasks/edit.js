// Edits a field of a task where it stands: its link opens the editor there. Without this it leads to a page of its own.
//
// Enter saves, Ctrl+Enter in a text of several lines; Escape leaves, and asks once more where something was typed. The
// region around an open editor is not renewed, and what somebody else saved meanwhile is shown, never overwritten.

import { readPage, request } from "../taskproject/request.js";
import { refreshPage } from "../taskproject/refresh.js";
import { localise } from "../taskproject/times.js";

const FETCH = { "X-Requested-With": "fetch" };
const UNREACHED = "The server did not answer. What you typed is still here; try again.";
const AGAIN = "Press Escape once more to drop what you typed.";
const GONE = "The server refused this. What you typed is still here; copy it and reload the page.";

const fieldsOf = (form) => [...form.querySelectorAll("input:not([type=hidden]), textarea, select")];
const valueNow = (form) => JSON.stringify(fieldsOf(form).map((field) => field.value));

function hold(place, holds) {
  const region = place.closest("[data-live]");
  if (!region) return;
  // The server holds some regions itself.
  if (holds && region.dataset.hold === undefined) region.dataset.hold = "edit";
  else if (!holds && region.dataset.hold === "edit" && !region.querySelector(".edit-form")) delete region.dataset.hold;
}

const again = () => refreshPage(again).catch(() => setTimeout(again, 4_000));

function close(place) {
  place.querySelector(".edit-form")?.remove();
  place.classList.remove("is-editing");
  hold(place, false);
  place.querySelector("[data-edit]")?.focus({ preventScroll: true });
}

function put(place, page) {
  const fresh = page.querySelector("form[data-edit-form]");
  if (!fresh) return false;
  place.querySelector(".edit-form")?.remove();
  const form = document.importNode(fresh, true);
  place.append(form);
  place.classList.add("is-editing");
  hold(place, true);
  localise(form);
  form.dataset.began = valueNow(form);
  const field = fieldsOf(form)[0];
  field?.focus();
  if (field?.select && field.type === "text") field.select();
  if (form.querySelector(".clash")) form.querySelector(".clash").scrollIntoView({ block: "nearest" });
  return true;
}

function explain(form, sentence) {
  form.querySelector(":scope > .edit-said")?.remove();
  const line = document.createElement("p");
  line.className = "field-problem edit-said";
  line.setAttribute("role", "alert");
  line.textContent = sentence;
  form.append(line);
}

async function open(link) {
  const place = link.closest("[data-editable]") ?? link.parentElement;
  if (place.querySelector(".edit-form")) return;
  try {
    const answer = await request(link.href, { headers: FETCH });
    if (put(place, await readPage(answer))) return;
  } catch {
    // The page of the editor says why, or works.
  }
  location.assign(link.href);
}

async function send(form, button) {
  const place = form.parentElement;
  try {
    const body = new FormData(form, button);
    const answer = await request(form.action, { method: "POST", body, headers: FETCH, patience: 15_000 });
    if (answer.status === 204) {
      close(place);
      return again();
    }
    const began = form.dataset.began;
    if (!put(place, await readPage(answer))) return explain(form, GONE);
    // What is refused, or only looked at, is not what it began with.
    place.querySelector(".edit-form").dataset.began = began;
    return undefined;
  } catch {
    return explain(form, UNREACHED);
  }
}

function leave(form) {
  if (valueNow(form) === form.dataset.began || form.dataset.asked !== undefined) {
    close(form.parentElement);
    return again();
  }
  form.dataset.asked = "";
  return explain(form, AGAIN);
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  const cancel = event.target.closest?.("[data-edit-cancel]");
  const link = event.target.closest?.("a[data-edit]");
  const form = cancel?.closest(".is-editing > .edit-form");
  if (form) {
    event.preventDefault();
    close(form.parentElement);
    again();
  } else if (link) {
    event.preventDefault();
    open(link);
  }
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches(".is-editing > form[data-edit-form]")) return;
  event.preventDefault();
  if (form.dataset.sending !== undefined) return;
  form.dataset.sending = "";
  await send(form, event.submitter);
  delete form.dataset.sending;
});

document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.(".is-editing > form[data-edit-form]");
  if (!form || event.defaultPrevented) return;
  if (event.key === "Escape") {
    event.preventDefault();
    leave(form);
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[name=choose_mine]") ?? form.querySelector(".button-primary"));
  } else {
    delete form.dataset.asked;
  }
});

window.addEventListener("beforeunload", (event) => {
  const forms = [...document.querySelectorAll(".is-editing > .edit-form")];
  if (forms.some((form) => valueNow(form) !== form.dataset.began && form.dataset.sending === undefined)) event.preventDefault();
});
