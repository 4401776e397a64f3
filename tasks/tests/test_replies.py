"""What other apps add to the replies about a run."""

import pytest

from tasks import replies
from tasks.replies import Addition


class Said(Addition):
    def __init__(self, text: str) -> None:
        self.text = text

    def count_unread(self, user):
        return 2


@pytest.fixture
def two_apps(monkeypatch):
    monkeypatch.setattr(replies, "additions", [Said("stop"), Addition(), Said("look")])


def test_replies_about_a_run_carry_what_each_app_adds_in_their_order(two_apps, cast, api, new_task):
    new_task()
    claimed = api.atlas.post("/tasks/claim_next").json()["runs"]
    beat = api.atlas.post(f"/runs/{claimed[0]['id']}/heartbeat").json()
    assert beat["unread"] == 4
    me = api.atlas.get("/me").json()
    assert me["unread"] == 4


def test_reply_without_additions_has_empty_fields(monkeypatch, cast, api, new_task):
    monkeypatch.setattr(replies, "additions", [])
    run = api.atlas.post(f"/tasks/{new_task().ref}/claim").json()
    assert (run["directives"], run["unread"], run["context"]["answers"]) == ([], 0, [])
