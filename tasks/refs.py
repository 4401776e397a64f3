"""Refs, the names of tasks: the project's key and the number in it, as in ``OPS-42``. Imports nothing of ours."""

import re

#: A ref in a path, in any case.
PATTERN = r"[A-Za-z][A-Za-z0-9]{0,11}-[0-9]{1,9}"
_REF = re.compile(PATTERN)


def ref_of(key: str, number: int) -> str:
    """``OPS-42`` for ``("OPS", 42)``."""
    return f"{key}-{number}"


def parse_ref(text: str) -> tuple[str, int] | None:
    """``("OPS", 42)`` for ``OPS-42`` or ``ops-42``; None if it is not a ref."""
    if not _REF.fullmatch(text):
        return None
    key, _, number = text.partition("-")
    return key.upper(), int(number)


def number_in(key: str, text: str) -> int | None:
    """42 for ``OPS-42`` in the project ``OPS``; None for the ref of another project or anything else."""
    parsed = parse_ref(text)
    return parsed[1] if parsed and parsed[0] == key else None
