"""Sentences under a report about what its figures leave out."""


def on_inferred(inferred: int) -> tuple[str, ...]:
    """How many of those counted have a time that nobody wrote down."""
    return (
        (f"{inferred:,} of these {_has(inferred)} a time that a file implies and does not give.",) if inferred else ()
    )


def on_durations(counted: int, completed: int, what: str) -> tuple[str, ...]:
    """How many of those counted are not in ``what``, such as "cycle time", because a time of theirs is not known."""
    missing = completed - counted
    if not missing:
        return ()
    return (f"{missing:,} of {completed:,} completed {_has(missing)} no known {what}.",)


def _has(count: int) -> str:
    return "has" if count == 1 else "have"
