"""A light client that claims and completes tasks over one persistent connection, so that the server is measured.

Only the standard library and a bare socket: an HTTP library would take more of the two cores than the server does.
Run as a script: ``agent.py HOST PORT TOKEN BATCH`` prints ``ready``, starts when it reads the seconds to work from its
standard input, and prints ``{"done", "calls", "seconds"}``. With BATCH 0 it keeps the lease of one run alive instead.
"""

import json
import socket
import sys
import time
from typing import Any


class Connection:
    """One keep-alive connection that understands just the HTTP/1.1 that these servers send."""

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        self.address = (host, port)
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        self.head = f"Host: {host}:{port}\r\n{bearer}"
        self.calls = 0
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> bytes:
        return self._exchange(f"GET {path} HTTP/1.1\r\n{self.head}\r\n".encode())

    def post(self, path: str, body: bytes) -> Any:
        head = (
            f"POST {path} HTTP/1.1\r\n{self.head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return json.loads(self._exchange(head.encode() + body))

    def _exchange(self, request: bytes) -> bytes:
        self.socket.sendall(request)
        self.calls += 1
        data = self.socket.recv(65536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            if not (more := self.socket.recv(65536)):
                raise ConnectionError("the server closed the connection")
            data += more
        head = data[:end].lower()
        if b" 200 " not in head[:16]:
            raise RuntimeError(f"unexpected answer: {data[:1000]!r}")
        if b"connection: close" in head:
            raise RuntimeError("the server does not keep connections alive")
        at = head.find(b"content-length:")
        if at < 0:
            raise RuntimeError(f"an answer without a length: {head!r}")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        body = data[end + 4 :]
        if len(body) < length:
            parts, missing = [body], length - len(body)
            while missing:
                part = self.socket.recv(min(missing, 262144))
                if not part:
                    raise ConnectionError("the server closed the connection")
                parts.append(part)
                missing -= len(part)
            body = b"".join(parts)
        return body


def claim_and_complete(connection: Connection, batch: int = 1) -> list[str]:
    """Claim up to ``batch`` tasks and complete them, together if there may be several. Returns their refs."""
    runs = connection.post("/api/v1/tasks/claim_next", json.dumps({"limit": batch}).encode() if batch > 1 else b"{}")
    if not (runs := runs["runs"]):
        return []
    if batch == 1:
        done = [connection.post(f"/api/v1/runs/{runs[0]['id']}/complete", b'{"summary": "done"}')]
    else:
        body = json.dumps({"runs": [{"id": run["id"], "summary": "done"} for run in runs]}).encode()
        done = connection.post("/api/v1/runs/complete_many", body)["results"]
    if problems := [result["problem"] for result in done if "problem" in result]:
        raise RuntimeError(f"not completed: {problems[0]}")
    return [result["task"]["ref"] for result in done]


def work(connection: Connection, seconds: float, batch: int) -> int:
    """Claim and complete ``batch`` tasks at a time for ``seconds``. Returns how many tasks."""
    done, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        if not (refs := claim_and_complete(connection, batch)):
            break
        done += len(refs)
    return done


def beat(connection: Connection, run: str, seconds: float) -> int:
    """Renew the lease of a run for ``seconds``. Returns how often."""
    done, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        connection.post(f"/api/v1/runs/{run}/heartbeat", b"{}")
        done += 1
    return done


def main() -> None:
    host, port, token, batch = sys.argv[1:]
    connection = Connection(host, int(port), token)
    beats = batch == "0"
    run = connection.post("/api/v1/tasks/claim_next", b"{}")["runs"][0]["id"] if beats else ""
    print("ready", flush=True)
    for line in sys.stdin:
        began, calls = time.perf_counter(), connection.calls
        seconds = float(line)
        done = beat(connection, run, seconds) if beats else work(connection, seconds, int(batch))
        took = time.perf_counter() - began
        print(json.dumps({"done": done, "calls": connection.calls - calls, "seconds": took}), flush=True)


if __name__ == "__main__":
    main()
