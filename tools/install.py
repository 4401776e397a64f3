"""Install what a lock file lists into this Python's environment, and show how far it is.

    .venv/bin/python tools/install.py requirements.lock

Each file must have a hash that the lock names, and nothing is installed that the lock does not list. Needs the
standard library and pip alone.
"""

import argparse
import queue
import re
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from pathlib import Path

PIP = [sys.executable, "-B", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
#: The first words of pip's lines about one package, and the line after which all files are there.
FETCHED = re.compile(
    r"(?:Collecting|Requirement already satisfied:|Processing (?:\S*/)?) ?([A-Za-z0-9._-]+?)(?:-\d\S*|==\S+)?(?: |$)"
)
FETCHED_ALL = "Installing collected packages: "
SIZE = re.compile(r"Downloading \S+ \(([\d.]+ [kMG]?B)\)")
LOOK_SECONDS = 0.25
#: How often a long download says that it goes on where lines cannot be rewritten.
STILL_SECONDS = 10.0


class Progress:
    """One line that is rewritten on a terminal; elsewhere a line for each step."""

    def __init__(self) -> None:
        self.rewrites = sys.stdout.isatty()
        self.text, self.since, self.shown_at = "", time.monotonic(), 0.0

    def show(self, text: str) -> None:
        if text == self.text:
            return
        self.text, self.since = text, time.monotonic()
        self._write(text)

    def still(self) -> None:
        """Show that the step goes on."""
        now = time.monotonic()
        if self.text and now - self.shown_at >= (1.0 if self.rewrites else STILL_SECONDS):
            self._write(f"{self.text}, {now - self.since:.0f} s")

    def end(self) -> None:
        if self.rewrites and self.text:
            sys.stdout.write("\n")

    def _write(self, text: str) -> None:
        self.shown_at = time.monotonic()
        sys.stdout.write(f"\r\033[K  {text[:100]}" if self.rewrites else f"  {text}\n")
        sys.stdout.flush()


def packages_in(lock: Path) -> int:
    """How many packages the lock lists, those for other systems included."""
    return sum(re.match(r"[A-Za-z0-9]", line) is not None for line in lock.read_text().splitlines())


def _lines(process: "subprocess.Popen[str]") -> Iterator[str | None]:
    """The lines of ``process``, and None whenever a moment passes without one."""
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def _installed() -> dict[str, float]:
    """The packages in this environment, and when each was written."""
    folder = Path(sysconfig.get_path("purelib"))
    return {info.name.removesuffix(".dist-info"): info.stat().st_mtime for info in folder.glob("*.dist-info")}


def install(lock: Path, *, compiled: bool, progress: Progress) -> int:
    """Run pip; returns its exit code, after writing what it complained about if that is not 0."""
    # Files of packages are compiled when they are first imported: most never are, and the caches would take 100 MB.
    options = [] if compiled else ["--no-compile"]
    command = [*PIP, "--require-hashes", "--no-deps", *options, "-r", str(lock)]
    complaints: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        reader = threading.Thread(target=lambda: complaints.extend(process.stderr or ()), daemon=True)
        reader.start()
        total, fetched, name, waiting, before = packages_in(lock), 0, "", 0, _installed()
        for line in _lines(process):
            if line is None:
                if new := [name for name, at in _installed().items() if before.get(name) != at] if waiting else []:
                    progress.show(f"written {min(len(new), waiting)} of {waiting} packages")
                progress.still()
            elif line.startswith("Ignoring "):
                total -= 1
            elif match := FETCHED.match(line):
                fetched, name = fetched + 1, match[1]
                progress.show(f"{fetched} of {max(total, fetched)}: {name}")
            elif progress.rewrites and (match := SIZE.search(line)):
                progress.show(f"{fetched} of {max(total, fetched)}: {name}, {match[1]}")
            elif line.startswith(FETCHED_ALL):
                waiting = line.count(",") + 1
                progress.show(f"writing {waiting} packages")
        code = process.wait()
        reader.join()
    progress.end()
    if code:
        sys.stderr.write("".join(line for line in complaints if not line.startswith("WARNING:")))
        sys.stderr.write(f"{lock} was not installed; run the same command again once that is mended.\n")
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lock", type=Path)
    parser.add_argument("--compile", action="store_true", help="Compile all modules now, not at their first import.")
    options = parser.parse_args()
    began = time.monotonic()
    sys.stdout.write(f"Installing what {options.lock} lists into {sys.prefix} …\n")
    compiled = options.compile or sys.dont_write_bytecode
    code = install(options.lock, compiled=compiled, progress=Progress())
    if code == 0:
        sys.stdout.write(f"Installed in {time.monotonic() - began:.0f} s.\n")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
