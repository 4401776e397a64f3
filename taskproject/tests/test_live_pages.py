"""Pages that follow the stream of a real server: whatever happens shows at once, and nothing is missed."""

import time
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tasks.actions import claims, projects, runs
from tasks.models import Event, Role
from tasks.tests.cast import join
from tasks.tests.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

#: Seconds between two requests of an open board, as in follow.js.
LEAST_REST = 0.15
LIVE = "[data-live-state][data-state=live]"


@pytest.fixture
def server(db, tmp_path) -> Generator[ServerProcess, None, None]:
    process = ServerProcess(tmp_path)
    yield process
    process.close()


@pytest.fixture
def open_live(server, open_page) -> Callable[..., Any]:
    """``open_page`` on the real server; returns once the page is live. Pages close before the server stops."""

    def open_one(path: str, **options: Any) -> Any:
        tab = open_page(path, at=server.url, **options)
        if options.get("user"):
            tab.page.wait_for_selector(LIVE)
        return tab

    return open_one


def session_cookie(user: User, url: str) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {
        "name": settings.SESSION_COOKIE_NAME,
        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
        "url": url,
    }


def forgive_the_cut(tab, *expected: str) -> None:
    """While the server is down the console reports it, which is not a problem; nor is what is ``expected``."""
    tab.problems[:] = [problem for problem in tab.problems if not any(text in problem for text in ("ERR_", *expected))]


def test_assignment_in_the_admin_shows_on_an_open_board(open_live, open_page, server, cast, new_task):
    task = new_task("Hand me out")
    board = open_live("/", user=cast.rita.user).page
    board.evaluate("window.stayed = true")
    admin = open_page(f"/admin/tasks/task/?q={task.ref}", user=cast.ada.user, at=server.url).page
    admin.check(".action-select")
    admin.select_option("select[name=action]", "assign")
    admin.click("button[name=index]")
    admin.check(f"input[value='{cast.atlas.pk}'], input[value='atlas']")
    admin.click("main button[type=submit], #content button[type=submit], #content input[type=submit]")
    board.wait_for_selector(f'[data-ref="{task.ref}"] >> text=atlas')
    assert board.evaluate("window.stayed") is True


def test_board_is_right_again_after_the_server_was_killed(open_live, server, cast, new_task):
    task, other = new_task("Before"), new_task("Stays")
    tab = open_live("/", user=cast.ada.user)
    page = tab.page
    server.kill()
    page.wait_for_selector("[role=status] >> text=Reconnecting…")
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done while nobody looked")
    fresh = new_task("Meanwhile")
    server.start()
    page.wait_for_selector(f'[data-column="completed"] [data-ref="{task.ref}"]')
    page.wait_for_selector(f'[data-column="not_started"] [data-ref="{fresh.ref}"]')
    page.wait_for_selector(LIVE)
    assert page.locator(f'[data-column="not_started"] [data-ref="{other.ref}"]').count() == 1
    forgive_the_cut(tab)


def test_task_page_and_pages_of_agents_follow(open_live, cast, new_task):
    task = new_task("Watched")
    page = open_live(f"/tasks/{task.ref}", user=cast.vera).page
    agents = open_live("/agents/", user=cast.vera).page
    agent = open_live("/agents/atlas", user=cast.vera).page
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=30, note="a third")
    page.wait_for_selector("progress[value='30']")
    page.wait_for_selector(".timeline >> text=a third")
    page.wait_for_selector("[data-lease] >> text=/in \\d+ min \\d\\d s/")
    agents.wait_for_selector(f'[data-agent="atlas"] >> text={task.ref}')
    agent.wait_for_selector(f'[data-live="agent-work"] >> text={task.ref}')
    agent.wait_for_selector('[data-live="agent-work"] >> text=30 %')


def test_board_follows_a_burst_with_few_requests_and_keeps_what_the_reader_does(open_live, cast, new_task):
    tasks = [new_task() for _ in range(60)]
    page = open_live("/", user=cast.ada.user, height=500).page
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.click('[data-column="failed"] .column-fold')
    page.focus(f'[data-ref="{tasks[20].ref}"] a')
    page.evaluate("document.querySelector('.column-body').scrollTop = 400")
    began = time.monotonic()
    for task in tasks[:10]:
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        for percent in range(1, 50):
            runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=percent)
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    page.wait_for_selector(f'[data-column="completed"] [data-ref="{tasks[9].ref}"]')
    # The cards that were hidden below the first fifty have moved up.
    page.wait_for_selector(f'[data-column="not_started"] [data-ref="{tasks[59].ref}"]')
    assert page.locator('[data-column="not_started"] .card').count() == 50
    assert page.locator('[data-column="not_started"] .column-count').inner_text().startswith("50")
    assert page.evaluate("document.activeElement.closest('[data-ref]').dataset.ref") == tasks[20].ref
    assert page.evaluate("document.querySelector('.column-body').scrollTop") > 0
    assert page.locator('[data-column="failed"].is-folded').count() == 0
    fetched = [url for url in requested if "/board/changes" in url or url.endswith("/")]
    # However slow the machine: no request within LEAST_REST of the one before.
    assert 0 < len(fetched) <= (time.monotonic() - began) / LEAST_REST + 2


def test_page_that_slept_an_hour_replaces_its_connection(server, open_page, cast, new_task):
    page = open_page("/login/", at=server.url).page
    page.clock.install()
    page.context.add_cookies([session_cookie(cast.ada.user, server.url)])
    opened: list[Any] = []
    page.on("websocket", lambda socket: opened.append(socket))
    page.goto(f"{server.url}/")
    page.clock.run_for(500)
    page.wait_for_selector(LIVE)
    assert len(opened) == 1
    # As after closing the lid: the clock has jumped when the timers run again.
    page.clock.fast_forward("01:00:00")
    page.clock.run_for(6000)
    task = new_task("While it slept")
    for _ in range(100):
        page.clock.run_for(100)
        if page.locator(f'[data-ref="{task.ref}"]').count():
            break
    assert page.locator(f'[data-ref="{task.ref}"]').count() == 1
    assert len(opened) == 2
    assert "?after=" in opened[1].url


def test_page_whose_cursor_is_no_longer_kept_reloads(open_live, server, cast, new_task):
    tab = open_live("/", user=cast.ada.user)
    page = tab.page
    server.kill()
    page.wait_for_selector("[role=status] >> text=Reconnecting…")
    old = new_task("Long ago")
    Event.objects.update(at=timezone.now() - timedelta(days=30))
    server.start()
    page.wait_for_selector(f'[data-ref="{old.ref}"]')
    page.wait_for_selector(LIVE)
    fresh = new_task("Just now")
    page.wait_for_selector(f'[data-ref="{fresh.ref}"]')
    # Where the server takes long to start, the page polls meanwhile, and learns of its old cursor by a status.
    forgive_the_cut(tab, "410 (Gone)")


def test_board_of_a_leaving_member_loses_the_project_and_of_a_joining_one_gets_it(open_live, cast, new_task):
    task = new_task("Ours")
    page = open_live("/", user=cast.rita.user).page
    join(cast.other, cast.rita.user, Role.WORKER)
    page.wait_for_selector(f'[data-ref="{task.ref}"]')
    projects.remove_member(actor=cast.ada.user, project=cast.ops, user=cast.rita.user)
    page.wait_for_selector(f'[data-ref="{task.ref}"]', state="detached")
    projects.set_member(actor=cast.root, project=cast.ops, user=cast.rita.user, role=Role.WORKER)
    page.wait_for_selector(f'[data-ref="{task.ref}"]')


def test_page_of_a_session_under_an_old_password_leads_to_login(open_live, cast):
    tab = open_live("/", user=cast.rita.user)
    cast.rita.user.set_password("quite another pass phrase")
    cast.rita.user.save()
    tab.page.wait_for_url("**/login/**")
    tab.problems[:] = [problem for problem in tab.problems if "401 (Unauthorized)" not in problem]
