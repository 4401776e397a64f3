"""Where the server listens. Needs the standard library alone, so that a port in use is known before an install:

python3 -m taskproject.server.address --port 8000
"""

import argparse
import errno
import socket
import sys
from collections.abc import Sequence

HOST = "127.0.0.1"
PORT = 8000
#: Connections that the system holds until they are accepted.
BACKLOG = 2048


class AddressError(Exception):
    """The server cannot listen there; the message says why in one sentence."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default=HOST, help="Address to listen on (default: this machine only).")
    parser.add_argument("--port", type=int, default=PORT, help=f"Default: {PORT}; 0 picks a free one.")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, opened before anything is changed; port 0 picks a free one. Raises ``AddressError``."""
    if not 0 <= port <= 65535:
        raise AddressError("--port: Must be from 0 to 65535.")
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a name"
        raise AddressError(f"--host {host!r} is not an address of this machine ({reason}).") from None
    family, kind, protocol, _, address = addresses[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressError(f"Port {port} of {host} is in use; choose another with --port.") from None
        if error.errno == errno.EACCES:
            raise AddressError(f"Port {port} needs more privileges than you have; choose one above 1023.") from None
        raise AddressError(f"The server cannot listen on {host}:{port} ({error.strerror}).") from None
    listener.set_inheritable(False)
    return listener


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 if ``up`` with these arguments could listen, 2 and a sentence if not; its other options pass."""
    parser = argparse.ArgumentParser("manage.py up", add_help=False)
    add_arguments(parser)
    options, _ = parser.parse_known_args(arguments)
    try:
        listen(options.host, options.port).close()
    except AddressError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
