// Swagger UI has dark colours under a class of the page, not under the colour scheme. In the head, so that nothing flashes.
const dark = matchMedia("(prefers-color-scheme: dark)");

function follow() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

follow();
dark.addEventListener("change", follow);
