"""Facts on their way to an engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """Facts as SQL.

    ``sql`` names and defines the table ``facts`` for a ``WITH``, with ``params``. Its column ``grp`` is the group of a
    fact; ``alias`` says which column each measured one is called by.
    """

    sql: str
    params: Sequence[Any]
    alias: Mapping[str, str]
