"""Artifacts of a run: sent with the result or before it, fenced, limited, listed and downloaded."""

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks import engine
from tasks.actions import artifacts, claims, reviews, runs
from tasks.actions.agents import create_token
from tasks.actions.tasks import delete_task
from tasks.errors import Invalid, LeaseLost
from tasks.models import Artifact, Event, Run, Task

pytestmark = pytest.mark.django_db

TEXT = {"name": "report.md", "kind": "text", "text": "one\ntwo\n"}
LINK = {"name": "Pull request", "kind": "link", "url": "https://code.example.org/pulls/7"}
DIFF = {"name": "change.diff", "kind": "diff", "text": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n"}
FILE = {"name": "out/picture.png", "kind": "file", "base64": base64.b64encode(b"\x89PNG\0").decode()}


@pytest.fixture
def run(cast, new_task):
    return claims.claim_task(actor=cast.atlas.user, task=new_task())


@pytest.fixture
def upload(cast):
    """``upload(run, content, name=…)`` → the answer to atlas, who sends the content as the body."""
    _, secret = create_token(actor=None, agent=cast.atlas, name="upload")
    client = Client(headers={"authorization": f"Bearer {secret}"})

    def send(run, content: bytes, *, content_type: str = "application/octet-stream", **query):
        query = {"name": "report.md", "kind": "text"} | query
        query = {name: value for name, value in query.items() if value is not None}
        address = f"/api/v1/runs/{run.pk}/artifacts"
        return client.post(address, content, content_type=content_type, query_params=query)

    return send


def errors_of(answer) -> dict:
    assert answer.status_code == 400, answer.content
    return answer.json()["errors"]


def test_complete_with_each_kind_lists_them_and_downloads_what_was_sent(api, run):
    body = {"summary": "done", "artifacts": [TEXT, LINK, DIFF, FILE]}
    assert api.atlas.post(f"/runs/{run.pk}/complete", body).status_code == 200
    rows = api.vera.get(f"/tasks/{run.task.ref}/artifacts").json()["results"]
    assert [(row["name"], row["kind"], row["media_type"], row["lines"], row["url"]) for row in rows] == [
        ("report.md", "text", "text/plain", 2, ""),
        ("Pull request", "link", "text/uri-list", 0, LINK["url"]),
        ("change.diff", "diff", "text/x-diff", 5, ""),
        ("out/picture.png", "file", "image/png", 0, ""),
    ]
    for row, sent in zip(rows, (b"one\ntwo\n", LINK["url"].encode(), DIFF["text"].encode(), b"\x89PNG\0"), strict=True):
        answer = api.vera.get(f"/artifacts/{row['id']}")
        assert answer.content == sent
        assert (row["size"], row["sha256"]) == (len(sent), hashlib.sha256(sent).hexdigest())
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"] == 'attachment; filename="picture.png"'
    assert Event.objects.get(data__verb="complete").data["artifacts"] == 4


def test_download_of_a_page_is_never_a_page(api, run, upload):
    for name, media_type in (("x.html", "text/html"), ("x.svg", "image/svg+xml"), ("x.xhtml", "application/xhtml+xml")):
        sent = upload(run, b"<script>alert(1)</script>", kind="file", name=name, media_type=media_type)
        assert sent.json()["artifact"]["media_type"] == media_type
        answer = api.vera.get(f"/artifacts/{sent.json()['artifact']['id']}")
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment")


def test_upload_renews_the_lease_counts_as_progress_and_is_told_once(run, upload):
    old = Run.objects.get(pk=run.pk)
    Run.objects.filter(pk=run.pk).update(
        lease_expires_at=old.lease_expires_at - timedelta(minutes=5), stalled_at=old.started_at
    )
    first = upload(run, b"one\n")
    assert first.status_code == 201
    assert first.json()["run"]["status"] == "active"
    again = upload(run, b"one\n")
    assert (again.status_code, again.json()["artifact"]) == (200, first.json()["artifact"])
    changed = upload(run, b"two\n")
    assert (changed.status_code, changed.json()["artifact"]["id"]) == (201, first.json()["artifact"]["id"])
    fresh = Run.objects.get(pk=run.pk)
    assert fresh.lease_expires_at >= old.lease_expires_at
    assert fresh.stalled_at is None
    assert fresh.last_progress_at > old.last_progress_at
    assert [bytes(row.content) for row in Artifact.objects.all()] == [b"two\n"]
    events = [event.data for event in Event.objects.filter(kind="run.artifact_added")]
    assert [(data["name"], data["artifact_kind"], data["size"]) for data in events] == [("report.md", "text", 4)] * 2


def test_upload_takes_exactly_one_megabyte_and_nothing_more(run, upload):
    assert upload(run, b"x" * 2**20, kind="file").status_code == 201
    assert upload(run, b"x" * (2**20 + 1), kind="file", name="more").status_code in (400, 413)
    assert Artifact.objects.count() == 1


def test_upload_takes_the_media_type_of_the_body_unless_it_is_that_of_a_form(run, upload):
    def kept(**how):
        return upload(run, b"a=1", kind="file", **how).json()["artifact"]["media_type"]

    assert kept(name="a.csv", content_type="application/x-www-form-urlencoded") == "text/csv"
    assert kept(name="b", content_type="Text/CSV; charset=utf-8") == "text/csv"
    assert kept(name="c", content_type="application/json", media_type="application/x-ndjson") == "application/x-ndjson"
    assert kept(name="d", media_type="nonsense") == "application/octet-stream"


def test_upload_that_is_none_is_refused_in_one_sentence(run, upload):
    multipart = upload(run, b"--x--", content_type="multipart/form-data; boundary=x")
    assert errors_of(multipart) == {
        "content": ["Send the content itself as the body, as curl does with --data-binary."]
    }
    assert errors_of(upload(run, b"")) == {"content": ["It is empty."]}
    assert errors_of(upload(run, b"x", name=None)) == {"name": ["Give it a name."]}
    assert errors_of(upload(run, b"x", name="a\nb")) == {"name": ["Must be one line of visible text."]}
    assert errors_of(upload(run, b"x", name="gpj.\u202eexe")) == {"name": ["Must be one line of visible text."]}
    assert errors_of(upload(run, b"x", name="n" * 201)) == {"name": ["At most 200 characters; this has 201."]}
    assert "Known: text, link, diff, file." in errors_of(upload(run, b"x", kind="page"))["kind"][0]
    assert errors_of(upload(run, b"ab\xff")) == {"content": ["Must be UTF-8; byte 3 is not. Send it as a file."]}
    assert errors_of(upload(run, b"\0")) == {"content": ["A text has no NUL characters; send it as a file."]}
    assert errors_of(upload(run, b"javascript:alert(1)", kind="link")) == {
        "content": ["Must be an address that starts with http:// or https://."]
    }
    assert not Artifact.objects.exists()


@pytest.mark.parametrize(
    ("artifact", "sentence"),
    [
        ({"name": "x", "kind": "text"}, "No. 1: A text has its content in text, and nowhere else."),
        (TEXT | {"url": "https://example.org"}, "No. 1: A text has its content in text, and nowhere else."),
        ({"name": "x", "kind": "file", "base64": "!!"}, "No. 1: base64: This is not base64."),
        (
            {"name": "x", "kind": "link", "url": "ftp://x"},
            "No. 1: url: Must be an address that starts with http:// or https://.",
        ),
        ({"name": "x", "kind": "text", "text": ""}, "No. 1: text: It is empty."),
        ({"kind": "text", "text": "x"}, "No. 1: name: Give it a name."),
    ],
)
def test_complete_with_a_bad_artifact_changes_nothing(api, run, artifact, sentence):
    answer = api.atlas.post(f"/runs/{run.pk}/complete", {"summary": "done", "artifacts": [artifact]})
    assert errors_of(answer) == {"artifacts": [sentence]}
    assert Run.objects.get(pk=run.pk).ended_at is None


def test_run_keeps_to_its_number_and_its_bytes(run, upload, monkeypatch):
    monkeypatch.setattr(artifacts, "MOST_OF_A_RUN", 2)
    monkeypatch.setattr(artifacts, "MOST_BYTES_OF_A_RUN", 10)
    assert upload(run, b"12345", name="a").status_code == 201
    assert upload(run, b"12345", name="b").status_code == 201
    assert errors_of(upload(run, b"x", name="c")) == {
        "artifacts": ["A run has at most 2 artifacts; with these it would have 3."]
    }
    assert errors_of(upload(run, b"123456", name="b")) == {
        "artifacts": ["The artifacts of a run have at most 10 bytes together; with these it would be 11."]
    }
    assert upload(run, b"1", name="b").status_code == 201
    with pytest.raises(Invalid):
        runs.complete_run(actor=run.agent.user, run_id=run.pk, summary="x", artifacts=[TEXT | {"text": "123456"}])
    assert Run.objects.get(pk=run.pk).ended_at is None


def test_upload_after_the_end_of_the_run_is_refused_and_stores_nothing(cast, run, upload, let_lease_end):
    let_lease_end(run)
    engine.tick()
    answer = upload(run, b"late")
    assert (answer.status_code, answer.json()["code"]) == (409, "lease_lost")
    assert not Artifact.objects.exists()
    assert Run.objects.get(pk=run.pk).late_result is None


def test_upload_to_the_run_of_another_is_not_found(api, cast, run):
    for who in (api.bert, api.ada, api.zed):
        assert who.post(f"/runs/{run.pk}/artifacts?name=x&kind=text", "x").status_code == 404


def test_late_complete_keeps_its_artifacts_apart_until_they_are_adopted(api, cast, run, upload, let_lease_end, client):
    assert upload(run, b"draft", name="report.md").status_code == 201
    let_lease_end(run)
    engine.tick()
    late = {"actor": cast.atlas.user, "run_id": run.pk, "summary": "late", "artifacts": [TEXT, LINK]}
    for _ in range(2):
        with pytest.raises(LeaseLost):
            runs.complete_run(**late, external_url="https://logs.example.org/1")
    rows = api.vera.get(f"/tasks/{run.task.ref}/artifacts").json()["results"]
    assert [(row["name"], row["is_late"]) for row in rows] == [
        ("report.md", False),
        ("report.md", True),
        ("Pull request", True),
    ]
    client.force_login(cast.vera)
    page = client.get(f"/tasks/{run.task.ref}").content.decode()
    assert page.index("was kept") < page.index("Pull request")
    reviews.adopt_late_result(actor=cast.ada.user, run=run)
    kept = {row.name: row for row in Artifact.objects.all()}
    assert {name: (row.is_late, row.data) for name, row in kept.items()} == {
        "report.md": (False, b"one\ntwo\n"),
        "Pull request": (False, LINK["url"].encode()),
    }
    assert Event.objects.get(data__verb="adopt").data["artifacts"] == 2
    assert Run.objects.get(pk=run.pk).external_url == "https://logs.example.org/1"


def test_next_run_and_dependent_task_learn_of_artifacts_in_their_context(api, cast, new_task):
    task = new_task(review_required=True)
    after = new_task(depends_on=[task])
    first = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=first.pk, summary="one", artifacts=[TEXT | {"text": "draft"}])
    reviews.request_changes(actor=cast.rita.user, task=task, note="more")
    second = api.atlas.post(f"/tasks/{task.ref}/claim", {}).json()
    [attempt] = second["context"]["attempts"]
    assert [each["name"] for each in attempt["artifacts"]] == ["report.md"]
    runs.complete_run(actor=cast.atlas.user, run_id=second["id"], summary="two", artifacts=[TEXT, LINK])
    reviews.approve_task(actor=cast.rita.user, task=task)
    context = api.bert.post(f"/tasks/{after.ref}/claim", {}).json()["context"]
    [report, link] = context["dependencies"][0]["artifacts"]
    assert (report["size"], link["url"]) == (8, LINK["url"])
    assert api.bert.get(f"/artifacts/{report['id']}").content == b"one\ntwo\n"


def test_artifacts_are_for_members_within_their_reach(api, cast, run, upload):
    made = upload(run, b"secret").json()["artifact"]["id"]
    assert api.zed.get(f"/artifacts/{made}").status_code == 404
    assert api.zed.get(f"/tasks/{run.task.ref}/artifacts").status_code == 404
    _, secret = create_token(actor=None, agent=cast.mona, name="far", projects=["OTHER"])
    cast.ops.memberships.create(user=cast.mona.user, role="viewer")
    near = Client()
    assert near.get(f"/api/v1/artifacts/{made}", headers={"authorization": f"Bearer {secret}"}).status_code == 404
    assert near.get(f"/api/v1/artifacts/{made}").status_code == 401
    assert api.mona.get(f"/artifacts/{made}").content == b"secret"


def test_deleting_a_task_deletes_its_artifacts(cast, run, upload):
    upload(run, b"x")
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    delete_task(actor=cast.ada.user, task=Task.objects.get(pk=run.task_id))
    assert not Artifact.objects.exists()


def test_repeated_upload_with_a_key_is_answered_alike(cast, run):
    _, secret = create_token(actor=None, agent=cast.atlas, name="key")
    client = Client(headers={"authorization": f"Bearer {secret}", "idempotency-key": "k"})
    address = f"/api/v1/runs/{run.pk}/artifacts?name=x&kind=text"
    answers = [client.post(address, b"one", content_type="text/plain") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert client.post(address, b"two", content_type="text/plain").json()["code"] == "idempotency_key_reused"


def test_lists_and_pages_never_read_the_content(api, cast, new_task, client):
    task = new_task(review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", artifacts=[TEXT, LINK, DIFF, FILE])
    client.force_login(cast.rita.user)
    with CaptureQueriesContext(connection) as captured:
        page = client.get(f"/tasks/{task.ref}").content.decode()
        api.vera.get(f"/tasks/{task.ref}/artifacts")
    assert '"tasks_artifact"."content"' not in json.dumps([query["sql"] for query in captured]).replace("\\", "")
    assert sum("tasks_artifact" in query["sql"] for query in captured) == 2
    for name in ("report.md", "change.diff", "picture.png"):
        assert name in page
    assert f'href="{LINK["url"]}" rel="nofollow noopener noreferrer"' in page


def test_task_page_reads_everything_of_its_runs_in_as_many_queries_as_of_one(cast, new_task, client):
    client.force_login(cast.rita.user)

    def queries(rounds: int) -> int:
        task = new_task(review_required=True)
        for number in range(rounds):
            run = claims.claim_task(actor=cast.atlas.user, task=task)
            more = {"artifacts": [TEXT, LINK, DIFF][: number + 1], "follow_ups": [{"title": "x"}] * (number + 1)}
            runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", **more)
            first = run.artifacts.first().pk
            comments = [{"artifact": first, "line": line, "body": "x"} for line in (1, 2)][: number + 1]
            reviews.request_changes(actor=cast.rita.user, task=task, note="again", comments=comments)
        client.get(f"/tasks/{task.ref}")
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/tasks/{task.ref}")
        return len(captured)

    assert queries(1) == queries(3)
