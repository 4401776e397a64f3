// A form that sends itself: the next portion of a long action, unless the reader stops it.

const PAUSE = 600;
const onward = document.querySelector("form[data-goes-on]");
if (onward) {
  let isSent = false;
  onward.addEventListener("submit", () => { isSent = true; });
  setTimeout(() => { if (!isSent) onward.requestSubmit(); }, PAUSE);
}
