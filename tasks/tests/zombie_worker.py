"""A client of the API in its own process, meant to be stopped: ``python -m tasks.tests.zombie_worker URL TOKEN``.

Claims a task and prints it; after the next line of input it tries every write on its run, and prints the answers
as ``[[verb, status, code, reason], …]``.
"""

import json
import sys

import httpx

WRITES = {
    "heartbeat": {},
    "progress": {"percent": 90, "note": "still here"},
    "complete": {"summary": "late", "result": {"late": True}},
    "fail": {"code": "late", "detail": "Too late."},
    "release": {"reason": "late"},
}


def main() -> None:
    url, token = sys.argv[1:]
    with httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        run = http.post("/tasks/claim_next", json={"lease_seconds": 30}).raise_for_status().json()["runs"][0]
        print(json.dumps({"run": run["id"], "ref": run["task"]["ref"]}), flush=True)  # noqa: T201
        sys.stdin.readline()
        answers = []
        for verb, body in WRITES.items():
            answer = http.post(f"/runs/{run['id']}/{verb}", json=body)
            problem = answer.json()
            answers.append([verb, answer.status_code, problem.get("code"), problem.get("reason")])
        print(json.dumps(answers), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
