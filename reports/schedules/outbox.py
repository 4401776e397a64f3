"""The way to the outbox of mails, which belongs to another app: the site fills it in."""

from collections.abc import Sequence
from typing import Any, Protocol


class Post(Protocol):
    """Puts a mail into the outbox in the caller's transaction; once for each ``key``."""

    def __call__(
        self,
        *,
        recipient: Any,
        key: str,
        subject: str,
        text: str,
        path: str = "",
        projects: Sequence[int] = (),
        stop: str = "",
        file: tuple[str, str, bytes] | None = None,
    ) -> None: ...


class Outcomes(Protocol):
    """By ``key``, what has become of mails, a sentence each; those that are forgotten are left out."""

    def __call__(self, keys: Sequence[str]) -> dict[str, str]: ...


#: Filled by the project, which knows all apps.
posts: list[Post] = []
outcomes: list[Outcomes] = []


def outcomes_of(keys: Sequence[str]) -> dict[str, str]:
    """What has become of the mails with these keys, as far as it is known."""
    return {key: words for each in outcomes for key, words in each(keys).items()}
