// Says that a task was created, with a link to it, where the reader stays.

const FORGET = 10_000;

let toast = null;
let timer = 0;

function place() {
  if (toast?.isConnected) return toast;
  toast = document.createElement("div");
  toast.className = "toast created-toast";
  toast.setAttribute("role", "status");
  document.body.append(toast);
  return toast;
}

// `page`: the server's answer, with its notice.
export function notify(page) {
  const words = page.querySelector("[data-created] span");
  if (!words) return;
  const here = place();
  here.replaceChildren(...[...words.childNodes].map((node) => document.importNode(node, true)));
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (!here.matches(":hover, :focus-within")) here.replaceChildren();
  }, FORGET);
}
