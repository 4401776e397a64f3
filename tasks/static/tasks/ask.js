// A card's badge opens its task's questions in a dialog, to be answered on the board; without this it is a link.

import { readPage, request } from "../taskproject/request.js";
import { onSent, say } from "../taskproject/sending.js";
import { localise } from "../taskproject/times.js";

const dialog = document.querySelector("[data-questions-dialog]");
const content = dialog?.querySelector("[data-questions-here]");

function show(page, ref) {
  const open = page.querySelector(".task-questions");
  if (!open) return dialog.close();
  dialog.querySelector("h2").textContent = `Questions about ${ref}`;
  content.replaceChildren(document.importNode(open, true));
  localise(content);
  if (!dialog.open) dialog.showModal();
  return content.querySelector("[data-act], textarea, input:not([type=hidden]), select")?.focus();
}

async function ask(link) {
  const { ref } = link.closest("[data-ref]").dataset;
  dialog.dataset.for = ref;
  try {
    const answer = await request(`/tasks/${encodeURIComponent(ref)}/questions`);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await readPage(answer), ref);
  } catch {
    say("The server did not answer. Open the task instead.", { refusal: true });
  }
}

if (dialog) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-questions]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    ask(link);
  });
  dialog.addEventListener("close", () => {
    document.querySelector(`[data-ref="${CSS.escape(dialog.dataset.for)}"] a`)?.focus({ preventScroll: true });
  });
  onSent((result, form) => {
    if (dialog.contains(form) && result.done && result.page) show(result.page, dialog.dataset.for);
  });
}
