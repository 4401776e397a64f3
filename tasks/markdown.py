"""Untrusted text as HTML: Markdown without images, scripts or raw HTML, sanitised by an allow list.

Titles, descriptions, messages, summaries and notes come from agents. Two safeguards: the parser accepts no raw HTML,
and its output passes through nh3 (ammonia), which keeps only the tags and URL schemes named here.
"""

import functools
import itertools
import re
from collections.abc import Collection, Sequence
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
#: The only class, on the ``strong`` that marks a mention.
_VALUES = {"strong": {"class": {"mention"}}}


def _image(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """An image's alternative text, and nothing that would fetch the image."""
    return escapeHtml(tokens[index].content)


def _text(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Text, in which those who are mentioned stand out."""
    html = escapeHtml(tokens[index].content)
    names = env.get("mentions")
    return _MENTION.sub(functools.partial(_marked, names), html) if names else html


def _marked(names: Collection[str], match: re.Match[str]) -> str:
    name = next((name for name in _names_in(match[1].lower()) if name in names), None)
    if name is None:
        return match[0]
    return f'<strong class="mention">@{match[1][: len(name)]}</strong>{match[1][len(name) :]}'


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    parser.add_render_rule("text", _text)
    return parser


_PARSER = _parser()
_RUN_OF_MARKS = re.compile(r"([\[\]*_`~<>!&\\|])\1{99,}")
#: ``@`` and a name, neither inside a word nor part of an address. A name may contain what also ends a sentence.
_MENTION = re.compile(r"(?<![\w@./+-])@([\w.@+-]{1,150})")
_AT_THE_END = ".-_@+"
#: Names that one text may mention, and how many of them one mark may mean; further ones are not looked for.
MOST_MENTIONS = 50
MOST_READINGS = 4


@functools.lru_cache(maxsize=256)
def render_markdown(text: str, mentions: frozenset[str] = frozenset()) -> str:
    """Render untrusted Markdown to safe HTML.

    Headings begin at ``h3``, below those of the page. Links carry ``nofollow noopener noreferrer``. Text beyond
    ``LONGEST`` characters, or made to slow a parser down, comes back as escaped plain text in ``<pre>``.
    ``mentions``: names in lower case; where ``@`` and one of them stands, it is a ``strong`` of the class ``mention``.
    """
    if not text.strip():
        return ""
    if _is_shown_plain(text):
        return f"<pre>{escapeHtml(text)}</pre>"
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + 2)}"
    html = _PARSER.renderer.render(tokens, _PARSER.options, {"mentions": mentions})
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=_ATTRIBUTES,
        tag_attribute_values=_VALUES,
        url_schemes=SCHEMES,
        link_rel="nofollow noopener noreferrer",
    )


def mentioned_in(text: str) -> list[tuple[str, ...]]:
    """What ``text`` may mention by ``@name`` outside of code and links, in order: for each mark the names that it may
    mean, in lower case, the longest first, since ``@ada.`` may mean ``ada.`` or ``ada``.

    At most ``MOST_MENTIONS`` marks are looked at; text that is shown as plain text mentions nobody.
    """
    if "@" not in text or _is_shown_plain(text):
        return []
    words = (part for token in _PARSER.parse(text) for part in _words_of(token))
    marks = (match[1].lower() for part in words for match in _MENTION.finditer(part))
    return [_names_in(mark) for mark in itertools.islice(marks, MOST_MENTIONS)]


def _names_in(mark: str) -> tuple[str, ...]:
    names = [mark]
    while len(names) < MOST_READINGS and len(mark) > 1 and mark[-1] in _AT_THE_END:
        mark = mark[:-1]
        names.append(mark)
    return tuple(names)


def _words_of(token: Token) -> list[str]:
    """The running text of a block, without code and without the text of links."""
    words, depth = [], 0
    for child in token.children or ():
        if child.type in ("link_open", "link_close"):
            depth += child.nesting
        elif child.type == "text" and depth == 0:
            words.append(child.content)
    return words


def _is_shown_plain(text: str) -> bool:
    return len(text) > LONGEST or _RUN_OF_MARKS.search(text) is not None
