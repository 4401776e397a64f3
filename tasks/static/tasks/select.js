// Selecting rows of the list: with the mouse, with shift a range, with the arrow keys between the boxes (with shift they
// take rows along), all rows of the page, or all tasks that match. What is selected stays when the list refreshes, and is
// there again when the reader comes back.
//
// A row is [data-task-row] with data-ref, its box [data-select] in it; a click on the box, with shift or without, is all
// that other modules need. The row says aria-selected. "selection:changed" bubbles from the form when anything changes.

// Escape in a field that takes text is the field's.
const FIELDS = "input:not([type=checkbox]), textarea, select";

const form = document.querySelector("form[data-selection]");
const selected = new Set();
let anchor = null;
let isAll = false;

const rows = () => [...document.querySelectorAll("[data-task-row]")];
const boxOf = (row) => row.querySelector("[data-select]");
const part = (name) => form.querySelector(`[${name}]`);

// With the list's entry in the history, so each window and each step of it has a selection of its own.
function keep() {
  const selection = selected.size ? { refs: [...selected], isAll } : null;
  try {
    history.replaceState({ ...history.state, selection }, "");
  } catch {
    // Browsers refuse many changes in a few seconds; the next is kept.
  }
}

function say() {
  const count = selected.size;
  const shown = rows();
  const all = part("data-select-all");
  const whole = document.querySelector("[data-select-page]");
  part("data-all").value = isAll ? "1" : "";
  part("data-selected").textContent = isAll
    ? all.textContent.trim().replace(/^Select all/, "All").replace(/that match$/, "that match are selected")
    : `${count} selected`;
  const isWhole = count > 0 && shown.every((row) => selected.has(row.dataset.ref));
  if (all) all.hidden = isAll || !isWhole || !document.querySelector("[rel=next], [rel=prev], [data-more-match]");
  part("data-select-none").hidden = count === 0;
  form.hidden = count === 0;
  if (whole) {
    whole.checked = isWhole;
    whole.indeterminate = count > 0 && !isWhole;
  }
  keep();
  form.dispatchEvent(new CustomEvent("selection:changed", { bubbles: true, detail: { count, isAll } }));
}

function mark({ dataset: { ref } }, on) {
  // In groups by label a task may stand twice.
  for (const row of rows().filter((each) => each.dataset.ref === ref)) {
    const box = boxOf(row);
    if (!box) continue;
    box.checked = on;
    row.setAttribute("aria-selected", String(on));
  }
  if (on) selected.add(ref);
  else selected.delete(ref);
}

function markRange(from, to, on) {
  const shown = rows();
  const places = [from, to].map((ref) => shown.findIndex((row) => row.dataset.ref === ref));
  if (places.includes(-1)) return false;
  for (const row of shown.slice(Math.min(...places), Math.max(...places) + 1)) mark(row, on);
  return true;
}

function clear() {
  isAll = false;
  anchor = null;
  for (const row of rows()) mark(row, false);
  selected.clear();
  say();
}

function onBox(event) {
  const row = event.target.closest("[data-task-row]");
  const { ref } = row.dataset;
  const on = event.target.checked;
  isAll = false;
  if (!(event.shiftKey && anchor !== null && markRange(anchor, ref, on))) mark(row, on);
  anchor = ref;
  say();
}

function onArrow(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const row = step && event.target.matches("[data-select]") && event.target.closest("[data-task-row]");
  if (!row) return;
  event.preventDefault();
  const shown = rows();
  const next = shown[shown.indexOf(row) + step];
  if (!next) return;
  if (event.shiftKey) {
    isAll = false;
    mark(row, true);
    mark(next, true);
    anchor = next.dataset.ref;
    say();
  }
  boxOf(next)?.focus();
}

// After a refresh: rows that are there again are selected again, those that have left are not.
function restore() {
  const shown = rows();
  const there = new Set(shown.map((row) => row.dataset.ref));
  for (const ref of [...selected]) if (!there.has(ref)) selected.delete(ref);
  if (selected.size === 0) isAll = false;
  for (const row of shown) mark(row, isAll || selected.has(row.dataset.ref));
  say();
}

if (form) {
  document.addEventListener("click", (event) => {
    if (event.target.matches("[data-select-page]")) {
      isAll = false;
      for (const row of rows()) mark(row, event.target.checked);
      say();
    } else if (event.target.matches("[data-select]")) onBox(event);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return onArrow(event);
    const isOurs = selected.size && !event.defaultPrevented && !event.target.matches(FIELDS);
    if (isOurs && !document.querySelector("dialog[open]")) clear();
    return undefined;
  });
  part("data-select-all")?.addEventListener("click", () => {
    isAll = true;
    say();
  });
  part("data-select-none").addEventListener("click", clear);
  document.addEventListener("live:swapped", restore);
  // A page that is loaded again begins with nothing selected.
  const [{ type }] = performance.getEntriesByType("navigation");
  const kept = type === "back_forward" ? history.state?.selection : null;
  for (const ref of kept?.refs ?? []) selected.add(ref);
  isAll = kept?.isAll === true && part("data-select-all") !== null;
  restore();
}
