"""The checklist that a run reports, and the way to its own log: the words, the limits, and where they show."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from taskproject.texts import host_of, wrong_url
from tasks.actions import claims, runs
from tasks.models import Event, Run

pytestmark = pytest.mark.django_db

PLAN = [
    {"content": "Read the logs", "status": "completed"},
    {"content": "Look <b>again</b>", "status": "skipped"},
    {"content": "Mend it", "status": "in_progress", "priority": "high"},
    {"content": "Write it down", "status": "pending"},
]
LOG = "https://logs.example.org/runs/7"


@pytest.fixture
def run(cast, new_task):
    return claims.claim_task(actor=cast.atlas.user, task=new_task())


def test_progress_with_a_plan_shows_it_on_task_page_card_and_api(api, cast, run, client):
    answer = api.atlas.post(f"/runs/{run.pk}/progress", {"plan": PLAN, "external_url": LOG})
    assert answer.status_code == 200
    run.refresh_from_db()
    assert (run.plan, run.plan_steps, run.plan_settled, run.external_url) == (PLAN, 4, 2, LOG)
    ref = run.task.ref
    shown = api.vera.get(f"/tasks/{ref}/runs").json()["results"][0]
    assert (shown["plan"], shown["external_url"]) == (PLAN, LOG)
    active = api.vera.get(f"/tasks/{ref}").json()["active_run"]
    assert (active["steps"], active["settled"]) == (4, 2)
    client.force_login(cast.vera)
    page = client.get(f"/tasks/{ref}").content.decode()
    assert "Look &lt;b&gt;again&lt;/b&gt;" in page
    assert 'aria-current="step"' in page
    assert f'href="{LOG}" rel="nofollow noopener noreferrer"' in page
    assert "logs.example.org</span>" in page
    assert "2/4" in client.get("/").content.decode()
    event = Event.objects.filter(kind="task.progressed").get()
    assert (event.data["steps"], event.data["settled"]) == (4, 2)
    assert "Read the logs" not in str(event.data)


def test_progress_with_an_unchanged_plan_is_no_progress(cast, run):
    report = {"actor": cast.atlas.user, "run_id": run.pk, "external_url": LOG}
    before = runs.progress_run(**report, plan=PLAN).last_progress_at
    runs.progress_run(**report, plan=[dict(step) for step in PLAN])
    run.refresh_from_db()
    assert run.last_progress_at == before
    assert Event.objects.filter(kind="task.progressed").count() == 1
    runs.progress_run(**report, plan=[])
    run.refresh_from_db()
    assert (run.plan, run.plan_steps, run.plan_settled) == (None, 0, 0)


def test_ended_run_keeps_its_plan_and_log(api, cast, new_task, client):
    done = claims.claim_task(actor=cast.atlas.user, task=new_task())
    body = {"summary": "done", "plan": PLAN[:1], "external_url": LOG}
    assert api.atlas.post(f"/runs/{done.pk}/complete", body).status_code == 200
    broken = claims.claim_task(actor=cast.atlas.user, task=new_task())
    failure = {"code": "x", "detail": "y", "external_url": f"{LOG}/error"}
    assert api.atlas.post(f"/runs/{broken.pk}/fail", failure).status_code == 200
    done.refresh_from_db()
    broken.refresh_from_db()
    assert (done.plan_settled, done.external_url, broken.external_url) == (1, LOG, f"{LOG}/error")
    client.force_login(cast.vera)
    assert "Plan, 1 of 1 settled" in client.get(f"/tasks/{done.task.ref}").content.decode()


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({"plan": [{"content": "x", "status": "pending"}] * 101}, "plan", "At most 100; these are 101."),
        ({"plan": [{"content": "", "status": "pending"}]}, "plan", "No. 1: content: Say what the step is."),
        (
            {"plan": [PLAN[0], {"content": "x" * 501, "status": "pending"}]},
            "plan",
            "No. 2: content: At most 500 characters; this has 501.",
        ),
        (
            {"plan": [{"content": "x", "status": "done"}]},
            "plan",
            "No. 1: status: There is no value 'done'. Known: pending, in_progress, completed, skipped.",
        ),
        (
            {"plan": [{"content": "x", "status": "pending", "owner": "me"}]},
            "plan",
            "No. 1: owner: There is no such member; known are content, status, priority.",
        ),
        ({"plan": "x"}, "plan", "Must be a list."),
        ({"plan": ["Read"]}, "plan", 'No. 1: Must be an object such as {"content": …}.'),
        (
            {"external_url": "javascript:alert(1)"},
            "external_url",
            "Must be an address that starts with http:// or https://.",
        ),
    ],
)
def test_progress_with_a_bad_plan_or_address_is_refused_in_one_sentence(api, run, body, field, sentence):
    answer = api.atlas.post(f"/runs/{run.pk}/progress", {"percent": 9, **body})
    assert (answer.status_code, answer.json()["errors"]) == (400, {field: [sentence]})
    assert Run.objects.get(pk=run.pk).progress_percent == 0


def test_address_is_refused_unless_it_leads_where_its_host_says():
    for bad in (
        "ftp://example.org", "//example.org", "example.org", "https://", "https:example.org", "data:text/html,x",
        "https://bank.example@evil.example/", "https://u:p@example.org", "https://good.example\\@evil.example",
        "https://example.org/ x", "https://exa\nmple.org", "https://example.org/\u202egnp", "http://[::1", " https://a.b",
        "https://example.org:99999999/",
    ):  # fmt: skip
        assert wrong_url(bad), bad
    for good in (
        "https://example.org",
        "http://localhost:8000/a?b=c#d",
        "https://[::1]:8000/",
        "HTTPS://EXAMPLE.org/@x",
    ):
        assert wrong_url(good) is None, good
    assert host_of("https://[::1]:8000/x") == "::1"
    assert host_of("https://ex\u0430mple.org/") == "xn--exmple-4nf.org"  # a Cyrillic letter
    assert host_of("") == ""


def test_board_reads_the_steps_of_all_cards_without_further_queries(cast, new_task, client):
    client.force_login(cast.ada.user)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get("/")
        return len(captured)

    first = claims.claim_task(actor=cast.atlas.user, task=new_task())
    queries()
    before = queries()
    for _ in range(3):
        other = claims.claim_task(actor=cast.atlas.user, task=new_task())
        runs.progress_run(actor=cast.atlas.user, run_id=other.pk, plan=PLAN)
    runs.progress_run(actor=cast.atlas.user, run_id=first.pk, plan=PLAN)
    assert queries() == before
