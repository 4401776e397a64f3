// Dragging a card by finger: a long press lifts it, a copy follows the finger, the board scrolls at its edges. A second
// finger, or whatever else takes the touch away, leaves the card where it is.

const PRESS = 400;
// A finger that moves further than this before the card is lifted scrolls.
const SLIP = 10;
const EDGE = 48;
const STEP = 12;

// `drag`: what dragging means, as by mouse: isMovable(card), begin(card), goOver(column), drop(column), end().
export function letTouch(drag) {
  let press = null;
  let lifted = null;

  const stopPress = () => {
    clearTimeout(press?.timer);
    press = null;
  };

  function lift(card, { x, y, id }) {
    const box = card.getBoundingClientRect();
    const copy = card.cloneNode(true);
    copy.removeAttribute("data-ref");
    copy.setAttribute("aria-hidden", "true");
    copy.inert = true;
    copy.classList.add("card-lifted");
    copy.style.width = `${box.width}px`;
    document.body.append(copy);
    lifted = { id, copy, x, y, left: box.left - x, top: box.top - y, column: null };
    navigator.vibrate?.(15);
    drag.begin(card);
    follow();
  }

  // Each frame, since the board may scroll below a finger that rests.
  function follow() {
    if (!lifted) return;
    const { copy, x, y, left, top } = lifted;
    copy.style.translate = `${x + left}px ${y + top}px`;
    const column = document.elementFromPoint(x, y)?.closest("[data-column]") ?? null;
    if (column !== lifted.column) drag.goOver(column);
    lifted.column = column;
    scroll(document.querySelector(".board"), "scrollLeft", x, innerWidth);
    const body = column?.querySelector(".column-body");
    if (body && body.scrollHeight > body.clientHeight) {
      const { top: from, bottom: to } = body.getBoundingClientRect();
      scroll(body, "scrollTop", y - from, to - from);
    } else {
      scroll(document.scrollingElement, "scrollTop", y, innerHeight);
    }
    requestAnimationFrame(follow);
  }

  function scroll(box, way, at, size) {
    if (!box) return;
    if (at < EDGE) box[way] -= STEP;
    else if (at > size - EDGE) box[way] += STEP;
  }

  function finish({ drops }) {
    stopPress();
    if (!lifted) return;
    const { copy, column } = lifted;
    lifted = null;
    copy.remove();
    if (drops && column) drag.drop(column);
    drag.end();
    // The touch that ends here is no click on what lies below it.
    const swallow = (event) => {
      event.preventDefault();
      event.stopPropagation();
    };
    document.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => document.removeEventListener("click", swallow, { capture: true }), 50);
  }

  document.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    if (press || lifted) {
      finish({ drops: false });
      return;
    }
    const card = event.target.closest?.(".card");
    if (!drag.isMovable(card) || event.target.closest("button, [data-questions]")) return;
    const at = { x: event.clientX, y: event.clientY, id: event.pointerId };
    press = { ...at, timer: setTimeout(() => {
      press = null;
      if (card.isConnected) lift(card, at);
    }, PRESS) };
  });
  document.addEventListener("pointermove", (event) => {
    if (press?.id === event.pointerId && Math.hypot(event.clientX - press.x, event.clientY - press.y) > SLIP) stopPress();
    if (lifted?.id !== event.pointerId) return;
    lifted.x = event.clientX;
    lifted.y = event.clientY;
  });
  document.addEventListener("pointerup", (event) => {
    if (lifted && lifted.id !== event.pointerId) return;
    finish({ drops: true });
  });
  document.addEventListener("pointercancel", () => finish({ drops: false }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && lifted) finish({ drops: false });
  });
  // A page that scrolls takes the touch away; while a card is lifted it must not.
  document.addEventListener("touchmove", (event) => lifted && event.cancelable && event.preventDefault(), { passive: false });
  // A long press on a link would open its menu, or drag the link.
  for (const kind of ["contextmenu", "dragstart"]) {
    document.addEventListener(kind, (event) => {
      if (!press && !lifted) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }, { capture: true });
  }
}
