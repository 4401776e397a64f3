"""Text from agents as HTML: what is allowed, and what never gets through."""

import re
from html.parser import HTMLParser

import pytest

from tasks import markdown
from tasks.markdown import render_markdown


class Elements(HTMLParser):
    """Tags and attributes as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='https://evil.example'></iframe>",
    "<style>body{display:none}</style>",
    "<b onclick=alert(1)>b</b>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/png;base64,AAAA)",
    "[x](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "![x](data:image/svg+xml;base64,AAAA)",
    '![x](x "onerror=alert(1)")',
    '[x](https://ok.example "\\" onmouseover=alert(1) \\"")',
    "[x]: javascript:alert(1)\n\n[x]",
    "![x][p]\n\n[p]: https://evil.example/pixel.png",
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    "<!-- <script>alert(1)</script> -->",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
    '<form action="https://evil.example"><button>Sign in</button></form>',
    "</div></main><h1>forged</h1>",
    "\u202etxt.exe",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_render_hostile_text_leaves_only_allowed_tags_and_links(text):
    for tag, attributes in Elements(render_markdown(text)).found:
        assert tag in markdown.TAGS
        assert set(attributes) <= {"href", "title", "rel", "start"}
        if "href" in attributes:
            assert re.match(r"(https?:|mailto:|[^:]*$)", attributes["href"] or "")
            assert {"nofollow", "noopener"} <= set((attributes["rel"] or "").split())


def test_render_image_keeps_its_words_and_fetches_nothing():
    assert render_markdown("see ![the *plan*](https://evil.example/p.png)").strip() == "<p>see the *plan*</p>"


def test_render_link_opens_without_giving_anything_away():
    html = render_markdown("[notes](https://example.org/a?b=1&c=2)")
    assert html.strip() == (
        '<p><a href="https://example.org/a?b=1&amp;c=2" rel="nofollow noopener noreferrer">notes</a></p>'
    )


def test_render_structure_begins_below_the_headings_of_the_page():
    html = render_markdown("# One\n\n###### Six\n\n- a\n- b\n\n|x|y|\n|-|-|\n|1|2|\n\n~~gone~~")
    assert [tag for tag, _ in Elements(html).found][:4] == ["h3", "h6", "ul", "li"]
    assert "<table>" in html
    assert "<s>gone</s>" in html


def test_render_empty_text_is_empty():
    assert render_markdown("") == render_markdown("  \n ") == ""


@pytest.mark.parametrize("text", ["a" * (markdown.LONGEST + 1), "[" * 5000, "`" * 300 + "<b>"])
def test_render_text_made_to_be_slow_comes_back_as_it_is(text):
    html = render_markdown(text)
    assert html.startswith("<pre>")
    assert [tag for tag, _ in Elements(html).found] == ["pre"]


@pytest.mark.parametrize("piece", ["[ ", "a[", "> ", "*a_ ", "[a](b", "![ ", "<a ", "](", "~~a ", "``a", "- " * 3])
def test_render_nested_openings_are_rendered_or_left_but_never_fail(piece):
    assert "<script" not in render_markdown((piece * markdown.LONGEST)[: markdown.LONGEST])
