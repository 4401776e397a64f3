"""Actions on the tasks selected in the list: who may, what is asked, and one honest answer."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from tasks.models import Assignment, Label, Membership, Role, Task
from tasks.pages import bulk as bulk_page
from tasks.tests.cast import make_user
from tasks.using import bulk

URL = "/tasks/bulk"


@pytest.fixture
def do(cast):
    def post(verb, tasks=(), *, by=None, **data):
        # Each with messages of its own.
        client = Client()
        client.force_login(by or cast.ada.user)
        return client.post(URL, {"verb": verb, "refs": [task.ref for task in tasks], **data})

    return post


def said(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def confirmed(page, **filled):
    """What the form of the page sends."""
    shown = page.context
    return {"ids": shown["ids"], "query": shown["query"], "confirmed": "1", **filled}


def statuses(*tasks) -> list[str]:
    return [Task.objects.get(pk=task.pk).status for task in tasks]


def test_verb_without_input_is_done_at_once_and_says_what_it_could_not_change(cast, do, new_task):
    tasks = [new_task(), new_task(), new_task(on_hold=True)]
    answer = do("hold", tasks, query="label=x&ordering=title")
    assert answer.url == "/tasks/?label=x&ordering=title"
    assert said(answer) == [
        "Put 2 tasks on hold: OPS-1, OPS-2.",
        "Nothing to change for 1 task: OPS-3.",
    ]
    again = do("hold", tasks)
    assert said(again)[-1] == "Nothing to change for 3 tasks: OPS-1, OPS-2, OPS-3."
    assert Task.objects.filter(on_hold=True).count() == 3


def test_reasons_are_grouped_and_those_without_a_right_change_nothing(cast, do, new_task):
    tasks = [new_task(), new_task()]
    page = do("cancel", tasks, by=cast.vera)
    assert (page.status_code, said(page)) == (200, [])
    answer = do("cancel", by=cast.vera, **confirmed(page))
    assert statuses(*tasks) == ["not_started", "not_started"]
    (line,) = said(answer)
    assert line.startswith("Could not cancel 2 tasks (OPS-1, OPS-2): ")


def test_tasks_of_other_projects_are_not_there(cast, do, new_task):
    hidden = new_task("Hidden", project=cast.other)
    answer = do("hold", [hidden])
    assert said(answer) == ["Select tasks first."]
    answer = do("hold", ids=str(hidden.pk), confirmed="1")
    assert "Hidden" not in str(said(answer))
    assert hidden.ref not in str(said(answer))
    assert not Task.objects.get(pk=hidden.pk).on_hold
    page = do("edit", all="1", query="q=hidden")
    assert said(page) == ["Select tasks first."]


def test_all_that_match_are_taken_and_not_only_the_page(cast, do, new_task):
    for _ in range(4):
        new_task(labels=["x"])
    other = new_task()
    answer = do("hold", all="1", query="label=x&cursor=abc")
    assert said(answer) == ["Put 4 tasks on hold: OPS-1, OPS-2, OPS-3, OPS-4."]
    assert not Task.objects.get(pk=other.pk).on_hold


def test_edit_changes_what_is_filled_in_and_adds_labels_to_those_that_are_there(cast, do, new_task):
    first, second = new_task(labels=["old", "both"]), new_task(labels=["both"], priority=4)
    page = do("edit", [first, second])
    assert page.status_code == 200
    filled = {"priority": "4", "add_labels": "new", "remove_labels": "both", "add_skills": "python:3"}
    answer = do("edit", **confirmed(page, **filled))
    assert said(answer) == ["Changed 2 tasks: OPS-1, OPS-2."]
    for task, labels in ((first, {"old", "new"}), (second, {"new"})):
        task.refresh_from_db()
        assert task.priority == 4
        assert set(task.labels.values_list("name", flat=True)) == labels
        assert list(task.required_skills.values_list("skill__name", "min_level")) == [("python", 3)]
    versions = list(Task.objects.values_list("version", flat=True))
    assert said(do("edit", **confirmed(page, **filled)))[-1].startswith("Nothing to change for 2 tasks")
    assert list(Task.objects.values_list("version", flat=True)) == versions


def test_edit_reads_lists_as_the_editor_of_one_task_does(cast, do, new_task):
    task = new_task(labels=["old"], required_skills=[("docs", 2), ("python", 4)])
    page = do("edit", [task])
    filled = {"add_labels": '"a, b", c', "add_skills": "+python docs : 5", "remove_labels": '"old"'}
    do("edit", **confirmed(page, **filled))
    assert set(task.labels.values_list("name", flat=True)) == {"a, b", "c"}
    levels = task.required_skills.values_list("skill__name", "min_level")
    assert dict(levels) == {"python": 1, "docs": 5}
    do("edit", **confirmed(page, remove_labels='"a, b"', remove_skills="docs python"))
    assert list(task.labels.values_list("name", flat=True)) == ["c"]
    assert not levels.all()


def test_estimate_of_nothing_is_set(cast, do, new_task):
    task = new_task(estimate_minutes=30)
    assert said(do("edit", **confirmed(do("edit", [task]), estimate_minutes="0"))) == ["Changed 1 task: OPS-1."]
    task.refresh_from_db()
    assert task.estimate_minutes == 0


def test_edit_refuses_by_task_what_does_not_fit_it(cast, do, new_task):
    parent, child = new_task(), new_task()
    page = do("edit", [parent, child])
    lines = said(do("edit", **confirmed(page, parent="ops-1")))
    assert lines[0] == "Changed 1 task: OPS-2."
    assert lines[1].startswith("Could not change 1 task (OPS-1): ")
    child.refresh_from_db()
    assert child.parent == parent
    assert said(do("edit", **confirmed(page, parent="none")))[0] == "Changed 1 task: OPS-2."


@pytest.mark.parametrize(
    ("filled", "sentence"),
    [
        ({}, "Fill in what to change."),
        ({"add_skills": "pythn"}, "did you mean"),
        ({"add_skills": "python:9"}, "from 1 to 5"),
        ({"parent": "<b>"}, "Must be a ref"),
        ({"due_at": "2026-12-01T10:00", "no_due_at": "on"}, "choose one of them"),
        ({"due_at": "soon"}, "Enter a valid date"),
    ],
)
def test_mistake_in_an_edit_is_said_and_nothing_changed(cast, do, new_task, filled, sentence):
    new_task(required_skills=[("python", 1)])
    page = do("edit", Task.objects.select_related("project"))
    again = do("edit", **confirmed(page, **filled))
    assert again.status_code == 400
    assert sentence in again.content.decode()
    assert Task.objects.get().version == 1


def test_assign_asks_for_agents_of_these_projects(cast, do, new_task):
    task = new_task()
    page = do("assign", [task])
    assert {agent.slug for agent in page.context["agents"]} == {"ada", "atlas", "bert", "hugo", "rita"}
    assert do("assign", **confirmed(page)).status_code == 400
    answer = do("assign", **confirmed(page, agents=[str(cast.atlas.pk)]))
    assert said(answer) == ["Assigned 1 task to atlas: OPS-1."]
    assert Assignment.objects.active().get(task=task).agent == cast.atlas
    assert do("assign", **confirmed(page, agents=[str(cast.zed.pk)])).status_code == 400


def test_ids_of_others_tasks_tell_nothing_of_their_projects(cast, do, new_task):
    Membership.objects.create(project=cast.other, user=cast.atlas.user, role=Role.WORKER)
    hidden = new_task(project=cast.other, actor=cast.root)
    sent = {"ids": str(hidden.pk), "confirmed": "1", "agents": [str(cast.atlas.pk)]}
    assert said(do("assign", **sent)) == ["None of these tasks exists any more."]
    later = do("assign", **sent, outcome=bulk.Outcome().dumps())
    assert said(later) == ["Could not assign 1 task (a task): It no longer exists."]
    refused = do("assign", ids=str(hidden.pk), confirmed="1", outcome=bulk.Outcome().dumps())
    assert said(refused) == ["Stopped: 1 task of the selection was not processed. Choose at least one agent."]
    assert not Assignment.objects.exists()


@pytest.mark.parametrize("text", ["[" * 100_000, '[["\\ud800"], [], {}]', "[1, 2, 3]", "{", "null"])
def test_outcome_that_is_none_counts_as_nothing_done(text):
    assert bulk.Outcome.loads(text) == bulk.Outcome()


def test_long_action_goes_on_in_portions_and_can_be_stopped(cast, do, new_task, monkeypatch):
    monkeypatch.setattr(bulk, "PORTION_SECONDS", 0)
    tasks = [new_task() for _ in range(3)]
    page = do("hold", tasks)
    assert page.context["outcome"].count == 1
    assert "1 of 3" in page.content.decode()
    page = do("hold", **confirmed(page, outcome=page.context["outcome"].dumps()))
    stopped = do("hold", **confirmed(page, outcome=page.context["outcome"].dumps(), stop="1"))
    assert said(stopped) == [
        "Put 2 tasks on hold: OPS-1, OPS-2.",
        "Stopped: 1 task of the selection was not processed.",
    ]
    assert Task.objects.filter(on_hold=True).count() == 2


def test_results_page_says_the_same_when_it_is_loaded_again(cast, do, new_task, monkeypatch):
    monkeypatch.setattr(bulk, "NAMED", 2)
    tasks = [new_task(on_hold=number == 0) for number in range(4)]
    page = do("hold", tasks)
    assert (page.context["ids"], page.context["outcome"].count, page.context["total"]) == ("", 4, 4)
    assert "Show what was done" in page.content.decode()
    assert "Stop here" not in page.content.decode()
    for _ in range(2):
        shown = do("hold", **confirmed(page, outcome=page.context["outcome"].dumps()))
        assert [text for _, text in shown.context["lines"]] == [
            "Put 3 tasks on hold: OPS-2, OPS-3, OPS-4.",
            "Nothing to change for 1 task: OPS-1.",
        ]


@pytest.fixture
def of_two_projects(cast, new_task):
    """A task of each, by project; ada works in both, atlas in the first alone."""
    Membership.objects.create(project=cast.other, user=cast.ada.user, role=Role.MANAGER)
    return [new_task(), new_task(project=cast.other, actor=cast.root), new_task(project=cast.other, actor=cast.root)]


def test_agent_of_one_project_goes_through_all_portions_of_two(cast, do, of_two_projects, monkeypatch):
    monkeypatch.setattr(bulk, "PORTION_SECONDS", 0)
    sent = confirmed(do("assign", of_two_projects), agents=[str(cast.atlas.pk)])
    pages = 0
    while (page := do("assign", **sent)).status_code == 200:
        pages += 1
        sent |= {"ids": page.context["ids"], "outcome": page.context["outcome"].dumps()}
    assert pages == 2
    first, second = said(page)
    assert first == "Assigned 1 task to atlas: OPS-1."
    assert second.startswith("Could not assign 2 tasks (OTHER-1, OTHER-2): ")
    assert list(Assignment.objects.active().values_list("task", flat=True)) == [of_two_projects[0].pk]


def test_portion_that_is_refused_reports_what_is_done(cast, do, of_two_projects, monkeypatch):
    monkeypatch.setattr(bulk, "PORTION_SECONDS", 0)
    chosen = {"agents": [str(cast.hugo.pk)]}
    page = do("assign", **confirmed(do("assign", of_two_projects), **chosen))
    Membership.objects.filter(user=cast.hugo.user).delete()
    answer = do("assign", **confirmed(page, **chosen, outcome=page.context["outcome"].dumps()))
    done, stopped = said(answer)
    assert done == "Assigned 1 task: OPS-1."
    assert stopped.startswith("Stopped: 2 tasks of the selection were not processed. Select a valid choice.")


def test_many_are_asked_about_and_too_many_refused(cast, do, new_task, monkeypatch):
    monkeypatch.setattr(bulk_page, "MOST_UNASKED", 1)
    tasks = [new_task(), new_task()]
    page = do("hold", tasks)
    assert page.status_code == 200
    assert not Task.objects.filter(on_hold=True).exists()
    monkeypatch.setattr(bulk_page, "MOST_SELECTED", 1)
    assert said(do("hold", tasks)) == ["An action takes 1 task at most; add a filter and take them in parts."]


def test_strange_requests_get_a_sentence(cast, do, client, new_task):
    task = new_task()
    assert said(do("explode", [task])) == ["There is no such action."]
    assert said(do("hold", refs=["OPS-99", "<b>", ""])) == ["Select tasks first."]
    assert "statsu" in said(do("hold", all="1", query="statsu=x"))[0]
    assert client.get(URL).status_code == 405
    client.logout()
    assert client.post(URL, {"verb": "hold"}).status_code == 302
    assert not Label.objects.exists()


def test_only_who_may_change_tasks_is_offered_the_selection(cast, client, new_task):
    task = new_task()
    client.force_login(cast.ada.user)
    page = client.get(reverse("task_list")).content.decode()
    assert f'data-task-row data-ref="{task.ref}"' in page
    assert 'name="verb" value="cancel"' in page
    client.force_login(cast.vera)
    assert "data-select" not in client.get(reverse("task_list")).content.decode()
    client.force_login(make_user("nobody"))
    assert client.get(reverse("task_list")).status_code == 200
