// The line at the foot of a column or list: Enter creates a task and leaves the line ready for the next.

import { readPage, request } from "../taskproject/request.js";
import { notify } from "./created.js";
import { forget } from "./reading.js";

const UNREACHED = "The server did not answer. Try again; the task is created once, however often you send it.";

// As the server makes them; crypto.randomUUID is missing where a page comes by plain HTTP.
function freshKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function explain(form, sentence) {
  forget(form);
  const line = document.createElement("p");
  line.className = "field-problem";
  line.setAttribute("role", "alert");
  line.textContent = sentence;
  form.querySelector("[data-reading]").append(line);
}

async function send(form) {
  const sent = form.elements.title.value;
  try {
    const answer = await request(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { "X-Requested-With": "fetch" },
      patience: 15_000,
    });
    const page = await readPage(answer);
    if (answer.status === 201) {
      form.elements.key.value = freshKey();
      // What was typed meanwhile is the next task.
      if (form.elements.title.value === sent) form.elements.title.value = "";
      forget(form);
      return notify(page);
    }
    if (page.querySelector("[name=key]")) form.elements.key.value = page.querySelector("[name=key]").value;
    const problem = page.querySelector("[role=alert], .field-problem");
    return explain(form, problem?.textContent.trim() || "The server refused this. Reload the page and try again.");
  } catch {
    return explain(form, UNREACHED);
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-quick-add]")) return;
  event.preventDefault();
  if (form.dataset.sending !== undefined) return;
  form.dataset.sending = "";
  await send(form);
  delete form.dataset.sending;
});

document.addEventListener("keydown", (event) => {
  const form = event.target.form;
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (form?.matches("[data-quick-add]") && event.target.name === "title") event.target.blur();
});
