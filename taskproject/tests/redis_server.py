"""The test's own Redis, on a socket in its folder, to be flushed, killed and restarted."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "redis.sock"
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
