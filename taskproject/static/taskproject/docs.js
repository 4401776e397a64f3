// Swagger UI has dark colours under a class of the page, not under the colour scheme. In the head, so that nothing flashes.
const dark = matchMedia("(prefers-color-scheme: dark)");

// Chosen on the account page; without it, what the system says.
const chosen = document.documentElement.dataset.theme;

function follow() {
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : dark.matches);
}

follow();
dark.addEventListener("change", follow);
