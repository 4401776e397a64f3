"""Agents that wait in ``claim_next``, each on its own connection, and ask again after every answer.

Only the standard library, like ``bench.agent``. Run as a script: ``waiting_agents.py HOST PORT`` reads a JSON list of
tokens from standard input, connects them one by one, prints ``ready`` when all are connected, and continues until it
is stopped. On SIGTERM it prints ``{"answered": …}``: how often each kind of answer came.
"""

import asyncio
import json
import signal
import sys
from collections import Counter

WAIT_SECONDS = 30
ARRIVALS_A_SECOND = 40


async def wait_for_work(host: str, port: int, token: str, answered: Counter[str]) -> None:
    body = json.dumps({"wait_seconds": WAIT_SECONDS})
    request = (
        f"POST /api/v1/tasks/claim_next HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer = json.loads(await reader.readexactly(int(length.split(b":")[1])))
        answered["task" if answer.get("runs") else str(answer.get("reason", answer))] += 1


async def main() -> None:
    host, port = sys.argv[1], int(sys.argv[2])
    answered: Counter[str] = Counter()
    waiting = []
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    for token in json.loads(sys.stdin.readline()):
        waiting.append(asyncio.create_task(wait_for_work(host, port, token, answered)))
        await asyncio.sleep(1 / ARRIVALS_A_SECOND)
    print("ready", flush=True)
    await stop.wait()
    if broken := [task.exception() for task in waiting if task.done()]:
        raise RuntimeError(f"{len(broken)} were disconnected: {broken[0]!r}")
    print(json.dumps({"answered": answered}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
