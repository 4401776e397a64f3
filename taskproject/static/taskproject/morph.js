// Turns one piece of a page into another in place, so that focus, scroll positions and open details stay.
// Elements with the same data-ref, data-key or id are the same in both, wherever they are in the region.
// One with data-kept only marks its place; its content stays as it is.

import { heldIn } from "./focus.js";

function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  const { ref, key } = node.dataset;
  // What is shown twice has a key for each place besides its ref.
  if (key !== undefined) return `key ${key}`;
  if (ref !== undefined) return `ref ${ref}`;
  return node.id ? `id ${node.id}` : null;
}

// The value of any other input is what somebody typed.
const NOT_TYPED = new Set(["hidden", "checkbox", "radio", "submit", "button"]);

// What the page's own scripts and its reader say, and the server does not.
const OWNED = new Set(["open", "data-at-end"]);

function syncAttributes(from, to) {
  const isTyped = from.nodeName === "INPUT" && !NOT_TYPED.has(from.type);
  const owned = (name) => (from.nodeName === "DETAILS" && OWNED.has(name)) || (name === "value" && isTyped);
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !owned(name)) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (!owned(name) && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
}

function morphNode(from, to, keyed) {
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE || from.isEqualNode(to)) return;
  // What the page's clock wrote into a <time> stays until the time itself changes.
  if (from.nodeName === "TIME" && from.dateTime === to.dateTime) return;
  syncAttributes(from, to);
  if (from.nodeName === "TEXTAREA" || from.nodeName === "SELECT") return;
  morphChildren(from, to, keyed);
}

function place(parent, node, before) {
  if (node === before) return;
  // moveBefore keeps focus and scroll positions in browsers that have it.
  if (parent.moveBefore && node.isConnected && parent.isConnected) parent.moveBefore(node, before);
  else parent.insertBefore(node, before);
}

function morphChildren(from, to, keyed) {
  let next = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted);
    let match = null;
    if (key !== null) {
      match = keyed.get(key) ?? null;
      if (match && match.nodeName !== wanted.nodeName) match = null;
    } else {
      for (let node = next; node; node = node.nextSibling) {
        if (keyOf(node) === null && node.nodeType === wanted.nodeType && node.nodeName === wanted.nodeName) {
          match = node;
          break;
        }
      }
    }
    const kept = wanted.dataset?.kept !== undefined;
    if (match) {
      const moved = match.parentNode !== from;
      if (match === next) next = next.nextSibling;
      else place(from, match, next);
      if (!kept) morphNode(match, wanted, keyed);
      if (moved && wanted.dataset?.ref) match.classList.add("is-new");
    } else if (!kept) {
      const fresh = document.importNode(wanted, true);
      from.insertBefore(fresh, next);
      if (wanted.dataset?.ref) fresh.classList.add("is-new");
    }
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

document.addEventListener("animationend", ({ target }) => target.classList.remove("is-new"));

export function morph(region, wanted) {
  if (region.isEqualNode(wanted)) return false;
  const giveBack = heldIn(region);
  const keyed = new Map();
  for (const node of region.querySelectorAll("[data-ref], [data-key], [id]")) keyed.set(keyOf(node), node);
  syncAttributes(region, wanted);
  morphChildren(region, wanted, keyed);
  giveBack();
  return true;
}
