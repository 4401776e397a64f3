"""Our side of the fan-out: a server whose own process records events when told to, or only the part that records.

``python -m bench.fanout_ours PORT`` serves; ``… 0`` records for servers in other processes. A line ``COUNT PER_SECOND``
on its standard input records so many events, each in a transaction of its own: as fast as it goes where PER_SECOND is
0, all in one transaction where it is -1. The answer is ``{"began", "commits": {number: seconds}}``.
"""

import itertools
import json
import os
import sys
import threading
import time

import uvicorn

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
from taskproject import asgi

numbers = itertools.count(1)


def record_events(count: int, per_second: float) -> dict[str, object]:
    from tasks import clock
    from tasks.events.recording import event, record
    from tasks.models import Event, Project

    project = Project.objects.first()
    chosen = list(itertools.islice(numbers, count))

    def told(number: int) -> Event:
        return event("task.progressed", at=clock.now(), actor=None, project=project, bench=number)

    began = time.time()
    if per_second < 0:
        record(*(told(number) for number in chosen))
        return {"began": began, "commits": dict.fromkeys(chosen, time.time())}
    commits = {}
    for turn, number in enumerate(chosen):
        if per_second:
            time.sleep(max(0.0, began + turn / per_second - time.time()))
        record(told(number))
        commits[number] = time.time()
    return {"began": began, "commits": commits}


def obey() -> None:
    for line in sys.stdin:
        count, per_second = line.split()
        print(json.dumps(record_events(int(count), float(per_second))), flush=True)


def main() -> None:
    port = int(sys.argv[1])
    if not port:
        obey()
        return
    threading.Thread(target=obey, daemon=True).start()
    uvicorn.run(asgi.application, port=port, ws="websockets-sansio", log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
