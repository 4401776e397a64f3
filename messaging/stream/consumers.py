"""``/ws/events``: the stream over a websocket. Clients write over HTTP; here they only signal that they are typing."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import urlsplit

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http.request import validate_host

from messaging.stream.admission import admit_follower
from messaging.stream.hub import Follower, Passing, hub
from taskproject.errors import TooManyRequests
from taskproject.guessing import address_of
from tasks.errors import CursorExpired, DomainError, NotAuthenticated, NotFound
from tasks.events.reading import Cursor

logger = logging.getLogger(__name__)

#: Close codes: a registered one where it fits, else 4 followed by the HTTP status.
BAD_REQUEST, NOT_AUTHENTICATED, FORBIDDEN, NOT_FOUND, TOO_MANY, STOPPING = 4400, 4401, 4403, 4404, 4429, 1001
TOO_SLOW = TRY_AGAIN = 1013
ENDED = {
    "too_slow": TOO_SLOW,
    "not_authenticated": NOT_AUTHENTICATED,
    "membership_ended": FORBIDDEN,
    "stopping": STOPPING,
}
RESET = '{"type":"reset"}'


def origin_is_ours(headers: dict[str, str], *, secure: bool) -> bool:
    """Whether a browser's ``Origin`` is exactly this server's, or one of ``CSRF_TRUSTED_ORIGINS``.

    Programs send none; they are identified by their token.
    """
    origin = headers.get("origin")
    if origin is None:
        return "authorization" in headers
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if not validate_host(name, settings.ALLOWED_HOSTS):
        return False
    return origin == f"{'https' if secure else 'http'}://{host}" or origin in settings.CSRF_TRUSTED_ORIGINS


class EventsConsumer(AsyncConsumer):
    """One open socket: admitted, then fed by the hub until it leaves, is sent away, or reads too slowly."""

    # The hub hears the bell for all sockets; a channel-layer queue for each would be useless.
    channel_layer_alias: ClassVar[Any] = None
    feeding: asyncio.Task[None] | None = None
    follower: Follower | None = None

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        secure = settings.USE_TLS or self.scope.get("scheme") == "wss"
        if not origin_is_ours(headers, secure=secure):
            await self.send({"type": "websocket.close", "code": FORBIDDEN})
            raise StopConsumer
        await self.send({"type": "websocket.accept"})
        try:
            follower, after = await hub.in_thread(
                admit_follower, headers, self.scope["query_string"], address=address_of(self.scope)
            )
            hub.enter(follower)
            self.follower = follower
        except CursorExpired:
            await self.send({"type": "websocket.send", "text": RESET})
            await self._close(BAD_REQUEST, "cursor_expired")
        except DomainError as error:
            await self._close(_code_of(error), error.code)
        except (DatabaseError, InterfaceError):
            await self._close(TRY_AGAIN, "unavailable")
        else:
            self.feeding = asyncio.create_task(self._feed(follower, after))

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Signals are passed on; everything else from clients is ignored."""
        if self.follower is None:
            return
        # A signal is not worth a word.
        with suppress(DatabaseError, InterfaceError):
            await hub.signals.receive(self.follower, message.get("text"))

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if self.feeding is not None:
            self.feeding.cancel()
            await asyncio.gather(self.feeding, return_exceptions=True)
        if self.follower is not None:
            # Feeding that never began has not done it.
            hub.leave(self.follower)
        raise StopConsumer

    async def _feed(self, follower: Follower, after: Cursor | None) -> None:
        greeted = False
        try:
            async for batch in hub.stream(follower, after):
                if not greeted:
                    greeted = True
                    first = after if after is not None else batch.cursor
                    await self.send({"type": "websocket.send", "text": f'{{"type":"hello","cursor":"{first}"}}'})
                if batch.events or isinstance(batch, Passing):
                    await self.send({"type": "websocket.send", "text": batch.frame()})
            reason = follower.ended or "stopping"
            if reason == "membership_ended":
                # The client may no longer see what it keeps of that project.
                await self.send({"type": "websocket.send", "text": RESET})
            await self._close(ENDED[reason], reason)
        except (OSError, RuntimeError):
            # The client left while we wrote; its disconnect will follow.
            pass
        except Exception:
            logger.exception("A socket could not be fed.")
            await self._close(1011, "error")
        finally:
            hub.leave(follower)

    async def _close(self, code: int, reason: str) -> None:
        await self.send({"type": "websocket.close", "code": code, "reason": reason})


def _code_of(error: DomainError) -> int:
    match error:
        case NotAuthenticated():
            return NOT_AUTHENTICATED
        case NotFound():
            return NOT_FOUND
        case TooManyRequests():
            return TOO_MANY
    return BAD_REQUEST
