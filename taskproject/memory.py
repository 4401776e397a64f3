"""How much memory a server process takes and gives back: the C library's allocator, and what idle connections hold.

Python's own objects are few here; what grew were the pages of SQLite's caches (bounded in ``taskproject.sqlite``) and
the allocator, which gives each of many threads a pool of its own and keeps what these no longer use.
"""

import ctypes
import sys
from contextlib import suppress
from functools import cache
from typing import Any, Final

from django.db import Error, connections

#: Numbers of glibc's ``mallopt`` (malloc.h).
_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
#: Threads share so many pools. Python's lock lets one of them allocate at a time, but for SQLite's and the driver's.
ARENAS: Final = 2
#: Blocks from this size on go back to the system at once, wherever they lie. Fixed: glibc would raise it to the largest
#: block ever freed, and such blocks would then tear holes that stay.
MAPPED_FROM_BYTES: Final = 128 * 1024


@cache
def _allocator() -> Any:
    """The C library, if it is glibc; else None: others bound themselves, or have no such knobs."""
    if not sys.platform.startswith("linux"):
        return None
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        _ = library.gnu_get_libc_version, library.mallopt, library.malloc_trim
        return library
    return None


def bound() -> None:
    """Bound the allocator's pools; to be called before a server starts its threads. Does nothing without glibc."""
    if (library := _allocator()) is not None:
        library.mallopt(_M_ARENA_MAX, ARENAS)
        library.mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)


def give_back() -> None:
    """Give back what this thread's connections cache and what the allocator keeps: for a thread that is idle now."""
    for connection in connections.all(initialized_only=True):
        if connection.vendor == "sqlite" and connection.connection is not None and not connection.in_atomic_block:
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute("PRAGMA shrink_memory")
    if (library := _allocator()) is not None:
        library.malloc_trim(0)
