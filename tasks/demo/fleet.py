"""Demo agents as separate processes: start, tend, stop; none of them outlives the process that started it."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
#: The part of the environment that a worker gets: what Python itself needs, and none of the server's secrets.
KEPT_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SYSTEMROOT",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
)
RESTART_SECONDS = 5.0


class Fleet:
    """A worker process for each token, all with the same ``options`` (arguments of ``tasks.demo.worker``).

    ``first_options`` are for the first worker only, and ``own_options`` for each by its place; not for one that takes
    its place. Tokens travel through the
    workers' standard input, which stays open as a lifeline: however this process dies, the workers see their input end
    and stop.
    """

    def __init__(
        self,
        url: str,
        tokens: Sequence[str],
        options: Sequence[str] = (),
        *,
        first_options: Sequence[str] = (),
        own_options: Sequence[Sequence[str]] = (),
    ) -> None:
        self.url = url
        self.tokens = list(tokens)
        self.options = list(options)
        self.own_options = [list(own) for own in own_options] + [[]] * (len(tokens) - len(own_options))
        if self.own_options:
            self.own_options[0] = [*first_options, *self.own_options[0]]
        self._workers: list[subprocess.Popen[bytes]] = []
        self._restart_at: dict[int, float] = {}
        self._stopping = False

    def start(self) -> None:
        self._workers = [self._start(index, self.own_options[index]) for index in range(len(self.tokens))]

    def _start(self, index: int, extra: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tasks.demo.worker", "--url", self.url, "--lifeline", *self.options, *extra]
        worker = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            command,
            cwd=BASE_DIR,
            env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
            stdin=subprocess.PIPE,
            # Ctrl-C at the terminal goes to this process alone, which then stops its workers in order.
            start_new_session=True,
        )
        assert worker.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            worker.stdin.write(f"{self.tokens[index]}\n".encode())
            worker.stdin.flush()
        return worker

    def running(self) -> int:
        return sum(worker.poll() is None for worker in self._workers)

    def wait(self) -> int:
        """Wait until every worker has ended by itself; return 0 if all of them succeeded."""
        return max((1 if worker.wait() else 0 for worker in self._workers), default=0)

    def tend(self) -> None:
        """Restart a killed worker after a pause; one that ended by itself stays ended."""
        if self._stopping:
            return
        now = time.monotonic()
        for index, worker in enumerate(self._workers):
            if (worker.poll() or 0) >= 0:
                continue
            due = self._restart_at.setdefault(index, now + RESTART_SECONDS)
            if now >= due:
                del self._restart_at[index]
                self._workers[index] = self._start(index)

    def ask_to_stop(self) -> None:
        """Send each worker SIGTERM; it gives back its task and ends."""
        self._stopping = True
        for worker in self._workers:
            if worker.poll() is None:
                worker.terminate()

    def stop(self, seconds: float = 3.0) -> None:
        """Ask all workers to stop, and kill those still running after ``seconds``."""
        self.ask_to_stop()
        until = time.monotonic() + seconds
        for worker in self._workers:
            try:
                worker.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            if worker.stdin is not None:
                with contextlib.suppress(OSError):
                    worker.stdin.close()
