// A form that sends itself: the next portion of a long action, unless the reader stops it; at once where nothing is left
// to stop.

const PAUSE = 600;
const onward = document.querySelector("form[data-goes-on]");
if (onward) {
  let isSent = false;
  onward.addEventListener("submit", () => { isSent = true; });
  const goOn = () => { if (!isSent) onward.requestSubmit(); };
  // While the page loads, what comes takes its place in the history.
  if (onward.dataset.goesOn === "now") goOn();
  else setTimeout(goOn, PAUSE);
}
