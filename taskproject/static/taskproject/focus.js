// Keeps the keyboard where it was when a region changes below it. `heldIn(region)` before the change gives a function
// to call after it: the element that had the focus has it again; if it is gone, its like in the same card or row; if
// that is gone, the neighbour; if there is none, what stood around it. The focus never falls back to the page's top.

const FOCUSABLE = "a[href], button:not([disabled]), input:not([type=hidden], [disabled]), select, textarea, summary, [tabindex='0']";

// What tells a control from others of its card or row.
function likeOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const name = element.getAttribute("name") ? `[name="${CSS.escape(element.getAttribute("name"))}"]` : "";
  const value = name && element.getAttribute("value") ? `[value="${CSS.escape(element.getAttribute("value"))}"]` : "";
  const first = element.classList[0] ? `.${CSS.escape(element.classList[0])}` : "";
  return `${element.nodeName.toLowerCase()}${first}${name}${value}`;
}

const itemOf = (region, ref) => region.querySelector(`[data-ref="${CSS.escape(ref)}"]`);

// The refs to go to if this one goes: what follows it in its list, then what stood before it, the nearest first.
function neighboursOf(item) {
  const all = [...item.parentElement.children].filter((other) => other.dataset.ref !== undefined);
  const place = all.indexOf(item);
  return [...all.slice(place + 1), ...all.slice(0, place).reverse()].map((other) => other.dataset.ref);
}

function around(element, region) {
  const parents = [];
  for (let node = element.parentElement; node; node = node.parentElement) {
    parents.push(node);
    if (node === region) break;
  }
  return parents;
}

function focusOn(element) {
  if (!element.matches(FOCUSABLE)) element.tabIndex = -1;
  element.focus({ preventScroll: true });
  return document.activeElement === element;
}

const mainOf = (item) => item.querySelector("[data-main-link]") ?? item.querySelector(FOCUSABLE);

export function heldIn(region) {
  const focused = region.contains(document.activeElement) ? document.activeElement : null;
  if (!focused || focused === region) return () => {};
  const item = focused.closest("[data-ref]");
  const inside = item && item !== region && region.contains(item);
  const ref = inside ? item.dataset.ref : null;
  const neighbours = inside ? neighboursOf(item) : [];
  const parents = around(focused, region);
  const like = likeOf(focused);
  const tabindex = focused.getAttribute("tabindex");

  function heirs() {
    const own = ref === null ? null : itemOf(region, ref);
    const next = neighbours.map((other) => itemOf(region, other)).find((other) => other !== null);
    const standing = parents.find((parent) => parent.isConnected);
    return [
      focused.isConnected ? focused : null,
      (own ?? (ref === null ? region : null))?.querySelector(like),
      own && mainOf(own),
      next && mainOf(next),
      standing,
    ];
  }

  return () => {
    if (focused.isConnected && document.activeElement === focused) {
      // Without it, what is no control would lose the focus again.
      if (tabindex !== null && !focused.hasAttribute("tabindex")) focused.setAttribute("tabindex", tabindex);
      return;
    }
    heirs().some((heir) => heir && focusOn(heir));
  };
}
