// *New task* opens its form in a dialog on the page where one is; without this it is a link to a page of its own.
//
// What was typed stays when the dialog is closed, by whatever key, until the task is created or the page is left.

import { readPage, request } from "../taskproject/request.js";
import { localise } from "../taskproject/times.js";
import { notify } from "./created.js";
import "./quick_add.js";
import { forget, show as showReading } from "./reading.js";

const UNREACHED = "The server did not answer. Try again; the task is created once, however often you send it.";
const FETCH = { "X-Requested-With": "fetch" };

let dialog = null;
let opener = null;
// The draft of another task, while a link that names its own title has the dialog.
let aside = null;

const formOf = () => dialog?.querySelector("form[data-new-task-form]");
const typed = (form) => [...form.elements].some((field) => field.matches("input[type=text], textarea") && field.value.trim() !== field.defaultValue.trim());

// What a link says of the new task; where it leads back to is no part of that.
function saidBy(link) {
  const said = new URL(link.href).searchParams;
  said.delete("next");
  return said;
}

const isFilledBy = (form, said) => [...said].every(([name, text]) => name === "project" && form.elements.project.value === text);

// Words go along into the form that a link has filled in, where that says nothing else.
function carry(draft, form) {
  for (const field of form.elements) {
    const before = field.name && draft.elements[field.name];
    if (before && !field.value && field.matches("input:not([type=hidden]), textarea, select")) field.value = before.value;
  }
}

function build() {
  dialog = document.createElement("dialog");
  dialog.className = "new-task-dialog";
  dialog.setAttribute("aria-labelledby", "new-task-title");
  const head = document.createElement("div");
  head.className = "new-task-head";
  const title = document.createElement("h2");
  title.id = "new-task-title";
  title.textContent = "New task";
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button button-quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  head.append(title, close);
  const here = document.createElement("div");
  here.dataset.here = "";
  dialog.append(head, here);
  dialog.addEventListener("close", () => {
    const link = document.querySelector("[data-new-task][data-shortcut]");
    link?.toggleAttribute("data-draft", formOf() !== null && formOf() !== undefined && typed(formOf()));
    if (opener?.isConnected) opener.focus({ preventScroll: true });
  });
  document.body.append(dialog);
}

function put(...nodes) {
  const here = dialog.querySelector("[data-here]");
  here.replaceChildren(...nodes.filter(Boolean).map((node) => document.importNode(node, true)));
  localise(here);
  const form = formOf();
  (form?.querySelector("[aria-invalid=true]") ?? form?.elements.title)?.focus();
}

async function open(link) {
  opener = link;
  if (!dialog) build();
  const said = saidBy(link);
  const draft = [formOf(), aside].find((form) => form && typed(form));
  const isOther = said.has("title");
  if (draft && !isOther && isFilledBy(draft, said)) {
    if (draft === aside) {
      aside = null;
      dialog.querySelector("[data-here]").replaceChildren(draft);
    }
    dialog.showModal();
    return draft.elements.title.focus();
  }
  try {
    const answer = await request(link.href, { headers: FETCH });
    const page = await readPage(answer);
    const fresh = page.querySelector("form[data-new-task-form]");
    if (!answer.ok || !fresh) throw new Error(`status ${answer.status}`);
    if (!dialog.open) dialog.showModal();
    put(fresh);
    aside = isOther ? draft : null;
    if (draft && !isOther) carry(draft, formOf());
    return undefined;
  } catch {
    return location.assign(link.href);
  }
}

function explain(form, sentence) {
  form.querySelector(":scope > .notice-error")?.remove();
  const line = document.createElement("p");
  line.className = "notice notice-error";
  line.setAttribute("role", "alert");
  line.textContent = sentence;
  form.prepend(line);
  line.scrollIntoView({ block: "nearest" });
}

async function send(form, button) {
  try {
    const body = new FormData(form, button);
    const answer = await request(form.action, { method: "POST", body, headers: FETCH, patience: 15_000 });
    const page = await readPage(answer);
    const fresh = page.querySelector("form[data-new-task-form]");
    if (answer.status === 201 && fresh) return put(page.querySelector("[data-created]"), fresh);
    if (answer.status === 201) {
      form.remove();
      dialog.close();
      return notify(page);
    }
    if (fresh) return put(fresh);
    return explain(form, "The server refused this. What you typed is still here; copy it and reload the page.");
  } catch {
    return explain(form, UNREACHED);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-new-task]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  // The page of the form is the form already.
  if (document.querySelector(".new-task-page")) return;
  event.preventDefault();
  if (!dialog?.open) open(link);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-new-task-form]")) return;
  const isCheck = event.submitter?.dataset.check !== undefined;
  if (isCheck) {
    event.preventDefault();
    return showReading(form, { preview: true });
  }
  if (!dialog?.contains(form)) return undefined;
  event.preventDefault();
  if (form.dataset.sending !== undefined) return undefined;
  form.dataset.sending = "";
  forget(form);
  await send(form, event.submitter);
  return delete form.dataset.sending;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.form;
  if (!form?.matches("form[data-new-task-form]")) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector(".button-primary"));
});

window.addEventListener("beforeunload", (event) => {
  if ([formOf(), aside].some((form) => form && typed(form) && form.dataset.sending === undefined)) event.preventDefault();
});
