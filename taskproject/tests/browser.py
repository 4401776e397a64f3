"""Pages in headless Chromium, loaded as a pytest plugin: ``open_page`` and what every page must hold to.

Each page records what must never happen: console errors (which include content security policy violations),
exceptions, dialogs, requests to other hosts, 500 responses. Anything left in ``problems`` at the end fails the test.
"""

import functools
import os
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

PATIENCE = 30_000
INTERACTIVE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"

#: Text whose contrast with its background is below WCAG AA, as a list of descriptions.
LOW_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = "#000"; canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    let colour = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
    for (const layer of layers.reverse()) colour = over(layer, colour);
    return colour;
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.nodeValue.trim());
    if (!own || !element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    if (element.closest("svg, .visually-hidden, option, :disabled")) continue;
    const style = getComputedStyle(element);
    const back = behind(element), front = over(rgba(style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) {
      const words = element.textContent.trim().slice(0, 30);
      low.push(`${element.className || element.nodeName} "${words}" ${ratio.toFixed(2)}`);
    }
  }
  return [...new Set(low)];
}"""

#: What the keyboard must reach: visible, enabled, and not hidden in a closed <details>. Tab reaches the chosen one of a
#: group of radio buttons, and the arrows the others.
REACHABLE = """(selector) => {
  let number = 0;
  return [...document.querySelectorAll(selector)].filter((e) => {
    if (e.disabled || e.tabIndex < 0 || !e.checkVisibility({checkVisibilityCSS: true})) return false;
    const group = e.type === "radio" && [...(e.form ?? document).querySelectorAll(`[type=radio][name="${e.name}"]`)];
    if (group && !e.checked && group.some((other) => other.checked)) return false;
    e.dataset.stop = ++number;
    return true;
  }).map((e) => {
    const words = (e.getAttribute("aria-label") || e.textContent).trim().slice(0, 40);
    return `${e.dataset.stop} ${e.nodeName} ${words}`;
  });
}"""

#: Where the focus is, and whether it is visible.
FOCUSED = """() => {
  const e = document.activeElement;
  const drawn = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const seen = drawn(getComputedStyle(e)) || drawn(getComputedStyle(e, "::after"));
  return [e.dataset.stop ?? "", seen, e.outerHTML.slice(0, 80)];
}"""

#: Fields too narrow to read what is in them, controls of a form that lie over each other, and a header whose places
#: take several rows.
CRAMPED = """() => {
  const out = [], name = (e) => e.outerHTML.slice(0, 80), seen = (e) => e.checkVisibility({checkVisibilityCSS: true});
  const typed = ":is(select, textarea, input:not([type=checkbox], [type=radio], [type=hidden], [type=submit]))";
  for (const field of document.querySelectorAll(typed)) {
    const wide = field.getBoundingClientRect().width;
    if (seen(field) && wide < 60) out.push(`${Math.round(wide)} px: ${name(field)}`);
  }
  for (const form of document.querySelectorAll("main form")) {
    const boxes = [...form.querySelectorAll("button, input:not([type=hidden]), select, textarea")].filter(seen)
      .map((e) => [e, e.getBoundingClientRect()]);
    boxes.forEach(([a, one], place) => boxes.slice(place + 1).forEach(([b, two]) => {
      const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
      const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
      if (across > 3 && down > 3) out.push(`${name(a)} over ${name(b)}`);
    }));
  }
  const places = [...document.querySelectorAll(".site-nav a")];
  const rows = new Set(places.map((a) => Math.round(a.getBoundingClientRect().top)));
  if (rows.size > 1) out.push(`the places are in ${rows.size} rows`);
  return out;
}"""

#: What axe-core finds on the page as it is, a line for each element, which are few words of its HTML.
#: ``rules``: only these.
BREACHES = """async (rules) => {
  const {violations} = await axe.run(document, {
    resultTypes: ["violations"], preload: false, ...(rules ? {runOnly: {type: "rule", values: rules}} : {}),
  });
  return violations.flatMap(({id, impact, nodes}) => nodes.map((node) =>
    `${impact} ${id}: ${node.html.slice(0, 160)} ${[...node.any, ...node.all, ...node.none].map((c) => c.message)}`));
}"""


@functools.cache
def axe_core() -> str:
    """The script of axe-core, which the package for Playwright carries."""
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text()


@dataclass
class Tab:
    """A browser page and what went wrong on it. ``page`` is Playwright's."""

    page: Any
    origin: str
    problems: list[str] = field(default_factory=list)

    def goto(self, path: str) -> None:
        self.page.goto(self.origin + path)

    def watch(self) -> None:
        page = self.page
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: self._console(message))
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: (self.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._request(request.url))
        page.on("response", lambda answer: self._answer(answer))

    def _console(self, message: Any) -> None:
        # The test server speaks HTTP only; pages log that to the console and poll over HTTP instead.
        if message.type in ("error", "warning") and not message.text.startswith("WebSocket connection to"):
            where = message.location.get("url", "") if message.text.startswith("Failed to load") else ""
            self.problems.append(f"console {message.type}: {message.text} {where}".rstrip())

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.problems.append(f"request to {url}")

    def _answer(self, answer: Any) -> None:
        if answer.status >= 500:
            self.problems.append(f"{answer.status} of {answer.url}")

    def assert_no_sideways_scroll(self) -> None:
        wide, room = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= room, f"{self.page.url} is {wide} px wide in a window of {room} px"

    def assert_not_cramped(self) -> None:
        assert self.page.evaluate(CRAMPED) == [], f"{self.page.url} at {self.page.viewport_size}"

    def assert_contrast(self) -> None:
        assert self.page.evaluate(LOW_CONTRAST) == [], self.page.url

    def assert_accessible(self) -> None:
        """axe-core finds nothing, in both modes, in a wide and in a small window, with everything open.

        What is dark differs only in its colours. The browser evaluates the script as its debugger would: no content
        security policy is in its way.
        """
        page = self.page
        page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach((part) => { part.open = true })")
        page.evaluate(axe_core())
        breaches: dict[str, list[str]] = {}
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            for mode, rules in (("light", None), ("dark", ["color-contrast"])):
                page.emulate_media(color_scheme=mode, reduced_motion="reduce")
                for breach in page.evaluate(BREACHES, rules):
                    breaches.setdefault(breach, []).append(f"{mode} {width}")
        assert not breaches, f"{page.url}:\n" + "\n".join(
            f"{breach} ({', '.join(in_)})" for breach, in_ in breaches.items()
        )

    def assert_keyboard_reaches_all(self) -> None:
        """Tab from the top of the page visits every control, the skip link first, each with a visible focus."""
        page = self.page
        wanted = page.evaluate(REACHABLE, INTERACTIVE)
        page.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)")
        visited = []
        for _ in range(len(wanted) + 3):
            page.keyboard.press("Tab")
            stop, seen, words = page.evaluate(FOCUSED)
            if stop:
                visited.append(stop)
                assert seen, f"the focus on {words} cannot be seen"
        missed = [name for name in wanted if name.split(" ", 1)[0] not in visited]
        assert not missed, f"{page.url}: the keyboard does not reach {missed}"
        assert "Skip" in wanted[0]


@pytest.fixture(scope="module")
def chromium(django_db_setup: None) -> Generator[Any, None, None]:
    """Headless Chromium: the system's, else Playwright's own.

    Playwright runs an event loop in the tests' thread, which Django mistakes for asynchronous code and which other
    tests could not tolerate: hence one per module, with Django's check off meanwhile.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("CHROMIUM") or next((where for name in names if (where := shutil.which(name))), None)
    patch = pytest.MonkeyPatch()
    with playwright.sync_playwright() as tools:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        try:
            browser = tools.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
            )
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start: {str(error).splitlines()[0]}")
        yield browser
        browser.close()
    patch.undo()


@pytest.fixture
def open_page(chromium: Any, live_server: Any) -> Generator[Callable[..., Tab], None, None]:
    """``open_page("/", user=ada, width=360, dark=True)`` → a ``Tab``, signed in where a user is given.

    ``at``: the URL of a server on the test database other than the test server.
    """
    contexts, tabs = [], []

    def open_one(
        path: str,
        *,
        user: Any = None,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        at: str = "",
        **options: Any,
    ) -> Tab:
        origin = at or live_server.url
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", **options
        )
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": origin}])
        tab = Tab(context.new_page(), origin)
        tab.watch()
        tabs.append(tab)
        tab.goto(path)
        return tab

    yield open_one
    for context in contexts:
        context.close()
    assert [problem for tab in tabs for problem in tab.problems] == []
