"""The demo agent against a stub of the API: outcomes, lost leases, silence, stopping."""

import random
import re
from types import SimpleNamespace

import pytest

from tasks.demo import worker as demo_worker
from tasks.demo.client import Refused
from tasks.demo.handover import follow_up
from tasks.demo.lines import QUESTIONS
from tasks.demo.worker import Lease, Stopped, Worker, make_reporter
from tasks.questions import problem_of, problems_of_shape
from tasks.verbs import catalogue


class API:
    """Stands in for ``Client``: hands out ``runs``, keeps what was posted, raises what ``refusals`` has for a path."""

    def __init__(self, *tasks, refusals=None, replies=None):
        self.waiting = [
            {"id": f"run-{number}", "number": 1, "task": {"ref": ref, "title": ref, "criteria": ["holds"]}}
            for number, ref in enumerate(tasks, 1)
        ]
        self.refusals = refusals or {}
        self.replies = replies or {}
        self.posted = []
        self.once = []

    def get(self, path):
        return {"agent": {"slug": "demo-1"}, "projects": [{"key": "DEMO"}]}

    def post(self, path, body, **kwargs):
        self.posted.append((path, body))
        self.once.append((path, kwargs.get("once", True)))
        verb = path.rpartition("/")[2]
        if verb in self.refusals:
            raise self.refusals[verb]
        if verb == "claim_next":
            runs, self.waiting = self.waiting[:1], self.waiting[1:]
            return {
                "runs": runs,
                "reason": None if runs else "no_ready_task",
                "retry_after_seconds": None if runs else 1,
            }
        if verb == "tasks":
            return {"ref": "DEMO-99"}
        return self.replies.get(verb, {})

    def verbs(self):
        return [path.rpartition("/")[2] for path, _ in self.posted]


@pytest.fixture
def reported():
    return []


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that advances at once when something sleeps."""

    class Clock:
        now = 0.0

    def sleep(seconds):
        Clock.now += max(seconds, 0.001)

    monkeypatch.setattr(demo_worker.time, "sleep", sleep)
    monkeypatch.setattr(demo_worker.time, "monotonic", lambda: Clock.now)
    return Clock


def worker_for(api, reported, **options):
    options = {"pace": 0, "failures": 0, "silences": 0, "until_idle": 1} | options
    return Worker(api, lambda event, **data: reported.append((event, data)), **options)


def lease_lost():
    return Refused(409, {"code": "lease_lost", "detail": "This run is over.", "reason": "expired"})


def test_run_goes_from_claim_over_progress_to_completion(reported):
    api = API("DEMO-1")
    worker_for(api, reported).live()
    assert re.fullmatch("claim_next (progress ){3,5}complete (claim_next ?)+", " ".join(api.verbs()))
    done = next(body for path, body in api.posted if path == "runs/run-1/complete")
    assert done["criteria"] == [{"criterion": "holds", "met": True}]
    assert done["usage"]["input_tokens"] > 0
    percents = [body["percent"] for path, body in api.posted if path.endswith("progress")]
    assert percents == sorted(set(percents))
    assert reported[-1][0] == "idle"


def test_same_seed_has_the_same_day(reported):
    days = []
    for _ in range(2):
        api = API("DEMO-1", "DEMO-2", "DEMO-3")
        worker_for(api, reported, seed=7, failures=0.5).live()
        days.append(api.posted)
    assert days[0] == days[1]


def test_failure_is_retryable_and_ends_the_run(reported):
    api = API("DEMO-1")
    worker_for(api, reported, failures=1).live()
    assert "complete" not in api.verbs()
    assert next(body for path, body in api.posted if path.endswith("/fail"))["retryable"] is True


def runs_of(label, numbers):
    api = API(*(["DEMO-1"] * len(numbers)), replies={"ask": ASKED})
    for run, number in zip(api.waiting, numbers, strict=True):
        run["number"] = number
        run["task"]["labels"] = ["pages", label]
    return api


def test_labels_of_the_plan_decide_what_happens_whoever_gets_the_task(reported):
    flaky = runs_of("flaky", [1, 2, 3])
    worker_for(flaky, reported, silences=1).live()
    assert [verb for verb in flaky.verbs() if verb in ("fail", "complete")] == ["fail", "fail", "complete"]
    hopeless = runs_of("hopeless", [1])
    worker_for(hopeless, reported).live()
    [failure] = [body for path, body in hopeless.posted if path.endswith("/fail")]
    assert failure["retryable"] is False
    asking = runs_of("asks", [1, 2])
    worker_for(asking, reported).live()
    [asked] = [body for path, body in asking.posted if path.endswith("/ask")]
    assert asked["park"] is True
    assert {"default", "expires_in_seconds"}.isdisjoint(asked), "it waits for a person"
    assert asking.verbs().count("complete") == 1


def test_second_run_of_a_task_never_fails(reported):
    api = API("DEMO-1")
    api.waiting[0]["number"] = 2
    worker_for(api, reported, failures=1).live()
    assert "complete" in api.verbs()


def test_silent_agent_wakes_after_its_lease_and_is_refused(reported):
    api = API("DEMO-1", refusals={"complete": lease_lost()})
    worker_for(api, reported, silences=1).live()
    assert [event for event, _ in reported if event in ("silent", "lease_lost", "completed")] == [
        "silent",
        "lease_lost",
    ]


def test_lost_lease_stops_the_run_at_once(reported):
    api = API("DEMO-1", "DEMO-2", refusals={"progress": lease_lost()})
    worker_for(api, reported).live()
    assert api.verbs()[:4] == ["claim_next", "progress", "claim_next", "progress"]
    assert "complete" not in api.verbs()


def test_lease_lost_at_a_heartbeat_writes_nothing_more(reported):
    api = API("DEMO-1")
    worker = worker_for(api, reported, pace=1)
    with Lease(api, api.waiting[0]) as lease:
        lease.lost = "This run is over."
        with pytest.raises(demo_worker.LeaseLost):
            worker.pause(1, lease)
        with pytest.raises(demo_worker.LeaseLost):
            worker.post(lease, api.waiting[0], "progress", {})
    assert api.posted == []


def test_stop_directive_releases_the_task(reported):
    api = API("DEMO-1", replies={"progress": {"directives": [{"kind": "stop"}]}})
    worker_for(api, reported).live()
    assert api.verbs()[:3] == ["claim_next", "progress", "release"]


def test_refusal_after_a_stop_releases_the_task_and_acknowledges_it(reported):
    stop = {"id": "m3", "kind": "stop", "from": "ada", "body": "Wrong branch."}
    refused = Refused(409, {"code": "stop_requested", "detail": "Stop.", "directives": [stop]})
    api = API("DEMO-1", refusals={"progress": refused})
    worker_for(api, reported).live()
    assert api.posted[2] == ("runs/run-1/release", {"reason": "Asked to stop.", "ack": ["m3"]})
    stopped = {"task": "DEMO-1", "kind": "stop", "by": "ada", "body": "Wrong branch."}
    assert [event for event in reported if event[0] in ("told", "released", "progressed")] == [
        ("told", stopped),
        ("released", {"task": "DEMO-1"}),
    ]


def test_instruction_is_told_once_and_acknowledged_with_the_next_call(reported):
    said = {"id": "m4", "kind": "instruction", "from": "ada", "body": "Use the staging keys."}
    api = API("DEMO-1", replies={"progress": {"directives": [said]}})
    worker_for(api, reported).live()
    bodies = [body for path, body in api.posted if path.startswith("runs/")]
    assert [body.get("ack") for body in bodies] == [None, *[["m4"]] * (len(bodies) - 1)]
    assert [data["body"] for event, data in reported if event == "told"] == ["Use the staging keys."]


def test_token_that_is_refused_ends_the_agent(reported):
    api = API("DEMO-1", refusals={"progress": Refused(401, {"code": "not_authenticated", "detail": "Revoked."})})
    with pytest.raises(Refused, match="Revoked"):
        worker_for(api, reported).live()


def test_idle_agent_creates_follow_ups_as_many_as_it_may(reported, clock):
    api = API()
    worker_for(api, reported, follow_ups=2, until_idle=100).live()
    created = [body for path, body in api.posted if path == "tasks"]
    assert [body["project"] for body in created] == ["DEMO", "DEMO"]
    assert len({body["title"] for body in created}) == 2


def test_agent_that_rests_leaves_nothing_to_keep_behind(reported):
    api = API("DEMO-1")
    worker_for(api, reported, until_idle=100).live()
    looks = [once for path, once in api.once if path == "tasks/claim_next"]
    assert looks[:3] == [True, True, False]
    assert set(looks[2:]) == {False}
    assert all(once for path, once in api.once if path.endswith("/complete"))


def test_stopped_agent_gives_its_task_back(reported):
    api = API("DEMO-1", refusals={"progress": Stopped()})
    worker = worker_for(api, reported)
    with pytest.raises(Stopped):
        worker.live()
    worker.let_go()
    assert api.posted[-1] == ("runs/run-1/release", {"reason": "The agent was stopped."})


def test_printed_line_holds_no_control_characters(capsys):
    make_reporter(lambda: "demo-1", False, False)("claimed", task="DEMO-1", title="a\x1b[2Jb\nc")
    assert capsys.readouterr().out == "demo-1     claimed    DEMO-1 a?[2Jb?c\n"


def test_printed_json_is_one_object_a_line(capsys):
    make_reporter(lambda: "demo-1", True, False)("claimed", task="DEMO-1", title="a\nb")
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert '"event": "claimed"' in out


def test_usage_is_never_negative():
    assert all(value > 0 for value in demo_worker.usage(random.Random(1)).values())


def test_run_shows_its_plan_and_hands_over_what_the_api_takes(reported):
    comment = {"artifact": "report.md", "line": 3, "body": "Say more."}
    api = API("DEMO-1")
    api.waiting[0]["context"] = {"feedback": [{"note": "x", "comments": [comment]}]}
    worker_for(api, reported, site="http://127.0.0.1:1/", follow_ups=3).live()
    plans = [body["plan"] for path, body in api.posted if path.endswith("progress")]
    assert [sum(step["status"] == "completed" for step in plan) for plan in plans] == list(range(1, len(plans) + 1))
    first = next(body for path, body in api.posted if path.endswith("progress"))
    assert catalogue.PROGRESS.problems(first) == {}
    assert first["external_url"] == "http://127.0.0.1:1/tasks/DEMO-1#timeline"
    done = next(body for path, body in api.posted if path == "runs/run-1/complete")
    assert catalogue.COMPLETE.problems(done) == {}
    assert "Line 3 of report.md" in done["artifacts"][0]["text"]
    assert (
        catalogue.COMPLETE.problems({"summary": "x", "follow_ups": [follow_up(number) for number in range(16)]}) == {}
    )


ASKED = {"questions": [{"id": 7, "prompt": "Shall I?"}], "run": {"directives": []}}


def test_worker_that_asks_parked_leaves_the_run_and_goes_on_with_the_answer(reported):
    api = API("DEMO-1", replies={"ask": ASKED})
    again = {"id": "run-2", "number": 2, "task": {"ref": "DEMO-1", "title": "x"}}
    api.waiting.append(again | {"context": {"answers": [{"question": 7, "value": "Both"}]}})
    worker_for(api, reported, asks="parked").live()
    assert re.fullmatch(
        "claim_next progress ask claim_next (progress ){3,5}complete (claim_next ?)+", " ".join(api.verbs())
    )
    asked = next(body for path, body in api.posted if path == "runs/run-1/ask")
    assert asked["park"] is True
    assert ("answered", {"task": "DEMO-1", "value": "Both"}) in reported


def test_worker_that_asks_running_on_hears_the_answer_and_acknowledges_it(reported):
    answer = {"id": "q7", "kind": "answer", "question": 7, "value": True}
    api = API("DEMO-1", replies={"ask": ASKED, "progress": {"directives": [answer]}})
    worker_for(api, reported, asks="running").live()
    assert "complete" in api.verbs()
    assert ("answered", {"task": "DEMO-1", "value": True}) in reported
    assert any(body.get("ack") == ["q7"] for _, body in api.posted)


def test_questions_of_the_demo_are_valid():
    for how, fields in QUESTIONS.items():
        question = SimpleNamespace(**{"options": [], "multi": False, "strict": False, "schema": None} | fields)
        assert problems_of_shape(question) == {}, how
        assert problem_of(question, fields.get("default", "Both")) is None
        assert not catalogue.ASK.problems(fields)
