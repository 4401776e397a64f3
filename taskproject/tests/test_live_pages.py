"""Pages that follow the stream of a real server: what happens anywhere shows at once, and nothing is missed."""

from collections.abc import Generator

import pytest

from tasks.actions import claims, runs
from tasks.tests.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LIVE = "[data-live-state][data-state=live]"


@pytest.fixture
def server(db, tmp_path) -> Generator[ServerProcess, None, None]:
    process = ServerProcess(tmp_path)
    yield process
    process.close()


def forgive_the_cut(tab) -> None:
    """While the server is away the console tells of it; that is no problem."""
    tab.problems[:] = [problem for problem in tab.problems if "ERR_" not in problem]


def test_assignment_in_the_admin_shows_on_an_open_board(open_page, server, cast, new_task):
    task = new_task("Hand me out")
    board = open_page("/", user=cast.rita.user, at=server.url).page
    board.wait_for_selector(LIVE)
    board.evaluate("window.stayed = true")
    admin = open_page(f"/admin/tasks/task/?q={task.ref}", user=cast.ada.user, at=server.url).page
    admin.check(".action-select")
    admin.select_option("select[name=action]", label="Assign to…")
    admin.click("button[name=index]")
    admin.check(f"input[value='{cast.atlas.pk}'], input[value='atlas']")
    admin.click("main button[type=submit], #content button[type=submit], #content input[type=submit]")
    board.wait_for_selector(f'[data-ref="{task.ref}"] >> text=atlas', timeout=2000)
    assert board.evaluate("window.stayed") is True


def test_board_is_right_again_after_the_server_was_killed(open_page, server, cast, new_task):
    task, other = new_task("Before"), new_task("Stays")
    tab = open_page("/", user=cast.ada.user, at=server.url)
    page = tab.page
    page.wait_for_selector(LIVE)
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


def test_task_page_and_agents_page_follow(open_page, server, cast, new_task):
    task = new_task("Watched")
    page = open_page(f"/tasks/{task.ref}", user=cast.vera, at=server.url).page
    agents = open_page("/agents/", user=cast.vera, at=server.url).page
    page.wait_for_selector(LIVE)
    agents.wait_for_selector(LIVE)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=30, note="a third")
    page.wait_for_selector("progress[value='30']")
    page.wait_for_selector(".timeline >> text=a third")
    page.wait_for_selector("[data-lease] >> text=/in \\d+ min \\d\\d s/")
    agents.wait_for_selector(f'[data-agent="atlas"] >> text={task.ref}')
