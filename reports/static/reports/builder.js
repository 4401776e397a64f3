// The builder: what is chosen is shown at once, and the page's address follows. Without this the button *Show* does it.

import { morph } from "../taskproject/morph.js";
import { readPage, request } from "../taskproject/request.js";

const AFTER_TYPING = 600;
const AFTER_CHOOSING = 150;
// Longer than the server gives a report: its sentence about a slow one is shown.
const PATIENCE = 40_000;

const form = document.querySelector("[data-builder]");
const preview = document.querySelector("[data-builder-preview]");
const status = document.querySelector("[data-builder-status]");

let timer = 0;
let asked = 0;

// The address of what is in the fields, as the browser itself would send it.
function addressOf(button) {
  const fields = new FormData(form, button);
  return `${location.pathname}?${new URLSearchParams(fields)}`;
}

function say(sentence) {
  if (status.textContent !== sentence) status.textContent = sentence;
}

// What is saved is what is shown.
function takeDefinition(fresh) {
  const wanted = fresh.querySelector("[data-builder-save] [name=definition]");
  for (const field of document.querySelectorAll("[data-builder-save] [name=definition]")) {
    if (wanted) field.value = wanted.value;
  }
}

function takeForm(fresh, button) {
  const wanted = fresh.querySelector("[data-builder]");
  if (!wanted) return;
  if (!button) {
    morph(form, wanted);
    return;
  }
  // A row came or went: fields of the same name hold something else now.
  const before = form.querySelectorAll(".builder-condition").length;
  form.replaceChildren(...[...wanted.childNodes].map((node) => document.importNode(node, true)));
  const rows = form.querySelectorAll(".builder-condition");
  const added = rows.length > before ? rows[rows.length - 1] : null;
  const next = added?.querySelector(".builder-values input, .builder-values select") ?? added?.querySelector("select");
  (next ?? form.querySelector("#b-field") ?? form.querySelector("#b-facts")).focus();
}

async function show(button = null) {
  clearTimeout(timer);
  timer = 0;
  const number = ++asked;
  preview.setAttribute("aria-busy", "true");
  const address = addressOf(button);
  const facts = form.elements.facts.value;
  const isOther = facts !== form.elements.was.value;
  try {
    const answer = await request(address, { patience: PATIENCE });
    if (number !== asked) return;
    const fresh = await readPage(answer);
    if (number !== asked) return;
    const wanted = fresh.querySelector("[data-builder-preview]");
    if (!wanted) {
      // Signed out, or refused: the server's own page says so.
      location.assign(address);
      return;
    }
    const held = document.activeElement?.id;
    takeForm(fresh, button ?? isOther);
    if (!button && isOther && held) document.getElementById(held)?.focus();
    preview.replaceChildren(...[...wanted.childNodes].map((node) => document.importNode(node, true)));
    takeDefinition(fresh);
    history.replaceState(history.state, "", answer.url);
    const problem = preview.querySelector(".notice-error");
    say(problem ? problem.textContent.trim() : `Shown: ${preview.querySelector("[data-summary]")?.textContent.trim() ?? ""}`);
  } catch {
    if (number === asked) say("The server did not answer; press Show to try again.");
  } finally {
    if (number === asked) preview.removeAttribute("aria-busy");
  }
}

function later(delay) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    show();
  }, delay);
}

if (form && preview) {
  form.addEventListener("input", (event) => {
    if (event.target.id === "b-field") return;
    later(event.target.matches("input:not([type=checkbox], [type=date])") ? AFTER_TYPING : AFTER_CHOOSING);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter?.name ? event.submitter : null;
    show(button);
  });
  // A page that the browser brings back is sending nothing.
  addEventListener("pageshow", () => {
    for (const save of document.querySelectorAll("[data-builder-save]")) delete save.dataset.sending;
  });
  // Fields that changed a moment ago are saved too.
  for (const save of document.querySelectorAll("[data-builder-save]")) {
    save.addEventListener("submit", async (event) => {
      if (save.dataset.sending !== undefined) {
        event.preventDefault();
        return;
      }
      save.dataset.sending = "";
      if (!preview.hasAttribute("aria-busy") && !timer) return;
      event.preventDefault();
      const button = event.submitter;
      await show();
      delete save.dataset.sending;
      save.requestSubmit(button);
    });
  }
}
