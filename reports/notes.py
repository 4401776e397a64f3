"""Sentences under a report about what its figures leave out."""


def on_inferred(inferred: int) -> tuple[str, ...]:
    """How many of those counted have a time that nobody wrote down."""
    return (
        (f"{inferred:,} of these {_has(inferred)} a time that a file implies and does not give.",) if inferred else ()
    )


def on_durations(counted: int, among: int, what: str, *, which: str = "completed") -> tuple[str, ...]:
    """How many of those counted are not in ``what``, such as "cycle time", because a time of theirs is not known.

    ``which`` says which those are, if there is a word for it.
    """
    missing = among - counted
    if not missing:
        return ()
    those = f"{among:,} {which}".rstrip()
    return (f"{missing:,} of {those} {_has(missing)} no known {what}.",)


def _has(count: int) -> str:
    return "has" if count == 1 else "have"
