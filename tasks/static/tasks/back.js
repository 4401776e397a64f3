// A link back to where the reader came from goes back in the history, so that what was selected there is there.

const link = document.querySelector("a[data-back]");
link?.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  if (document.referrer !== link.href) return;
  event.preventDefault();
  history.back();
});
