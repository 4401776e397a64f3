"""Long lists in pieces."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(values: Iterable[T], size: int = 5000) -> Iterator[list[T]]:
    """Slices small enough to be the parameters of one query on every database."""
    listed = list(values)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]
