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
        file: tuple[str, str, bytes] | None = None,
    ) -> None: ...


#: Filled by the project, which knows all apps.
posts: list[Post] = []
