"""Formats: one module each, which reads a file's text into a ``Plan``. To add a format, add its module here."""

import codecs
from collections.abc import Iterable
from typing import Protocol

from tasks.actions.imports import Plan
from tasks.formats import beads, csv_table, foreign, json_list


class Reader(Protocol):
    """What a module of this package offers."""

    #: The name of the format, as ``--format`` takes it.
    NAME: str

    def recognises(self, text: str) -> bool:
        """Whether ``text`` looks like this format; tried in the order of ``READERS``."""

    def read(self, text: str) -> Plan:
        """The plan in ``text``, with every problem found on the way; no content makes it raise."""


READERS: dict[str, Reader] = {reader.NAME: reader for reader in (beads, json_list, csv_table)}


class Unreadable(Exception):
    """The file cannot be read at all; the message is ready to show, also after the file's name and ``separator``."""

    separator = ": "


class UnreadableLine(Unreadable):
    separator = ", "


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8 or UTF-16, with or without a byte order mark. Raises ``Unreadable``."""
    if data.startswith(b"PK\x03\x04"):
        raise Unreadable("This is a spreadsheet or another packed file; save the table as CSV.")
    try:
        return data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        if error.encoding != "utf-8":
            raise Unreadable("The file is in UTF-16 but breaks off in a character; save it as UTF-8.") from None
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableLine(
            f"line {line}: The byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8."
        ) from None


def _encoding(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Without a mark, every second byte of UTF-16 is zero as long as it is ASCII, as the start of a header is.
    if len(data) >= 4 and not data[1] and not data[3]:
        return "utf-16-le"
    if len(data) >= 4 and not data[0] and not data[2]:
        return "utf-16-be"
    return "utf-8-sig"


def recognised(text: str, among: Iterable[Reader] = READERS.values()) -> Reader | None:
    """The reader of the format that ``text`` seems to be in."""
    return next((reader for reader in among if reader.recognises(text)), None)


def reader_for(text: str, name: str = "auto") -> Reader | None:
    """The reader of the format ``name``, or of the one that ``text`` seems to be in; None if nothing fits.

    Raises ``Unreadable`` for the format of a tracker that we know and do not read yet, whatever ``name`` says: none of
    the readers would understand it.
    """
    if tracker := foreign.tracker_of(text):
        raise Unreadable(foreign.sentence(tracker))
    return recognised(text) if name == "auto" else READERS[name]
