// Small enhancements of the admin's pages; every page works without them, only less smoothly.
(() => {
  "use strict";

  // A double click must not send a form twice.
  for (const form of document.querySelectorAll("form[data-once], .change-form #content-main form[id$=_form]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      form.dataset.sent = "yes";
    });
  }
  // Back from the next page: the form may be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // A long action continues by itself, portion by portion, unless stopped; at once where nothing is left to stop.
  const onward = document.querySelector("form[data-goes-on]");
  if (onward) {
    let stopped = false;
    onward.addEventListener("submit", () => { stopped = true; });
    const goOn = () => { if (!stopped) onward.requestSubmit(); };
    // While the page loads, what comes takes its place in the history.
    if (onward.dataset.goesOn === "now") goOn();
    else window.setTimeout(goOn, 600);
  }

  // Find an agent among many: hides the rows that do not match; chosen ones stay visible.
  for (const input of document.querySelectorAll("input[data-finds]")) {
    const rows = [...document.getElementById(input.dataset.finds).tBodies[0].rows];
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const chosen = row.querySelector("input:checked");
        row.hidden = !chosen && !words.every((word) => text.includes(word));
      }
    });
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  }

  for (const input of document.querySelectorAll("input[data-selects]")) {
    input.addEventListener("focus", () => input.select());
    input.focus();
  }
})();
