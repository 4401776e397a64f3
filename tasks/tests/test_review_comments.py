"""Comments of a review on lines of artifacts: with the verdict, refused where there is no such line, and read later."""

import json

import pytest

from tasks.actions import claims, reviews, runs
from tasks.models import Artifact, Event, Review, ReviewComment, Task

pytestmark = pytest.mark.django_db

DIFF = "--- a/key.py\n+++ b/key.py\n@@ -7 +7,2 @@\n-old\n+new <i>\n+more\n"
ARTIFACTS = [
    {"name": "change.diff", "kind": "diff", "text": DIFF},
    {"name": "notes.txt", "kind": "text", "text": "first\n" + "x" * 700},
    {"name": "pull", "kind": "link", "url": "https://code.example.org/1"},
]


@pytest.fixture
def task(cast, new_task):
    task = new_task(review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", artifacts=ARTIFACTS)
    return Task.objects.get(pk=task.pk)


def ids() -> dict[str, int]:
    return dict(Artifact.objects.values_list("name", "pk"))


def test_request_changes_with_comments_brings_them_to_the_next_run(api, cast, task):
    comments = [
        {"artifact": ids()["change.diff"], "line": 5, "body": "Why *this*?"},
        {"artifact": ids()["change.diff"], "line": 4, "body": "It was right."},
        {"artifact": ids()["notes.txt"], "line": 2, "body": "Too long."},
    ]
    answer = api.rita.post(f"/tasks/{task.ref}/request_changes", {"note": "See the lines.", "comments": comments})
    assert answer.status_code == 200
    run = api.atlas.post(f"/tasks/{task.ref}/claim", {}).json()
    [feedback] = run["context"]["feedback"]
    assert feedback["comments"] == [
        {
            "artifact": "change.diff",
            "artifact_id": ids()["change.diff"],
            "line": 5,
            "quote": "+new <i>",
            "path": "key.py",
            "side": "new",
            "path_line": 7,
            "body": "Why *this*?",
        },
        {
            "artifact": "change.diff",
            "artifact_id": ids()["change.diff"],
            "line": 4,
            "quote": "-old",
            "path": "key.py",
            "side": "old",
            "path_line": 7,
            "body": "It was right.",
        },
        {
            "artifact": "notes.txt",
            "artifact_id": ids()["notes.txt"],
            "line": 2,
            "quote": "x" * 500,
            "body": "Too long.",
        },
    ]
    assert Event.objects.get(data__verb="request_changes").data["comments"] == 3


def test_comments_show_beside_their_lines_and_in_the_attempts(cast, task, client):
    comments = [{"artifact": ids()["change.diff"], "line": 5, "body": "<script>x</script> **no**"}]
    reviews.approve_task(actor=cast.rita.user, task=task, comments=comments)
    client.force_login(cast.vera)
    page = client.get(f"/tasks/{task.ref}/artifacts/{ids()['change.diff']}").content.decode()
    below = page[page.index('id="L5"') : page.index('id="L6"')]
    for shown in ("rita", "approved", "&lt;script&gt;x&lt;/script&gt; <strong>no</strong>"):
        assert shown in below, shown
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "+new &lt;i&gt;" in page
    assert f"/artifacts/{ids()['change.diff']}?line=5#L5" in page
    assert "key.py:7" in page


@pytest.mark.parametrize(
    ("comment", "sentence"),
    [
        ({"artifact": 10**6, "line": 1, "body": "x"}, "No. 1: artifact: The result in review has no artifact 1000000."),
        ({"artifact": "change.diff", "line": 7, "body": "x"}, "No. 1: line: change.diff has 6 lines, and no line 7."),
        (
            {"artifact": "pull", "line": 1, "body": "x"},
            "No. 1: artifact: pull has no lines; only a text or a diff has.",
        ),
        ({"artifact": "notes.txt", "line": 0, "body": "x"}, "No. 1: line: Must be from 1 to 9,007,199,254,740,992."),
        ({"artifact": "notes.txt", "line": 1, "body": " "}, "No. 1: body: Write something."),
        ({"artifact": "notes.txt", "line": 1}, "No. 1: body: Write something."),
        (
            {"artifact": "notes.txt", "line": 1, "body": "x", "side": "new"},
            "No. 1: side: There is no such member; known are artifact, line, body.",
        ),
    ],
)
def test_comment_on_what_is_not_there_is_refused_and_nothing_is_decided(api, task, comment, sentence):
    comment["artifact"] = ids().get(comment["artifact"], comment["artifact"])
    for verb in ("approve", "request_changes"):
        answer = api.rita.post(f"/tasks/{task.ref}/{verb}", {"note": "x", "comments": [comment]})
        assert (answer.status_code, answer.json()["errors"]) == (400, {"comments": [sentence]})
    assert Task.objects.get(pk=task.pk).status == "in_review"
    assert not Review.objects.exists()


def test_comment_on_an_artifact_of_another_run_is_refused(api, cast, task):
    earlier = ids()["notes.txt"]
    reviews.request_changes(actor=cast.rita.user, task=task, note="again")
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done again")
    comment = {"artifact": earlier, "line": 1, "body": "x"}
    answer = api.rita.post(f"/tasks/{task.ref}/approve", {"comments": [comment]})
    assert answer.json()["errors"] == {
        "comments": [f"No. 1: artifact: The result in review has no artifact {earlier}."]
    }


def test_page_sends_collected_comments_with_the_verdict(cast, task, client):
    client.force_login(cast.rita.user)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert page.count(f'data-drafts="{task.ref}/1"') == 2
    comments = json.dumps([{"artifact": ids()["notes.txt"], "line": 1, "body": "a\nb"}])
    for odd in ("{", "[" * 100_000):
        refused = client.post(f"/tasks/{task.ref}", {"verb": "approve", "comments": odd})
        assert refused.status_code == 409
        assert "Comments on lines: The page sent something else" in refused.content.decode()
    assert client.post(f"/tasks/{task.ref}", {"verb": "approve", "comments": comments}).status_code == 302
    assert ReviewComment.objects.get().body == "a\nb"


def test_artifact_page_offers_a_review_only_of_the_result_in_review(cast, task, client):
    address = f"/tasks/{task.ref}/artifacts/{ids()['notes.txt']}"
    for who, offers in ((cast.rita.user, True), (cast.atlas.user, False), (cast.hugo.user, False), (cast.vera, False)):
        client.force_login(who)
        page = client.get(address).content.decode()
        assert ("data-review=" in page) is offers, who
        assert ('value="request_changes"' in page) is offers, who
    reviews.approve_task(actor=cast.rita.user, task=task)
    client.force_login(cast.rita.user)
    assert "data-review=" not in client.get(address).content.decode()
