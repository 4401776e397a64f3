"""Every page at every width: nothing beyond the window, no field too narrow to read, no control over another."""

from datetime import timedelta

import pytest

from tasks import clock
from tasks.actions.invitation_links import make_link
from tasks.models import Role

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: A laptop, both sides of each change of the header, a tablet and a phone.
WIDTHS = (1280, 1249, 1248, 1089, 1088, 768, 360)
LONG_LABEL = "as long a label as anybody may give to their tasks"


@pytest.fixture
def parent(cast, new_task):
    now = clock.now()
    made = new_task("Move every server to the new data centre", assignees=[cast.hugo, cast.atlas], priority=4)
    for number in range(4):
        new_task(
            f"Move the servers of room {number} and all that hangs on them",
            parent=made,
            labels=[LONG_LABEL, "docs"],
            due_at=now + timedelta(days=number),
            assignees=[cast.bert],
        )
    return made


def test_pages_fit_at_every_width(open_page, cast, parent, subtests):
    tab = open_page("/", user=cast.ada.user)
    for path in (
        "/", "/?project=OPS", "/?project=OPS&group=label&label=docs", "/?project=OPS&q=nothing", "/tasks/",
        "/tasks/?project=OPS&group=status&priority=normal", "/tasks/?project=OPS&label=docs&edit=1",
        "/tasks/?sort=title", "/tasks/new/", f"/tasks/{parent.ref}", f"/tasks/{parent.ref}/edit/due_at",
        f"/tasks/{parent.ref}/assign", "/agents/", "/agents/atlas", "/agents/ada/tokens", "/assignment/?project=OPS",
        "/projects/", "/projects/OPS/people/", "/projects/OPS/agents/new", "/invitations/", "/views/", "/account/",
        "/account/password/", "/inbox/", "/messages/", f"/messages/{parent.ref}", "/messages/OPS", "/notifications/",
        "/notifications/settings/", "/search/?q=move", "/reports/", "/reports/workload/", "/reports/new/",
        "/reports/saved/", "/reports/dashboards/", "/reports/schedules/", "/tasks/OPS-999",
    ):  # fmt: skip
        with subtests.test(path):
            tab.goto(path)
            refused = ("400 (Bad Request)", "404 (Not Found)")
            tab.problems[:] = [each for each in tab.problems if not any(words in each for words in refused)]
            for width in WIDTHS:
                tab.page.set_viewport_size({"width": width, "height": 800})
                tab.assert_no_sideways_scroll()
                tab.assert_not_cramped()
    _, secret = make_link(actor=cast.ada.user, project=cast.ops, role=Role.WORKER)
    for path, reader in (("/login/", None), (f"/join/{secret}", None), ("/", cast.vera), ("/", cast.mona.user)):
        with subtests.test(path[:6], reader=reader):
            tab = open_page(path, user=reader)
            for width in WIDTHS:
                tab.page.set_viewport_size({"width": width, "height": 800})
                tab.assert_no_sideways_scroll()
                tab.assert_not_cramped()


@pytest.mark.parametrize(("path", "box"), [("/tasks/", ".list-panel"), ("/agents/atlas", ".table-scroll")])
def test_tables_of_the_day_are_whole_on_a_laptop(open_page, cast, parent, path, box):
    page = open_page(path, user=cast.ada.user).page
    beyond = page.evaluate(
        "(box) => { const e = document.querySelector(box); return e.scrollWidth - e.clientWidth }", box
    )
    assert beyond <= 0


def test_place_that_one_is_at_is_in_sight_on_a_phone(open_page, cast):
    page = open_page("/reports/", user=cast.ada.user, width=360).page
    box = page.locator(".site-nav [aria-current]").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


#: A menu at the right edge, and what the server says of it later.
RENEWED = """async (script) => {
  const {morph} = await import(script);
  const region = document.createElement("div");
  region.innerHTML = '<details class="menu" data-menu><summary>More</summary><p class="menu-panel">Old</p></details>';
  const later = region.cloneNode(true), menu = region.firstChild, panel = menu.lastChild;
  later.querySelector("p").textContent = "New";
  menu.style.cssText = later.firstChild.style.cssText = "width: 4rem; margin-left: auto";
  document.querySelector("main").prepend(region);
  const right = () => [panel.textContent, panel.getBoundingClientRect().right <= innerWidth];
  menu.open = true;
  await new Promise((opened) => setTimeout(opened, 200));
  const seen = [right()];
  morph(region, later);
  seen.push(right(), menu.open);
  return seen;
}"""


def test_open_menu_at_the_edge_stays_where_it_is_when_its_region_is_renewed(open_page, cast):
    tab = open_page("/agents/", user=cast.ada.user, width=360)
    script = tab.page.locator("script[src*='taskproject/page']").get_attribute("src")
    assert tab.page.evaluate(RENEWED, script.replace("page.js", "morph.js")) == [["Old", True], ["New", True], True]
