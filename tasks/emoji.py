"""What counts as one emoji under a message. Imports nothing of ours.

The shape of Unicode's *UTS #51*, section 1.4.9: one element, or several joined by ZWJ; an element is a pictograph, a
flag or a keycap. Blocks instead of single characters, so that new ones need no new version.
"""

import re

LONGEST = 16

_PICTOGRAPH = (
    "[\U0001f000-\U0001f1e5\U0001f200-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\u2190-\u21ff\u25a0-\u25ff"
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u24c2\u2934\u2935\u3030\u303d\u3297\u3299]"
)
_ELEMENT = (
    rf"(?:{_PICTOGRAPH}[\U0001f3fb-\U0001f3ff]?\ufe0f?"
    "|[\U0001f1e6-\U0001f1ff]{2}"
    "|[0-9#*]\ufe0f?\u20e3"
    "|\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f)"
)
_EMOJI = re.compile(rf"{_ELEMENT}(?:\u200d{_ELEMENT})*")


def is_emoji(text: str) -> bool:
    """Whether ``text`` is exactly one emoji of at most ``LONGEST`` characters."""
    return len(text) <= LONGEST and _EMOJI.fullmatch(text) is not None
