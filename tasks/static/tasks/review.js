// Comments on lines of an artifact: written while reading, kept in this tab, and sent with the verdict.

const SENT = "review-sent";
const LONGEST = 10_000;
const keyOf = (review) => `review:${review}`;

function read(review) {
  try {
    const drafts = JSON.parse(sessionStorage.getItem(keyOf(review)) ?? "[]");
    return Array.isArray(drafts) ? drafts : [];
  } catch {
    return [];
  }
}

function write(review, drafts) {
  try {
    if (drafts.length) sessionStorage.setItem(keyOf(review), JSON.stringify(drafts));
    else sessionStorage.removeItem(keyOf(review));
  } catch {
    // No storage, or a full one: the page then keeps nothing, but the table still shows what was written.
  }
}

const counted = (count) => `${count} comment${count === 1 ? "" : "s"}`;

function inWords(drafts) {
  const names = [...new Set(drafts.map(({ name }) => name))];
  return `${counted(drafts.length)} on lines of ${names.join(", ")}`;
}

// The forms of the verdicts carry the comments, on this page and on the task's.
function fillForms() {
  for (const input of document.querySelectorAll("input[data-drafts]")) {
    const drafts = read(input.dataset.drafts);
    const comments = drafts.map(({ artifact, line, body }) => ({ artifact, line, body }));
    input.value = comments.length ? JSON.stringify(comments) : "";
    const said = input.form.querySelector("[data-drafts-said]");
    if (!said) continue;
    said.hidden = !drafts.length;
    said.textContent = drafts.length ? `Sends ${inWords(drafts)}.` : "";
  }
}

// A verdict was sent from this tab: unless it was refused, which the page shows, its comments are at the server now.
function forgetSent() {
  const sent = sessionStorage.getItem(SENT);
  if (sent === null) return;
  sessionStorage.removeItem(SENT);
  if (!document.querySelector(".task-problem")) sessionStorage.removeItem(keyOf(sent));
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function button(text, onclick, kind = "") {
  return element("button", { type: "button", className: `button button-small ${kind}`.trim(), textContent: text, onclick });
}

function reviewLines(table) {
  const { review, name } = table.dataset;
  const artifact = Number(table.dataset.artifact);
  const buttons = [...table.querySelectorAll("button[data-line]")];
  const columns = table.tHead.rows[0].cells.length;
  let drafts = read(review);

  const count = document.querySelector("[data-review-count]");
  const say = () => {
    if (count) count.textContent = drafts.length ? `${inWords(drafts)}, not sent yet.` : "No comments yet.";
    fillForms();
  };
  const keep = (next) => {
    drafts = next;
    write(review, drafts);
    say();
  };
  const isHere = (draft, line) => draft.artifact === artifact && draft.line === line;
  const buttonOf = (line) => buttons.find((each) => Number(each.dataset.line) === line);

  // The row below a line that has a draft or its form; it stands after the row of comments that were sent.
  function talkRow(line) {
    let row = buttonOf(line).closest("tr");
    if (row.nextElementSibling?.matches(".line-talk:not([data-draft])")) row = row.nextElementSibling;
    if (row.nextElementSibling?.matches("[data-draft]")) return row.nextElementSibling;
    const made = element("tr", { className: "line-talk" }, element("td", { colSpan: columns }));
    made.dataset.draft = "";
    row.after(made);
    return made;
  }

  function show(line) {
    const draft = drafts.find((each) => isHere(each, line));
    buttonOf(line).removeAttribute("aria-expanded");
    const row = talkRow(line);
    if (!draft) return row.remove();
    row.cells[0].replaceChildren(
      element(
        "div",
        { className: "line-comment is-draft" },
        element("p", { className: "small muted", textContent: "Your comment, not sent yet" }),
        element("p", { className: "line-comment-text", textContent: draft.body }),
        element("div", { className: "line-buttons" },
          button("Edit", () => open(line)),
          button("Remove", () => {
            keep(drafts.filter((each) => !isHere(each, line)));
            show(line);
            focusOn(buttonOf(line));
          })),
      ),
    );
  }

  function open(line) {
    const trigger = buttonOf(line);
    const cell = talkRow(line).cells[0];
    const present = cell.querySelector("textarea");
    if (present) return present.focus();
    const old = drafts.find((each) => isHere(each, line));
    const text = element("textarea", { rows: 3, maxLength: LONGEST, value: old?.body ?? "" });
    text.setAttribute("aria-label", `Comment on line ${line}`);
    const close = () => {
      show(line);
      focusOn(trigger);
    };
    const save = () => {
      const body = text.value.trim();
      const others = drafts.filter((each) => !isHere(each, line));
      keep(body ? [...others, { artifact, name, line, body }] : others);
      close();
    };
    text.onkeydown = (event) => {
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
      else return;
      event.preventDefault();
    };
    trigger.setAttribute("aria-expanded", "true");
    cell.replaceChildren(
      element("div", { className: "line-form" }, text,
        element("div", { className: "line-buttons" }, button("Keep comment", save, "button-primary"), button("Cancel", close))),
    );
    text.focus();
  }

  function focusOn(target) {
    for (const each of buttons) each.tabIndex = each === target ? 0 : -1;
    target.focus();
  }

  table.addEventListener("click", ({ target }) => {
    const trigger = target.closest("button[data-line]");
    if (trigger) open(Number(trigger.dataset.line));
  });
  table.addEventListener("keydown", (event) => {
    const place = buttons.indexOf(event.target);
    if (place < 0) return;
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: buttons.length - 1, PageDown: place + 20, PageUp: place - 20 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    focusOn(buttons[Math.min(Math.max(to, 0), buttons.length - 1)]);
  });

  for (const each of buttons) {
    each.disabled = false;
    each.setAttribute("aria-label", `Comment on line ${each.dataset.line}`);
  }
  const hint = document.querySelector("[data-review-hint]");
  if (hint) hint.hidden = false;
  for (const draft of drafts) if (draft.artifact === artifact && buttonOf(draft.line)) show(draft.line);
  say();
}

forgetSent();
fillForms();
document.addEventListener("live:swapped", fillForms);
document.addEventListener("submit", ({ target }) => {
  const input = target.querySelector("input[data-drafts]");
  if (!input) return;
  fillForms();
  if (input.value) sessionStorage.setItem(SENT, input.dataset.drafts);
});
const table = document.querySelector("table[data-review]");
if (table) reviewLines(table);
