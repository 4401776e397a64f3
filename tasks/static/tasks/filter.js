// The board's filters at once: each change becomes the page's address, and the board is fetched for that.
// Without this module the form has a button.

const TYPING = 250;

function addressOf(form) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) query.set(name, value.trim());
  return query.size ? `?${query}` : location.pathname;
}

// `onFiltered()` is called when the address has changed.
export function letFilter(onFiltered) {
  const form = document.querySelector("form[data-filters]");
  if (!form) return;
  let timer = 0;
  const apply = () => {
    clearTimeout(timer);
    const address = addressOf(form);
    if (new URL(address, location.href).href === location.href) return;
    history.replaceState(history.state, "", address);
    for (const way of document.querySelectorAll("#board-choices [name=next], #board-limits [name=next]")) {
      way.value = location.pathname + location.search;
    }
    for (const select of form.querySelectorAll("select")) select.classList.toggle("is-set", select.value !== "");
    onFiltered();
  };
  form.addEventListener("change", apply);
  form.addEventListener("input", ({ target }) => {
    if (target.type !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(apply, TYPING);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
}
