"""SVG elements. Every text and attribute is escaped by ElementTree, so that nobody's text becomes markup."""

import re
from typing import Any
from xml.etree import ElementTree

from django.utils.safestring import SafeString, mark_safe

#: What XML cannot contain.
NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
Element = ElementTree.Element


def node(parent: Element | None, tag: str, text: str | None = None, /, **attributes: Any) -> Element:
    """An SVG element; ``class_`` and ``text_anchor`` become ``class`` and ``text-anchor``. None leaves one out."""
    named = {
        name.rstrip("_").replace("_", "-"): NOT_IN_XML.sub("�", str(value))
        for name, value in attributes.items()
        if value is not None
    }
    element = Element(tag, named) if parent is None else ElementTree.SubElement(parent, tag, named)
    element.text = None if text is None else NOT_IN_XML.sub("�", text)
    return element


def percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def pixels(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def html(*elements: Element) -> SafeString:
    """``elements`` as markup for a page."""
    # ElementTree escaped every text and attribute.
    return mark_safe("".join(ElementTree.tostring(element, encoding="unicode") for element in elements))  # noqa: S308


def at(parent: Element, x: float, y: float, **attributes: Any) -> Element:
    """A drawing whose origin is ``x`` percent from the left of ``parent`` and ``y`` pixels from its top."""
    return node(parent, "svg", x=percent(x), y=pixels(y), overflow="visible", **attributes)
