"""Two hundred sockets in one light process that count what arrives, so that the server is measured.

Only the standard library. Run as a script: ``fanout_clients.py KIND PORT SOCKETS TOKEN`` (KIND: ours, flask) prints
``ready`` once all are connected. Each line on standard input is the number of events to wait for on every socket; the
answer is ``{"last": …, "arrived": {number: [seconds, …]}}``, by the clock of the machine.
"""

import base64
import json
import os
import re
import select
import socket
import sys
import time

#: What our events and theirs have in common: the event's number.
MARK = re.compile(rb'"open":(\d+)[,}]')
LONGEST_MARK = 32
PATIENCE = 120
PATHS = {"ours": "/ws/events", "flask": "/socket.io/?EIO=4&transport=websocket"}


def text_frame(text: str) -> bytes:
    """A short text as a client's websocket frame, masked with zeros."""
    raw = text.encode()
    return bytes([0x81, 0x80 | len(raw), 0, 0, 0, 0]) + raw


def connect(kind: str, port: int, token: str) -> socket.socket:
    """An accepted socket that receives every event from now on."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        f"GET {PATHS[kind]} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    if kind == "ours":
        head.append(f"Authorization: Bearer {token}")
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    if kind == "ours":
        wait_for(connection, b'"hello"')
    else:
        wait_for(connection, b'"sid"')
        connection.sendall(text_frame("40"))
        wait_for(connection, b"40{")
    connection.setblocking(False)
    return connection


def wait_for(connection: socket.socket, word: bytes) -> None:
    data = b""
    while word not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(f"the server closed the connection: {data[:500]!r}")
        data += more


def collect(sockets: dict[int, socket.socket], poll: select.epoll, events: int) -> dict[str, object]:
    missing = events * len(sockets)
    arrived: dict[int, list[float]] = {}
    rests = dict.fromkeys(sockets, b"")
    until = time.time() + PATIENCE
    while missing > 0:
        if time.time() > until:
            raise TimeoutError(f"{missing} deliveries never came")
        for number, _ in poll.poll(1):
            data = sockets[number].recv(262144)
            now = time.time()
            if not data:
                raise ConnectionError("the server closed a connection")
            data = rests[number] + data
            end = 0
            for match in MARK.finditer(data):
                arrived.setdefault(int(match[1]), []).append(now)
                missing -= 1
                end = match.end()
            rests[number] = data[max(end, len(data) - LONGEST_MARK) :]
    return {"last": now, "arrived": arrived}


def main() -> None:
    kind, port, count, token = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    opened = [connect(kind, port, token) for _ in range(count)]
    sockets = {connection.fileno(): connection for connection in opened}
    poll = select.epoll()
    for number in sockets:
        poll.register(number, select.EPOLLIN)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(collect(sockets, poll, int(line))), flush=True)


if __name__ == "__main__":
    main()
