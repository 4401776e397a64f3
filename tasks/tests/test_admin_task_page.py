"""The page of one task in the admin: its form writes through verbs, its buttons are the verbs that are now legal."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from tasks.actions import runs
from tasks.actions.assignments import assign_task
from tasks.actions.claims import claim_task, start_task
from tasks.actions.lifecycle import cancel_task
from tasks.actions.tasks import edit_task
from tasks.engine import tick
from tasks.errors import LeaseLost
from tasks.models import Event, Run, Skill, Task
from tasks.tests.admin_pages import as_posted, messages_of, signed_in


@pytest.fixture
def ada(cast):
    return signed_in(cast.ada.user)


def page_of(task) -> str:
    return reverse("admin:tasks_task_change", args=[task.pk])


def save(client, url, **changes):
    data = as_posted(client.get(url)) | changes
    return client.post(url, data, follow=True)


def press(client, task, verb, **fields):
    url = reverse("admin:tasks_task_verb", args=[task.pk, verb])
    return client.post(url, fields, follow=True)


def verbs_on(client, task) -> set[str]:
    return {verb.name for verb, _ in client.get(page_of(task)).context["verbs"]}


# -- create -----------------------------------------------------------------------------------------------------------


def test_add_form_creates_the_task_with_all_that_was_filled_in(cast, new_task, ada):
    first, parent = new_task(), new_task()
    docs = Skill.objects.get(name="docs")
    url = reverse("admin:tasks_task_add")
    page = ada.get(url)
    data = as_posted(page) | {
        "title": "Write it down",
        "description": "One\r\ntwo",
        "priority": "4",
        "label_names": 'infra, "a, b", infra',
        "criteria": "tests pass\r\n\r\nsomeone read it",
        "due_at_0": "2031-05-01",
        "due_at_1": "12:30",
        "depends_on": [first.pk],
        "parent": parent.pk,
        "assignees": [cast.atlas.pk, cast.bert.pk],
        "required_skills-TOTAL_FORMS": "1",
        "required_skills-0-skill": docs.pk,
        "required_skills-0-min_level": "2",
    }
    assert data["project"] == cast.ops.pk
    done = ada.post(url, data, follow=True)
    assert done.redirect_chain
    task = Task.objects.get(title="Write it down")
    assert (task.description, task.priority, task.criteria) == ("One\ntwo", 4, ["tests pass", "someone read it"])
    assert set(task.labels.values_list("name", flat=True)) == {"infra", "a, b"}
    assert [str(need) for need in task.required_skills.all()] == ["docs:2"]
    assert [row.depends_on for row in task.dependencies.all()] == [first]
    assert (task.parent, task.created_by, task.open_blockers) == (parent, cast.ada.user, 1)
    assert set(task.assignments.values_list("agent__slug", flat=True)) == {"atlas", "bert"}
    assert Event.objects.filter(task=task, kind="task.created").count() == 1


def test_add_form_with_what_a_verb_refuses_shows_it_at_the_field_and_creates_nothing(cast, ada):
    cast.bert.enabled = False
    cast.bert.save()
    url = reverse("admin:tasks_task_add")
    data = as_posted(ada.get(url)) | {"title": "Kept", "assignees": [cast.bert.pk]}
    page = ada.post(url, data | {"label_names": "x" * 61, "assignees": []})
    assert page.status_code == 200
    assert page.context["adminform"].form.errors["label_names"] == ["Each has at most 60 characters; one has 61."]
    page = ada.post(url, data | {"label_names": "one\rtwo", "assignees": []})
    assert page.context["adminform"].form.errors["label_names"] == [
        "Write the labels in one line, separated by commas."
    ]
    page = ada.post(url, data)
    assert page.context["adminform"].form.errors["assignees"] == ["bert is disabled."]
    assert 'value="Kept"' in page.content.decode()
    assert not Task.objects.exists()
    assert not LogEntry.objects.exists()


def test_add_form_without_a_title_is_refused(ada):
    url = reverse("admin:tasks_task_add")
    page = ada.post(url, as_posted(ada.get(url)))
    assert "This field is required." in page.content.decode()


# -- edit -------------------------------------------------------------------------------------------------------------


def test_save_without_a_change_writes_nothing(new_task, ada):
    task = new_task(
        description="a\nb",
        criteria=["one", "two"],
        labels=["x, y", "z"],
        required_skills=[("docs", 2)],
        depends_on=[new_task()],
    )
    save(ada, page_of(task))
    again = Task.objects.get(pk=task.pk)
    assert (again.version, again.updated_at) == (task.version, task.updated_at)
    assert not Event.objects.filter(kind="task.edited").exists()


def test_save_writes_exactly_what_was_changed(new_task, ada):
    task = new_task(labels=["infra"], required_skills=[("docs", 2)])
    done = save(
        ada,
        page_of(task),
        title="Another title",
        label_names="infra, new",
        **{"required_skills-0-min_level": "4"},
    )
    assert "was changed successfully" in messages_of(done)[0]
    assert Event.objects.get(kind="task.edited").data["fields"] == ["title", "labels", "required_skills"]
    assert [str(need) for need in task.required_skills.all()] == ["docs:4"]


def test_save_cannot_write_status_or_what_runs_write(new_task, ada):
    task = new_task()
    save(ada, page_of(task), status="completed", progress_percent="100", attempts="9", title="Only this")
    task.refresh_from_db()
    assert (task.status, task.progress_percent, task.attempts, task.title) == ("not_started", 0, 0, "Only this")


def test_save_of_a_stale_form_says_so_and_keeps_what_was_typed(cast, new_task, ada):
    task = new_task("Old title")
    stale = as_posted(ada.get(page_of(task)))
    edit_task(actor=cast.root, task=task, changes={"title": "Title by root"})
    page = ada.post(page_of(task), stale | {"title": "Title by ada", "description": "typed at length"})
    assert page.status_code == 200
    [error] = page.context["adminform"].form.non_field_errors()
    assert error.startswith(f"{task.ref} was changed by somebody else while you edited it; nothing was saved")
    assert "title, now “Title by root”" in error
    text = page.content.decode()
    assert "Title by ada" in text
    assert "typed at length" in text
    assert Task.objects.get(pk=task.pk).title == "Title by root"
    ada.post(page_of(task), as_posted(page))
    task.refresh_from_db()
    assert (task.title, task.description) == ("Title by ada", "typed at length")


def test_save_after_a_run_reported_progress_is_not_stale(cast, new_task, ada):
    task = new_task("Old")
    run = claim_task(actor=cast.atlas.user, task=task)
    form = as_posted(ada.get(page_of(task)))
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=30)
    assert ada.post(page_of(task), form | {"title": "New"}).status_code == 302
    task.refresh_from_db()
    assert (task.title, task.progress_percent) == ("New", 30)


def test_dependency_that_closes_a_cycle_is_a_form_error_that_names_it(new_task, ada):
    first = new_task("First")
    second = new_task("Second", depends_on=[first])
    page = save(ada, page_of(first), depends_on=[second.pk], title="Not to be saved")
    assert page.status_code == 200
    cycle = f"That would create a cycle of dependencies: {first.ref} → {second.ref} → {first.ref}."
    assert page.context["adminform"].form.errors["depends_on"] == [cycle]
    first.refresh_from_db()
    assert (first.title, first.dependencies.count(), first.open_blockers) == ("First", 0, 0)


def test_parent_that_closes_a_cycle_is_a_form_error(new_task, ada):
    parent = new_task()
    child = new_task(parent=parent)
    page = save(ada, page_of(parent), parent=child.pk)
    assert "cycle" in page.context["adminform"].form.errors["parent"][0]


def test_dependencies_are_added_and_removed_through_their_verbs(new_task, ada):
    old, new = new_task(), new_task()
    task = new_task(depends_on=[old])
    save(ada, page_of(task), depends_on=[new.pk])
    task.refresh_from_db()
    assert [row.depends_on for row in task.dependencies.all()] == [new]
    assert task.open_blockers == 1
    kinds = set(Event.objects.filter(task=task).values_list("kind", flat=True))
    assert {"task.dependencies_added", "task.dependencies_removed"} <= kinds


# -- verbs ------------------------------------------------------------------------------------------------------------


def test_buttons_are_exactly_the_verbs_that_are_legal_and_allowed(cast, new_task, ada):
    task = new_task(review_required=True)
    assert verbs_on(ada, task) == {"start", "start_for", "hold", "cancel"}
    run = claim_task(actor=cast.atlas.user, task=task)
    assert verbs_on(ada, task) == {"release", "cancel"}
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert verbs_on(ada, task) == {"approve", "request_changes", "cancel"}
    press(ada, task, "approve", note="")
    assert verbs_on(ada, task) == {"reopen"}


def test_author_is_offered_no_review_of_their_own_work(cast, new_task, ada):
    task = new_task(review_required=True)
    press(ada, task, "start_for", agent="ada")
    assert verbs_on(ada, task) == {"progress", "complete", "fail", "release", "cancel"}
    press(ada, task, "progress", run=1, percent="60", note="getting there")
    task.refresh_from_db()
    assert (task.progress_percent, task.progress_note) == (60, "getting there")
    press(ada, task, "complete", run=1, summary="All done")
    task.refresh_from_db()
    assert (task.status, task.summary) == ("in_review", "All done")
    assert verbs_on(ada, task) == {"cancel"}
    assert "was done by you" in messages_of(press(ada, task, "approve"))[0]
    task.refresh_from_db()
    assert task.status == "in_review"


def test_person_who_fails_the_attempt_says_why(cast, new_task, ada):
    task = new_task()
    start_task(actor=cast.ada.user, task=task)
    assert messages_of(press(ada, task, "fail", run=1, code="given_up")) == ["What went wrong: Say what went wrong."]
    press(ada, task, "fail", run=1, code="given_up", detail="No access")
    task.refresh_from_db()
    assert task.status == "failed"
    assert Run.objects.get(task=task).failure == {"code": "given_up", "detail": "No access", "retryable": False}


def test_verb_that_is_illegal_by_now_answers_in_a_sentence(cast, new_task, ada):
    task = new_task()
    cancel_task(actor=cast.ada.user, task=task)
    assert "is cancelled and cannot be cancelled" in messages_of(press(ada, task, "cancel"))[0]
    assert press(ada, task, "fly").status_code == 404


def test_verb_by_get_does_nothing(new_task, ada):
    task = new_task()
    ada.get(reverse("admin:tasks_task_verb", args=[task.pk, "cancel"]))
    task.refresh_from_db()
    assert task.status == "not_started"


def test_verb_without_csrf_token_is_refused(cast, new_task):
    client = signed_in(cast.ada.user)
    client.handler.enforce_csrf_checks = True
    task = new_task()
    assert press(client, task, "cancel").status_code == 403
    task.refresh_from_db()
    assert task.status == "not_started"


def test_unassign_button_takes_one_agent_off(cast, new_task, ada):
    task = new_task(assignees=[cast.atlas, cast.bert])
    url = reverse("admin:tasks_task_unassign", args=[task.pk])
    assert messages_of(ada.post(url, {"agent": "bert"}, follow=True)) == [f"Unassigned bert from {task.ref}."]
    assert list(task.assignments.active().values_list("agent__slug", flat=True)) == ["atlas"]
    assert ada.post(url, {"agent": "zed"}).status_code == 404


def test_late_result_is_adopted_by_its_run_number_and_no_run_id_is_shown(cast, new_task, ada, let_lease_end):
    task = new_task()
    run = claim_task(actor=cast.atlas.user, task=task)
    assert str(run.pk) not in ada.get(page_of(task)).content.decode()
    let_lease_end(run)
    tick()
    with pytest.raises(LeaseLost):
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="late <b>but</b> good", result={"x": 1})
    page = ada.get(page_of(task)).content.decode()
    assert "late &lt;b&gt;but&lt;/b&gt; good" in page
    assert "Adopt the result of run 1" in page
    for text in (page, ada.get(reverse("admin:tasks_run_changelist")).content.decode()):
        assert str(run.pk) not in text
        assert run.pk.hex not in text
    url = reverse("admin:tasks_task_adopt", args=[task.pk])
    assert messages_of(ada.post(url, {"number": "1"}, follow=True)) == [
        f"Adopted the late result of {task.ref}: it is now completed."
    ]
    task.refresh_from_db()
    assert (task.status, task.summary) == ("completed", "late <b>but</b> good")
    assert (
        "has no late result" in messages_of(ada.post(url, {"number": "1"}, follow=True))[0]
        or task.status == "completed"
    )
    for number in ("7", "", "one", "٣", "9" * 5000):
        assert ada.post(url, {"number": number}).status_code == 404


def test_page_shows_the_whole_history_of_the_task_escaped(cast, new_task, ada):
    task = new_task("<script>alert(1)</script>", description="<img src=x onerror=alert(2)>")
    assign_task(actor=cast.ada.user, task=task, agents=[cast.atlas], note="<i>soon</i>")
    run = claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=40, note="<b>half</b>")
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="</td><script>", result="</pre><script>x")
    page = ada.get(page_of(task)).content.decode()
    for raw in ("<script>alert", "<img src=x", "<i>soon", "<b>half", "</td><script>", "</pre><script>"):
        assert raw not in page
    for sentence in (
        "ada created the task",
        "assigned atlas: &lt;i&gt;soon",
        "reported progress (40 %)",
        "finished run 1",
    ):
        assert sentence in page
    assert "<style" not in page
    assert " style=" not in page


def test_page_opens_by_ref_as_well(new_task, ada):
    task = new_task()
    assert ada.get(f"/admin/tasks/task/{task.ref}/change/").status_code == 200
    history = ada.get(reverse("admin:tasks_task_history", args=[task.pk]))
    assert history.url == f"{page_of(task)}#timeline"


# -- delete -----------------------------------------------------------------------------------------------------------


def test_delete_page_deletes_through_the_verb(cast, new_task, ada):
    task = new_task()
    waiting = new_task(depends_on=[task])
    url = reverse("admin:tasks_task_delete", args=[task.pk])
    assert "its events stay" in ada.get(url).content.decode()
    ada.post(url, {"post": "yes"})
    waiting.refresh_from_db()
    assert waiting.open_blockers == 0
    assert Event.objects.filter(kind="task.deleted", task_ref=task.ref).exists()


def test_delete_page_of_a_task_in_progress_says_why_not(cast, new_task, ada):
    task = new_task()
    claim_task(actor=cast.atlas.user, task=task)
    done = ada.post(reverse("admin:tasks_task_delete", args=[task.pk]), {"post": "yes"}, follow=True)
    assert "is in progress" in messages_of(done)[0]
    assert Task.objects.filter(pk=task.pk).exists()


def test_page_with_more_around_the_task_costs_no_more_queries(cast, new_task, ada, django_assert_max_num_queries):
    others = [new_task(required_skills=[("docs", 1)]) for _ in range(8)]
    task = new_task(
        depends_on=others,
        assignees=[cast.atlas, cast.bert, cast.hugo],
        required_skills=[("docs", 1), ("python", 1)],
        labels=["a", "b"],
    )
    for _ in range(5):
        new_task(parent=task)
    with django_assert_max_num_queries(45):
        ada.get(page_of(task))
