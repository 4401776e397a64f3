// What the keyboard does with a task wherever it is shown: a menu of the moves that are open for it, and the form that
// assigns it. The server says both, and only it decides whether they succeed.

import { SIGNED_OUT, asksToSignIn, readPage, request } from "../taskproject/request.js";
import { send } from "../taskproject/sending.js";
import { tell } from "../taskproject/shortcuts.js";

const PATIENCE = 15_000;
const UNREACHED = "The server did not answer. Look at the task before you try again.";

function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// The page, and why there is none.
async function pageAt(path) {
  try {
    const answer = await request(path, { patience: PATIENCE });
    const page = answer.ok || answer.status === 403 ? await readPage(answer) : null;
    return page && asksToSignIn(page) ? { page: null, why: SIGNED_OUT } : { page, why: UNREACHED };
  } catch {
    return { page: null, why: UNREACHED };
  }
}

// A dialog over the page. The browser gives the focus back to where it was; a row that was redrawn meanwhile is looked
// for by its ref.
function open(title, ref, ...content) {
  const box = make("dialog", { className: "acting" }, make("h2", { id: "acting-title", textContent: title }), ...content);
  box.setAttribute("aria-labelledby", "acting-title");
  box.addEventListener("close", () => {
    box.remove();
    if (document.activeElement && document.activeElement !== document.body) return;
    document.querySelector(`main [data-ref="${CSS.escape(ref)}"] a[href]`)?.focus({ preventScroll: true });
  });
  document.body.append(box);
  box.showModal();
  return box;
}

// Fills the dialog with a form, sends it without leaving the page, and keeps it open where it is refused.
function askIn(box, form, label) {
  const problem = make("p", { className: "notice notice-error", hidden: true });
  problem.setAttribute("role", "alert");
  const leave = make("button", { type: "button", className: "button", textContent: "Cancel" });
  const go = make("button", { className: "button button-primary", textContent: label });
  form.append(make("div", { className: "form-row" }, leave, go));
  leave.addEventListener("click", () => box.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // Not in the way of other modules that send forms of their own accord.
    event.stopPropagation();
    if (go.disabled) return;
    go.disabled = true;
    const { done, sentence } = await send(form, null, UNREACHED);
    go.disabled = false;
    if (done) {
      box.close();
      tell(sentence);
    } else {
      problem.textContent = sentence;
      problem.hidden = false;
    }
  });
  box.querySelector("[data-acting]").replaceChildren(problem, form);
  form.querySelector("select, textarea, input:not([type=hidden])")?.focus();
}

function onMenuKey(event) {
  const items = [...event.currentTarget.querySelectorAll("[role=menuitem]")];
  const place = items.indexOf(document.activeElement);
  const to = { ArrowDown: place + 1, j: place + 1, ArrowUp: place - 1 + items.length, k: place - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  items[to % items.length].focus();
}

async function carryOut(box, move) {
  if (move.dataset.asks !== undefined) {
    box.querySelector("h2").textContent = `${box.dataset.of} to “${move.dataset.label}”`;
    return askIn(box, move, move.dataset.button);
  }
  box.close();
  const { done, sentence } = await send(move, null, UNREACHED);
  return tell(sentence, { refusal: !done });
}

export async function openMoves(ref) {
  const { page, why: unread } = await pageAt(`/tasks/${encodeURIComponent(ref)}/moves`);
  const moves = page?.querySelector("[data-moves]");
  if (!moves) return tell(unread, { refusal: true });
  const all = [...moves.querySelectorAll("[data-target]")].map((move) => document.importNode(move, true));
  const ways = all.filter((move) => move.nodeName === "FORM");
  if (!ways.length) {
    const why = all.find((move) => move.dataset.target !== moves.dataset.status);
    return tell(why?.textContent.trim() ?? `The status of ${ref} cannot be changed now.`, { refusal: true });
  }
  const menu = make("div", { className: "acting-menu" });
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-labelledby", "acting-title");
  menu.addEventListener("keydown", onMenuKey);
  const box = open(`Status of ${ref}`, ref, make("div", {}, menu));
  box.firstElementChild.nextElementSibling.dataset.acting = "";
  box.dataset.of = ref;
  for (const move of ways) {
    const words = `${move.dataset.button}: to “${move.dataset.label}”`;
    const item = make("button", { type: "button", className: "menu-item", tabIndex: -1, textContent: words });
    item.setAttribute("role", "menuitem");
    item.addEventListener("click", () => carryOut(box, move));
    menu.append(item);
  }
  return menu.firstElementChild.focus();
}

export async function openAssigning(ref) {
  const { page, why } = await pageAt(`/tasks/${encodeURIComponent(ref)}/assign`);
  if (!page) return tell(why, { refusal: true });
  const form = page.querySelector("form[data-assign]");
  if (!form) return tell(page.querySelector("[data-why]")?.textContent.trim() ?? UNREACHED, { refusal: true });
  const box = open(`Assign ${ref}`, ref, make("div"));
  box.lastElementChild.dataset.acting = "";
  const own = document.importNode(form, true);
  own.querySelector("[data-buttons]")?.remove();
  return askIn(box, own, "Assign");
}
