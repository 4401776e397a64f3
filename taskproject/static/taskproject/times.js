// Keeps "5 min ago" current, and shows times in the reader's language; in the zone in which the server wrote the page,
// so that a time is on the same day everywhere on it. Without this the server's text remains.

const timeZone = knownZone(document.querySelector("meta[name=time-zone]")?.content);
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", timeZone });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone });
const UNITS = [["min", 60, 3600], ["h", 3600, 86400], ["d", 86400, 30 * 86400]];

// The browser's own, if it does not know the server's.
function knownZone(name) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

// The same texts as tasks_pages.in_words.
function inWords(when, now) {
  const seconds = (when - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return seconds <= 0 ? "just now" : "in a moment";
  for (const [unit, length, until] of UNITS) {
    if (size < until - length / 2) {
      const count = Math.max(1, Math.round(size / length));
      return seconds > 0 ? `in ${count} ${unit}` : `${count} ${unit} ago`;
    }
  }
  return date.format(when);
}

// The last minutes of a lease, to the second.
function countDown(when, now) {
  const left = Math.round((when - now) / 1000);
  if (left <= 0 || left >= 3600) return inWords(when, now);
  return left < 60 ? `in ${left} s` : `in ${Math.floor(left / 60)} min ${String(left % 60).padStart(2, "0")} s`;
}

export function localise(root = document, which = "time[data-time]") {
  const now = new Date();
  for (const element of root.querySelectorAll(which)) {
    const when = new Date(element.dateTime);
    if (Number.isNaN(when.valueOf())) continue;
    const style = element.dataset.time;
    let text;
    if (style === "exact") text = exact.format(when);
    else if (style === "date") text = day.format(when);
    else if (style === "countdown") text = countDown(when, now);
    else text = inWords(when, now);
    if (style === "short") text = text.replace(/ ago$/, "");
    if (element.textContent !== text) element.textContent = text;
    const title = exact.format(when);
    if (element.title !== title) element.title = title;
  }
}
