"""One signed request: to an address that was checked, within a time that nothing extends, without redirects.

httpcore speaks HTTP over the sockets that are opened here. It is used without httpx, which would follow the proxies of
the environment: a proxy resolves names again, and past every check.
"""

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import certifi
import httpcore

from messaging.webhooks.addresses import Address, Refused, Unresolved, read_url, resolve

#: For everything: looking up the name, connecting, TLS, sending, and reading the answer.
SECONDS = 15.0
#: Of an answer's body, how much is read, and kept to be shown.
READ_BYTES = 4_096

# At level DEBUG it would write the headers, with the signatures.
logging.getLogger("httpcore").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Answer:
    """What came back: a status with the first bytes of the body, or in ``error`` why nothing did."""

    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: str = ""
    error: str = ""
    seconds: float = 0.0

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Deadline:
    """A moment that is the same for every step; each gets what is left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left. Raises ``TimeoutError`` if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Stream(httpcore.NetworkStream):
    """A connection whose every step has until the deadline, however little it brings at a time.

    Python gives TLS the whole timeout for a call (handshake, read or write), and a plain socket for one system call.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _named(httpcore.ReadTimeout, httpcore.ReadError):
            self._connection.settimeout(self._deadline.left())
            return self._connection.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _named(httpcore.WriteTimeout, httpcore.WriteError):
            while buffer:
                self._connection.settimeout(self._deadline.left())
                buffer = buffer[self._connection.send(buffer) :]

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        with _named(httpcore.ConnectTimeout, httpcore.ConnectError):
            try:
                self._connection.settimeout(self._deadline.left())
                wrapped = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
            except BaseException:
                self.close()
                raise
        return Stream(wrapped, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return None


class Pinned(httpcore.NetworkBackend):
    """Connects to the given addresses alone, in turn, whatever host is asked for."""

    def __init__(self, addresses: Sequence[Address], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        with _named(httpcore.ConnectTimeout, httpcore.ConnectError):
            for place, address in enumerate(self._addresses):
                # What does not answer must leave time for the others.
                rest = self._deadline.left() / (len(self._addresses) - place)
                try:
                    connection = socket.create_connection((str(address), port), rest)
                except OSError:
                    if address == self._addresses[-1]:
                        raise
                else:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return Stream(connection, self._deadline)
        raise httpcore.ConnectError("no address")


@contextlib.contextmanager
def _named(timeout: type[Exception], failure: type[Exception]) -> Any:
    """httpcore's names for the errors of a socket."""
    try:
        yield
    except TimeoutError as error:
        raise timeout(error) from error
    except OSError as error:
        raise failure(error) from error


@cache
def tls_context() -> ssl.SSLContext:
    """Checks certificates against the system's authorities (also those of ``SSL_CERT_FILE``) and certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def post(url: str, headers: Mapping[str, str], body: bytes, *, seconds: float = SECONDS) -> Answer:
    """Send ``body`` to ``url`` once; never raises for what is wrong with the URL, the network or the other side.

    The name is resolved here, once, and the connection goes to an address that was judged. A redirect is an answer like
    any other. Of the body of the answer the first ``READ_BYTES`` are read, as far as they come in time.
    """
    began = time.monotonic()
    answer = _post(url, headers, body, Deadline(seconds))
    return Answer(answer.status, answer.headers, answer.body, answer.error, time.monotonic() - began)


def _post(url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Answer:
    try:
        target = read_url(url)
        addresses = resolve(target, seconds=deadline.left())
        pinned = Pinned(addresses, deadline)
    except (Refused, Unresolved) as error:
        return Answer(error=str(error))
    except TimeoutError:
        return Answer(error="The name could not be resolved in time.")
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    # Read here, not left to httpcore, whose reading of a URL is more lenient.
    authority = (target.scheme.encode(), target.host.encode(), target.port, target.path.encode())
    place = httpcore.URL(scheme=authority[0], host=authority[1], port=authority[2], target=authority[3])
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls_context(), network_backend=pinned, max_connections=1) as pool,
            pool.stream("POST", place, headers=[(b"Host", _host_header(target)), *encoded], content=body) as response,
        ):
            named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, named, _beginning(response))
    except (httpcore.TimeoutException, TimeoutError):
        return Answer(error="No answer in time.")
    except httpcore.ConnectError as error:
        return Answer(error=f"No connection: {_reason(error)}.")
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        return Answer(error=f"No answer that can be read: {_reason(error)}.")


def _host_header(target: Any) -> bytes:
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = {"https": 443, "http": 80}[target.scheme]
    return (host if target.port == usual else f"{host}:{target.port}").encode()


def _beginning(response: httpcore.Response) -> str:
    """The first bytes of the body as text, as far as they come: whether it was accepted, the status has said."""
    read = b""
    with contextlib.suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        for chunk in response.iter_stream():
            read += chunk
            if len(read) >= READ_BYTES:
                break
    return read[:READ_BYTES].decode(errors="replace").replace("\0", "\ufffd")


def _reason(error: Exception) -> str:
    # What ``_named`` has put in; httpcore drops the cause.
    cause = next((each for each in error.args if isinstance(each, Exception)), error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not valid ({cause.verify_message})"
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split()).rstrip(".")[:200]
