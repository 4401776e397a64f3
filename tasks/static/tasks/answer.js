// Answering a question where it is shown: one click, or Ctrl+Enter in a text; the page then shows what came of it.

import { onSent } from "../taskproject/sending.js";
import { refreshPage, swapRegions } from "../taskproject/refresh.js";

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest?.("form[data-answer]");
  // Only where it is clear which button is meant.
  const buttons = form ? form.querySelectorAll("button") : [];
  if (buttons.length !== 1) return;
  event.preventDefault();
  form.requestSubmit(buttons[0]);
});

// Which control asks the same in both pages: a refused answer keeps its place, its reason and what was typed.
function showRefusal(form, page) {
  const old = form.closest("[data-question]");
  const fresh = old && page?.querySelector(`[data-question="${CSS.escape(old.dataset.question)}"]`);
  if (!fresh) return;
  const node = document.importNode(fresh, true);
  old.replaceWith(node);
  node.setAttribute("tabindex", "-1");
  node.focus({ preventScroll: true });
}

onSent((result, form) => {
  if (form.dataset.answer === undefined) return;
  if (!result.done) return showRefusal(form, result.page);
  form.reset();
  if (form.contains(document.activeElement)) document.activeElement.blur();
  // The inbox and the board's dialog have their own ways to go on.
  if (document.querySelector("[data-live='inbox']") || form.closest("dialog")) return undefined;
  if (result.page && new URL(result.url).pathname === location.pathname) return swapRegions(result.page);
  const again = () => refreshPage(again);
  return again();
});
