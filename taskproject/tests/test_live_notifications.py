"""Notifications on a real server: the bell counts in an open browser, an agent gets its own over socket and API."""

import json
from collections.abc import Generator

import httpx
import pytest
from websockets.sync.client import connect

from tasks import clock
from tasks.actions import assignments
from tasks.actions.agents import create_token
from tasks.events.settled import highest_id_given
from tasks.models import EngineState
from tasks.tests.server_process import ServerProcess

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LIVE = "[data-live-state][data-state=live]"
PATIENCE = 30


@pytest.fixture
def server(db, tmp_path) -> Generator[ServerProcess, None, None]:
    # Engines store up to where the stream is complete, so that a server starts from there; here no engine ran, and the
    # events before are deleted.
    EngineState.objects.create(pk=1, last_tick_at=clock.now(), settled_event_id=highest_id_given())
    process = ServerProcess(tmp_path)
    yield process
    process.close()


def bell(count: int) -> str:
    return f"[data-notifications-count='{count}']"


@pytest.mark.browser
def test_bell_counts_up_on_an_open_page_and_survives_a_reload(server, open_page, cast, new_task):
    first, second = new_task("First"), new_task("Second")
    tab = open_page("/", user=cast.hugo.user, at=server.url)
    page = tab.page
    page.wait_for_selector(LIVE)
    page.evaluate("window.stayed = true")
    assert page.locator("[data-notifications-shown]").is_hidden()
    assignments.assign_task(actor=cast.ada.user, task=first, agents=[cast.hugo])
    page.wait_for_selector(bell(1))
    assignments.assign_task(actor=cast.ada.user, task=second, agents=[cast.hugo])
    page.wait_for_selector(bell(2))
    assert page.inner_text("[data-notifications-shown]") == "2"
    assert page.evaluate("window.stayed") is True
    page.reload()
    page.wait_for_selector(bell(2))


@pytest.mark.browser
def test_page_shows_new_ones_and_reading_counts_down_everywhere(server, open_page, cast, new_task):
    task = new_task("Look at me")
    board = open_page("/", user=cast.hugo.user, at=server.url).page
    tab = open_page("/notifications/", user=cast.hugo.user, at=server.url)
    page = tab.page
    page.wait_for_selector("text=No notifications yet")
    for opened in (board, page):
        opened.wait_for_selector(LIVE)
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo])
    page.wait_for_selector(".notification.is-unread >> text=ada assigned OPS-1 to you.")
    board.wait_for_selector(bell(1))
    page.click("text=Look at me")
    page.wait_for_url("**/tasks/OPS-1")
    board.wait_for_selector(bell(0))
    assignments.unassign_task(actor=cast.ada.user, task=task)
    board.wait_for_selector(bell(1))
    page.goto(f"{server.url}/notifications/")
    page.click("text=Mark all as read")
    board.wait_for_selector(bell(0))


def test_agent_gets_its_own_over_the_socket_and_in_the_api(server, cast, new_task):
    task = new_task("For atlas")
    secrets = {agent.slug: create_token(actor=None, agent=agent, name="test")[1] for agent in (cast.atlas, cast.bert)}
    url = server.url.replace("http", "ws", 1) + "/ws/events"

    def open_socket(slug: str):
        return connect(url, additional_headers={"Authorization": f"Bearer {secrets[slug]}"}, proxy=None)

    def until(socket, kind: str) -> tuple[list[str], dict]:
        kinds = []
        while True:
            for event in json.loads(socket.recv(PATIENCE))["events"]:
                kinds.append(event["kind"])
                if event["kind"] == kind:
                    return kinds, event

    with open_socket("atlas") as own, open_socket("bert") as other:
        for socket in (own, other):
            assert json.loads(socket.recv(PATIENCE))["type"] == "hello"
        assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.atlas])
        _, event = until(own, "notification.created")
        assert (event["task"], event["actor"], event["data"]["notification_kind"]) == ("OPS-1", None, "assigned")
        assignments.unassign_task(actor=cast.ada.user, task=task)
        # About the same task and not read yet: the first stands for both.
        _, extended = until(own, "notification.extended")
        assert extended["data"]["notification"] == event["data"]["notification"]
        assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
        kinds, _ = until(other, "notification.created")
        # The stream may have opened while what was created just before was still on its way.
        assert kinds[kinds[0] == "task.created" :] == [
            "task.assigned",
            "task.unassigned",
            "task.assigned",
            "notification.created",
        ]
    with httpx.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {secrets['atlas']}"}) as http:
        [row] = http.get("/notifications").json()["results"]
        assert (row["id"], row["kind"], row["count"]) == (event["data"]["notification"], "unassigned", 2)
        assert http.post("/notifications/read", json={"all": True}).json() == {"read": 1, "unread": 0}
