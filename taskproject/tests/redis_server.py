"""The test's own Redis, on a socket in its folder, to be flushed, killed and restarted; and one that never works."""

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest


class RedisServer:
    def __init__(self) -> None:
        # Not the test's folder: the path of a socket has at most 107 bytes.
        self.path = Path(tempfile.mkdtemp(prefix="redis-")) / "redis.sock"
        self.url = f"unix://{self.path}"
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("Only on machines with redis-server")
        options = ["--port", "0", "--unixsocket", str(self.path), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([program, *options], cwd=self.path.parent, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not self.path.exists():
            assert time.monotonic() < until, "redis-server did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """All its data is lost, and every client is disconnected."""
        self.process.kill()
        self.process.wait()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.path.parent)


class BadRedis:
    """Accepts connections; answers each command with ``answer``, or never if there is none."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"redis://127.0.0.1:{self._server.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(wire)
            threading.Thread(target=self._talk, args=[wire], daemon=True).start()

    def _talk(self, wire: socket.socket) -> None:
        try:
            while data := wire.recv(65536):
                # Each command is an array of strings; one answer for each.
                commands = data.count(b"\r\n*") + data.startswith(b"*")
                wire.sendall(self.answer * commands)
        except OSError:
            return

    def close(self) -> None:
        for wire in [self._server, *self._open]:
            wire.close()
