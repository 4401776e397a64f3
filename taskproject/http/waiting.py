"""Waiting under a plain WSGI server: in the request's thread, limited in number."""

import threading
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from taskproject.api.waiting import WAITING, Places, Waiting

#: How much of a body is read ahead, so that the request can be run again; requests with larger bodies may not wait.
KEPT_BODY_BYTES = 64 * 1024


class WaitingWSGI:
    """Lets requests wait under a plain WSGI server; at most ``most`` wait at once, because each holds a thread."""

    def __init__(self, application: Callable[..., Iterable[bytes]], *, most: int) -> None:
        self.application = application
        self._places = threading.BoundedSemaphore(most)
        # None takes so many that others find no room.
        self.places_of_callers = Places(max(1, most // 4))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > KEPT_BODY_BYTES or "HTTP_TRANSFER_ENCODING" in environ:
            return self.application(environ, start_response)
        body = environ["wsgi.input"].read(int(length)) if int(length) else b""
        waiting = Waiting(self.places_of_callers)
        try:
            while True:
                head: list[Any] = []
                again = {**environ, "wsgi.input": BytesIO(body), WAITING: waiting}
                waiting.begin_run()
                response = self.application(again, lambda *args, head=head: head.extend(args))
                if not waiting.asked:
                    start_response(*head)
                    return response
                try:
                    kept = b"".join(response)
                finally:
                    if hasattr(response, "close"):
                        response.close()
                if not self._woken(waiting):
                    if waiting.answer_stands:
                        start_response(*head)
                        return [kept]
                    waiting.over = True
        finally:
            waiting.end()

    def _woken(self, waiting: Waiting) -> bool:
        """Whether there was a place to wait, and news before the time was over."""
        if not self._places.acquire(blocking=False):
            return False
        try:
            woken = threading.Event()
            waiting.seat.wait(woken.set)
            return woken.wait(waiting.rest())
        finally:
            self._places.release()
