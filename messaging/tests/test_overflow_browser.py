"""Nothing leaves its box: pages full of long words, names and times, in wide, middling and small windows."""

from datetime import timedelta

import pytest
from django.utils import timezone

from messaging.tests.everything import fill
from tasks.actions import claims
from tasks.models import Agent, Artifact, Label, Question, Task
from tasks.pages.board_choices import choose
from tasks.transitions import Status

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("this_machine")]

#: A word that fits nowhere, then words, then one in capitals, which are wide.
TEXT = f"{'Donaudampfschifffahrtsgesellschaft' * 4} and other long things {'WWWWWWWWWW' * 12} {'x' * 200}"

#: What is wider than its box and neither scrolls nor is cut, as it would stand in its neighbour's place; what reaches
#: out of its card; and whether the page is wider than the window.
OVERFLOWING = """() => {
  const cut = [...document.querySelectorAll("main *")].filter((e) => getComputedStyle(e).clipPath !== "none");
  const shown = (e) => e.checkVisibility({checkVisibilityCSS: true})
    && !e.closest(".visually-hidden, svg, select") && !cut.some((part) => part.contains(e));
  const words = (e) => `${e.nodeName} .${e.className} "${e.textContent.replaceAll(/\\s+/g, " ").trim().slice(0, 30)}"`;
  const leaking = [...document.querySelectorAll("main *")].filter((e) =>
    e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "visible" && shown(e));
  const inmost = leaking.filter((e) => !leaking.some((other) => other !== e && e.contains(other)));
  const cards = [...document.querySelectorAll(".card")].flatMap((card) => {
    const edge = card.getBoundingClientRect();
    return [...card.querySelectorAll("*")].filter((e) => {
      const box = e.getBoundingClientRect();
      return box.width > 0 && shown(e) && (box.right > edge.right + 1 || box.left < edge.left - 1);
    });
  });
  const {scrollWidth} = document.documentElement;
  const wide = scrollWidth > innerWidth ? [`the page is ${scrollWidth}`] : [];
  return [...new Set([...wide, ...[...inmost, ...cards].map(words)])].slice(0, 12);
}"""


def _stretch(cast, new_task) -> None:
    """Cards with several people, far dates and whatever else is long."""
    ahead, long_ago = timezone.now() + timedelta(days=400), timezone.now() - timedelta(days=800)
    for agent in (cast.atlas, cast.bert, cast.hugo):
        Agent.objects.filter(pk=agent.pk).update(slug=f"{agent.slug}-{'long-name-' * 5}"[:60].strip("-"))
    label = Label.objects.create(project=cast.ops, name=TEXT[:60])
    team = [cast.atlas, cast.bert, cast.hugo]
    for number, status in enumerate(Status):
        task = new_task(TEXT[:300], assignees=team[: number % 2 + 2], due_at=ahead if number % 2 else long_ago)
        task.labels.add(label, *Label.objects.get_or_create(project=cast.ops, name="WWWWWW" * 5)[:1])
        times = {} if status == Status.NOT_STARTED else {"started_at": long_ago, "completed_at": long_ago}
        Task.objects.filter(pk=task.pk).update(status=status, open_blockers=12345, open_questions=321, **times)
        for user in (cast.ada.user, cast.rita.user):
            choose(user, f"unfold:{status}")
    held = new_task("WWWWWWWWWWWW " * 20, assignees=[cast.bert, cast.hugo])
    claims.claim_task(actor=cast.bert.user, task=held)
    Task.objects.filter(pk=held.pk).update(attempts=2, progress_note=TEXT, progress_percent=100)


def test_nothing_leaves_its_box_on_any_page(open_page, cast, new_task):
    scene = fill(cast, new_task, TEXT)
    _stretch(cast, new_task)
    atlas = Agent.objects.get(pk=cast.atlas.pk).slug
    artifacts = Artifact.objects.filter(run__number=2).values_list("pk", flat=True)
    questions = Question.objects.filter(state="open").values_list("pk", flat=True)
    tab = open_page("/", user=cast.ada.user)
    wrong = []
    for path in (
        "/", "/?group=label", "/?project=OPS",
        f"/tasks/{scene.judged.ref}", f"/tasks/{scene.asking.ref}", f"/tasks/{scene.failed.ref}", "/tasks/",
        *(f"/tasks/{scene.judged.ref}/artifacts/{pk}" for pk in artifacts), *(f"/questions/{pk}" for pk in questions),
        "/messages/", "/messages/OPS", f"/messages/{scene.asking.ref}", "/inbox/", "/notifications/",
        "/notifications/settings/", "/agents/", f"/agents/{atlas}", f"/agents/{atlas}/tokens", "/assignment/",
        "/invitations/", "/reports/", "/reports/workload/", "/reports/new/", "/reports/schedules/", "/?tz=UTC",
    ):  # fmt: skip
        # Last, since the choice is kept.
        if path == "/?tz=UTC":
            choose(cast.ada.user, "compact")
        tab.goto(path)
        tab.page.evaluate(
            "document.querySelectorAll('details:not([data-menu])').forEach((part) => { part.open = true })"
        )
        # A mark that is turning is wider than it stands.
        tab.page.evaluate(
            "Promise.allSettled(document.getAnimations().filter((each) => each instanceof CSSTransition)"
            ".map((each) => each.finished))"
        )
        for width in (1280, 768, 360):
            tab.page.set_viewport_size({"width": width, "height": 800})
            wrong += [f"{path} at {width}: {what}" for what in tab.page.evaluate(OVERFLOWING)]
    assert not wrong, "\n".join(wrong)
