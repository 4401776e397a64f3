"""Untrusted text as HTML: Markdown without images, scripts or raw HTML, sanitised by an allow list.

Titles, descriptions, summaries and notes come from agents. Two safeguards: the parser accepts no raw HTML, and its
output passes through nh3 (ammonia), which keeps only the tags and URL schemes named here.
"""

import functools
import re
from collections.abc import Sequence
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

#: Longer texts are shown as plain text: parsing hostile input must stay cheap.
LONGEST = 20_000

TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
SCHEMES = {"http", "https", "mailto"}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}


def _image(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """An image's alternative text, and nothing that would fetch the image."""
    return escapeHtml(tokens[index].content)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    return parser


_PARSER = _parser()
_RUN_OF_MARKS = re.compile(r"([\[\]*_`~<>!&\\|])\1{99,}")


@functools.lru_cache(maxsize=256)
def render_markdown(text: str) -> str:
    """Render untrusted Markdown to safe HTML.

    Headings begin at ``h3``, below those of the page. Links carry ``nofollow noopener noreferrer``. Text beyond
    ``LONGEST`` characters, or made to slow a parser down, comes back as escaped plain text in ``<pre>``.
    """
    if not text.strip():
        return ""
    if len(text) > LONGEST or _RUN_OF_MARKS.search(text):
        return f"<pre>{escapeHtml(text)}</pre>"
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + 2)}"
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return nh3.clean(
        html, tags=TAGS, attributes=_ATTRIBUTES, url_schemes=SCHEMES, link_rel="nofollow noopener noreferrer"
    )
