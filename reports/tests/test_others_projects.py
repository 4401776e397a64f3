"""Whoever belongs to a project sees to the byte what they would see if there were no other projects.

Everything is asked in a world of one project, and again when others have been filled with the same and with more: by
the agents of the first too, under the same labels, versions and codes, at the same times.
"""

import io
import itertools
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from reports import saving
from reports.builder.form import Form
from reports.dashboards import keeping as dashboards
from reports.models import ReportSchedule
from reports.predefined import REPORTS
from reports.schedules import keeping as schedules
from reports.schedules import sending
from reports.tests.conftest import offer
from reports.tests.recounting.worlds import World
from reports.vocabulary import CONDITIONS, FACTS
from tasks.actions import agents, claims, projects, questions, reviews, runs
from tasks.actions import tasks as verbs
from tasks.actions.imports import import_plan
from tasks.formats import json_list
from tasks.models import Agent, Label, Project, Role, Task
from tasks.models import Question as Asked
from tasks.tests.cast import make_agent
from tasks.tests.sizes import THOROUGH

pytestmark = pytest.mark.django_db

NOW = "2026-06-01 12:00"
SPAN = {"from": "2026-01-01", "to": "2026-06-02", "tz": "Pacific/Auckland"}
DEFINED_SPAN = {"period": {"from": "2026-01-01", "to": "2026-06-02"}, "tz": "Pacific/Auckland"}
#: A question by its name.
Question = tuple[str, Callable[[], bytes]]
#: A push asks every so many of the questions: no divisor of how many forms a report has, nor those of a definition.
EVERY = (4, 9, 9)
#: What changes with every page that is made: the token of its forms, and the place in the stream of events.
OF_THE_PAGE = re.compile(rb'(csrf[^>]*?(?:value|content)|nonce|data-cursor)="[^"]*"', re.IGNORECASE)


def definitions() -> Iterator[dict[str, Any]]:
    """Each kind of facts with all its measures, by each of its dimensions."""
    for fact in FACTS.values():
        measures = [{"aggregate": "count"}]
        measures += [{"name": each.name, "aggregate": each.aggregates[-1]} for each in fact.measures[:4]]
        for place, dimension in enumerate(fact.dimensions):
            time = {"on": fact.moments[place % len(fact.moments)].name, "bucket": "month"}
            yield {
                "version": 1, "facts": fact.name, "measures": measures, "by": [dimension.name], "compare": "previous",
                **DEFINED_SPAN, **({"time": time} if place % 2 else {}),
            }  # fmt: skip


class Reader:
    """Asks for everything as one person."""

    def __init__(self, user: Any) -> None:
        self.user, self.client = user, Client()
        self.client.force_login(user)
        self.saved: list[int] = []
        self.dashboards: list[int] = []

    def keep(self) -> None:
        """Reports and a dashboard of their own, of which the first comes by mail."""
        by_agent = next(definitions()) | {"by": ["agent", "label"]}
        own = saving.save_report(actor=self.user, name="Mine", definition=by_agent)
        shared = saving.save_report(actor=self.user, name="Ours", definition=by_agent, project="OPS")
        self.saved = [own.pk, shared.pk]
        items = [{"report": report, "size": "half"} for report in ("workload", "completed", own.pk)]
        for project in (None, "OPS"):
            made = dashboards.make_dashboard(actor=self.user, name=f"Of {project}", project=project, items=items)
            self.dashboards.append(made.pk)
        schedules.add_schedule(actor=self.user, report=own, cron="0 8 * * *", tz="UTC", output="csv")

    def getting(self, path: str, **query: str) -> Callable[[], bytes]:
        return lambda: _without_what_changes(self.client.get(path, query, follow=True))

    def running(self, document: dict[str, Any], output: str) -> Callable[[], bytes]:
        path = f"/api/v1/reports/run?output={output}"
        return lambda: _without_what_changes(self.client.post(path, document, content_type="application/json"))

    def everything(self) -> dict[str, bytes]:
        """Each question with its answer, page or file; on each push every report in some of its forms."""
        asked = [self.predefined(), self.defined(), self.building()]
        many = [
            question
            for questions, every in zip(asked, EVERY, strict=True)
            for question in itertools.islice(questions, None, None, 1 if THOROUGH else every)
        ]
        return {name: ask() for name, ask in (*many, *self.kept())}

    def predefined(self) -> Iterator[Question]:
        for slug in REPORTS:
            path = f"/api/v1/reports/{slug}"
            for output in ("json", "csv", "xlsx"):
                yield f"{slug} as {output}", self.getting(path, output=output, **SPAN)
            yield f"{slug} of a project", self.getting(path, project="OPS", **SPAN)
            yield f"{slug} as a page", self.getting(f"/reports/{slug}/", **SPAN)

    def defined(self) -> Iterator[Question]:
        for place, document in enumerate(definitions()):
            name = f"{document['facts']} by {document['by'][0]}"
            yield name, self.running(document, ("json", "csv", "xlsx")[place % 3])
            yield f"{name} in the builder", self.getting(f"/reports/new/?{Form.of_definition(document).query}")
            yield f"behind {name}", self.getting("/reports/behind/", **_cell_of(document))
            yield f"behind {name} as a file", self.getting("/reports/behind/", output="csv", **_cell_of(document))
        for by, word in (("project", "OTHER"), ("agent", "zed")):
            asked = _cell_of({"version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}], "by": [by]})
            words = json.dumps({by: word})
            for output in ("", "xlsx"):
                name = f"behind {by} {word} that is not theirs {output}"
                yield name, self.getting("/reports/behind/", words=words, output=output, **asked)

    def building(self) -> Iterator[Question]:
        """The names that the builder offers for each field that has any."""
        for facts, fields in CONDITIONS.items():
            for field in fields.values():
                # Skills belong to no project.
                if field.known is not None and field.name != "skill":
                    query = {"facts": facts, "m": "count", "field": field.name, "do": "add"}
                    yield f"{field.name} of {facts}", self.getting("/reports/new/", **query)

    def kept(self) -> Iterator[Question]:
        for path in ("", "saved/", "dashboards/", "schedules/"):
            yield f"page {path}", self.getting(f"/reports/{path}")
        for path in ("saved_reports", "dashboards", "report_schedules"):
            yield path, self.getting(f"/api/v1/{path}")
        for pk in self.saved:
            yield f"saved report {pk}", self.getting(f"/reports/saved/{pk}/")
            yield f"saved report {pk} as a file", self.getting(f"/api/v1/saved_reports/{pk}/run", output="csv")
        for pk in self.dashboards:
            yield f"dashboard {pk}", self.getting(f"/reports/dashboards/{pk}/")
        yield "not theirs: project", self.getting("/api/v1/reports/completed", project="OTHER")
        for pk in range(max(self.saved) + 1, max(self.saved) + 3):
            yield f"not theirs: report {pk}", self.getting(f"/api/v1/saved_reports/{pk}")
            yield f"not theirs: dashboard {pk}", self.getting(f"/reports/dashboards/{max(self.dashboards) + pk}/")


def _cell_of(document: dict[str, Any]) -> dict[str, str]:
    plain = {key: value for key, value in document.items() if key not in ("compare", "period")}
    return {"definition": json.dumps(plain), "column": "count", "from": "2026-01-01", "to": "2026-06-02"}


def _without_what_changes(answer: Any) -> bytes:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if zipfile.is_zipfile(io.BytesIO(body)):
        with zipfile.ZipFile(io.BytesIO(body)) as parts:
            names = sorted(name for name in parts.namelist() if name != "docProps/core.xml")
            body = b"".join(name.encode() + parts.read(name) for name in names)
    return b"%d %s" % (answer.status_code, OF_THE_PAGE.sub(rb"\1", body))


@pytest.fixture
def mails(monkeypatch) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(sending, "posts", [lambda **mail: sent.append(mail)])
    return sent


def mail_of_today(sent: list[dict[str, Any]], set_clock: Callable[[str], Any]) -> Any:
    """What the schedule sends, and the schedule as it was before."""
    before = ReportSchedule.objects.order_by("pk").values("pk", "next_at").first()
    ReportSchedule.objects.filter(pk=before["pk"]).update(next_at=set_clock(NOW))
    sent.clear()
    assert sending.send_due() == 1
    ReportSchedule.objects.filter(pk=before["pk"]).update(next_at=before["next_at"], last_at=None, last_result="")
    ((mail,),) = (sent,)
    return mail["subject"], mail["text"], mail["projects"], mail["file"]


def fill_others(cast: Any, set_clock: Callable[[str], Any]) -> None:
    """Work, people and kept reports in OTHER and a third project, by verbs and as rows of all kinds."""
    third = Project.objects.create(key="THIRD", name="A third")
    spy = make_agent("spy", owner=third)
    set_clock("2026-01-05 09:00")
    for project in (cast.other, third):
        for user in (cast.atlas.user, cast.zed.user, spy.user, cast.mona.user):
            role = Role.MANAGER if user == cast.mona.user else Role.WORKER
            projects.set_member(actor=cast.root, project=project, user=user, role=role)
        _work_in(project, cast, spy, set_clock)
        World(cast, 7 if project == third else 8, [project]).fill()
    agents.edit_agent(actor=cast.root, agent=spy, changes={"version": "secret"})
    document = next(definitions())
    for name in ("Theirs", "Also theirs"):
        saving.save_report(actor=cast.mona.user, name=name, definition=document, project="OTHER")
        items = [{"report": "completed", "size": "half"}]
        dashboards.make_dashboard(actor=cast.mona.user, name=name, project="OTHER", items=items)
    set_clock(NOW)


def _work_in(project: Project, cast: Any, spy: Any, set_clock: Callable[[str], Any]) -> None:
    due = set_clock("2026-02-03 10:00")
    tasks = []
    for place in range(4):
        new = verbs.NewTask(title="Elsewhere", labels=["bug", "secret"], due_at=due, review_required=place == 3)
        tasks.append(verbs.create_task(actor=cast.mona.user, project=project, new=new))
    waiting = verbs.NewTask(title="Waits", depends_on=tasks[1:3])
    verbs.create_task(actor=cast.mona.user, project=project, new=waiting)
    usage = {"input_tokens": 77, "output_tokens": 7, "cost": 7.5}
    for agent, task in zip((cast.atlas, cast.zed, spy, cast.atlas), tasks, strict=True):
        set_clock("2026-02-04 10:00")
        run = claims.claim_task(actor=agent.user, task=task, lease_seconds=14_400)
        questions.ask_run(actor=agent.user, run_id=run.pk, prompt="Which?")
        set_clock("2026-02-04 11:00")
        asked = Asked.objects.get(run=run)
        questions.answer_question(actor=cast.mona.user, question_id=asked.pk, value="This")
        set_clock("2026-02-04 13:00")
        if agent is spy:
            failed = {"code": "secret_code", "detail": "no", "retryable": False, "usage": usage}
            runs.fail_run(actor=spy.user, run_id=run.pk, **failed)
        elif agent is cast.atlas or task is tasks[1]:
            runs.complete_run(actor=agent.user, run_id=run.pk, summary="done", usage=usage)
    tasks[3].refresh_from_db()
    reviews.request_changes(actor=cast.mona.user, task=tasks[3], note="Again")
    claims.claim_task(actor=cast.atlas.user, task=Task.objects.get(pk=tasks[3].pk))
    offered = verbs.create_task(actor=cast.mona.user, project=project, new=verbs.NewTask(title="Offered"))
    offer(cast.atlas, offered, score=9.0, margin=3.0)
    entry = f'[{{"key": "z-{project.key}", "title": "Imported", "status": "completed", "assignees": ["spy"]}}]'
    import_plan(actor=None, project=project, plan=json_list.read(entry))
    Label.objects.create(project=project, name=f"secret of {project.key}")


def test_everything_is_as_if_there_were_no_other_projects(cast, something_of_all, set_clock, mails):
    something_of_all()
    World(cast, 3, [cast.ops]).fill()
    # Room for offers elsewhere, from the beginning.
    Agent.objects.filter(pk=cast.atlas.pk).update(max_concurrent=100)
    set_clock(NOW)
    # What there is of OTHER in the standing cast is among the others' from the beginning.
    user = cast.ada.user
    user.email = "ada@example.org"
    user.save()
    reader = Reader(user)
    reader.client.cookies["time_zone"] = "Pacific/Auckland"
    reader.keep()
    mail = mail_of_today(mails, set_clock)
    alone = reader.everything()
    failed = {name for name, body in alone.items() if not body.startswith(b"200")}
    assert failed == {name for name in alone if name.startswith("not theirs")}
    fill_others(cast, set_clock)
    among_others = reader.everything()
    assert [name for name in alone if alone[name] != among_others[name]] == []
    assert mail_of_today(mails, set_clock) == mail
    # It would show, if it were theirs.
    everybody = Reader(cast.root)
    for name, ask in everybody.predefined():
        if name.endswith("as csv") and name in among_others:
            assert ask() != among_others[name]
    assert all(b"secret" in ask() for name, ask in everybody.building() if name == "label of episodes")
