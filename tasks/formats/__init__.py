"""Formats: one module each, which reads a file's text into a ``Plan``. To add a format, add its module here."""

from collections.abc import Iterable
from typing import Protocol

from tasks.actions.imports import Plan
from tasks.formats import beads, csv_table, json_list


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
    """The file cannot be read as text at all; the message is ready to show."""


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises ``Unreadable``."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("The file is in UTF-16; save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            f"line {line}: The byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8."
        ) from None


def recognised(text: str, among: Iterable[Reader] = READERS.values()) -> Reader | None:
    """The reader of the format that ``text`` seems to be in."""
    return next((reader for reader in among if reader.recognises(text)), None)
