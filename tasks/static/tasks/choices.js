// How the reader likes the board: folded columns and lanes and compact cards change at once, and are kept by the server.

import { request } from "../taskproject/request.js";
import { say } from "../taskproject/sending.js";

const UNREACHED = "The server did not answer, so this choice is not kept.";

function show(button, folds) {
  const [name] = button.value.split(":");
  const lane = button.closest(".lane");
  const column = button.closest("[data-column]");
  if (lane) {
    lane.classList.toggle("is-closed", folds);
    button.setAttribute("aria-expanded", String(!folds));
    return;
  }
  if (column) {
    column.classList.toggle("is-folded", folds);
    button.setAttribute("aria-expanded", String(!folds));
    return;
  }
  const compact = name === "compact";
  document.querySelector(".board")?.classList.toggle("is-compact", compact);
  button.setAttribute("aria-pressed", String(compact));
  button.value = compact ? "full" : "compact";
}

async function keep(choice, form) {
  const body = new FormData(form);
  body.set("choose", choice);
  const answer = await request(form.action, { method: "POST", body, headers: { "X-Requested-With": "choice" } });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
}

// `onChosen()` is called once the server knows, so that the board brings the cards of a column that was opened.
export function letChoose(onChosen) {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-choice]");
    if (!button?.form) return;
    event.preventDefault();
    const choice = button.value;
    show(button, choice.startsWith("fold"));
    button.closest("[data-column]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    try {
      await keep(choice, button.form);
    } catch {
      say(UNREACHED, { refusal: true });
    }
    onChosen();
  });
}
