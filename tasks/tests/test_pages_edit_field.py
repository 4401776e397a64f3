"""Editing a field of a task on the pages: each field, by whom, in whose zone, and when somebody else was faster."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest

from tasks.actions import claims
from tasks.actions.assignments import assign_task
from tasks.actions.dependencies import add_dependencies
from tasks.actions.tasks import edit_task
from tasks.models import Event, Profile, Task
from tasks.using import editing
from tasks.using.task_fields import FIELDS

FETCH = {"HTTP_X_REQUESTED_WITH": "fetch"}


@pytest.fixture
def edit(client, cast):
    """``edit(task, field, text, base=…)`` → the answer to ada, or to ``by``, as her browser would send it."""

    def send(task: Task, name: str, text: str, *, base: str | None = None, by=None, headers=None, **more):
        client.force_login(by or cast.ada.user)
        path = f"/tasks/{task.ref}/edit/{name}"
        if base is None:
            base = client.get(path).context["editor"].base
        return client.post(path, {name: text.replace("\n", "\r\n"), "base": base, **more}, **(headers or {}))

    return send


def words(answer) -> str:
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(unescape(text).split())


def says(task: Task, name: str) -> str:
    now = datetime.now(UTC)
    return FIELDS[name].write(Task.objects.select_related("project", "parent__project").get(pk=task.pk), now)


@pytest.mark.parametrize(
    ("name", "text", "stored"),
    [
        ("title", "Better", "Better"),
        ("description", "Line\n\n- **a**", "Line\n\n- **a**"),
        ("priority", "urgent", "urgent"),
        ("due_at", "2026-12-01", "2026-12-01"),
        ("labels", 'b, "a, c"', '"a, c",b'),
        ("required_skills", "python:3, docs", "docs:1, python:3"),
        ("assignees", "@bert, atlas", "atlas, bert"),
        ("parent", "ops-2", "OPS-2"),
        ("depends_on", "OPS-3 ^OPS-2", "OPS-2, OPS-3"),
    ],
)
def test_each_field_is_edited_by_its_verb(client, cast, new_task, edit, name, text, stored):
    task = new_task("First")
    new_task()
    new_task()
    client.force_login(cast.ada.user)
    page = client.get(f"/tasks/{task.ref}")
    assert f'href="/tasks/OPS-1/edit/{name}?next=%2Ftasks%2FOPS-1"' in page.content.decode()
    answer = edit(task, name, text, next="/tasks/")
    assert (answer.status_code, answer["Location"]) == (302, "/tasks/")
    assert says(task, name) == stored
    version = Task.objects.get(pk=task.pk).version
    assert version == 2
    assert edit(task, name, stored, headers=FETCH).status_code == 204
    assert Task.objects.get(pk=task.pk).version == version, "the same again changes nothing"
    if not FIELDS[name].is_required:
        edit(task, name, "")
        assert says(task, name) == ""


def test_field_is_refused_with_a_sentence_and_keeps_what_was_typed(cast, new_task, edit):
    task, other = new_task("First"), new_task("Second", depends_on=[])
    edit(other, "depends_on", task.ref)
    for name, text, sentence in (
        ("title", " ", "Give the task a title."),
        ("priority", "hihg", "Choose a priority."),
        ("due_at", "soon", "There is no day 'soon'"),
        ("assignees", "atals", "There is no agent 'atals'; did you mean 'atlas'?"),
        ("required_skills", "python:9", "The level of python must be from 1 to 5."),
        ("parent", "OTHER-1", "There is no task 'OTHER-1' in OPS."),
        ("depends_on", other.ref, "OPS-1 → OPS-2 → OPS-1"),
    ):
        answer = edit(task, name, text, headers=FETCH)
        assert answer.status_code in (400, 409), name
        assert sentence in words(answer), name
        if text.strip() and name != "priority":
            assert f'value="{text}"' in answer.content.decode(), name
        assert says(task, name) in ("First", "normal", "")


def test_only_who_may_edit_a_field_is_offered_its_editor(client, cast, new_task, edit):
    cast.ops.workers_create = True
    cast.ops.save()
    task, own = new_task("Ours"), new_task("His", actor=cast.hugo.user)
    for user in (cast.vera, cast.hugo.user, cast.rita.user):
        client.force_login(user)
        assert "data-edit=" not in client.get(f"/tasks/{task.ref}").content.decode()
        page = client.get(f"/tasks/{task.ref}/edit/title")
        assert page.status_code == 403
        assert "data-edit-form" not in page.content.decode(), "what cannot be sent is not asked for"
        answer = edit(task, "title", "Mine", base="Ours", by=user)
        assert answer.status_code == 403
        assert "Only its creator or a manager of OPS may edit OPS-1." in words(answer)
        assert edit(task, "assignees", "atlas", base="", by=user).status_code == 403
    client.force_login(cast.hugo.user)
    offered = set(re.findall(r'data-edit="(\w+)"', client.get(f"/tasks/{own.ref}").content.decode()))
    assert offered == set(FIELDS) - {"assignees"}
    assert edit(own, "title", "Better", by=cast.hugo.user).status_code == 302
    for stranger in (cast.mona.user, cast.zed.user):
        assert edit(task, "title", "Mine", base="Ours", by=stranger).status_code == 404
    assert edit(task, "status", "completed", base="").status_code == 404
    assert sorted(Task.objects.values_list("title", flat=True)) == ["Better", "Ours"]
    assert not Event.objects.filter(kind="task.assigned").exists()


def test_due_date_is_shown_and_entered_in_the_readers_zone(client, cast, new_task, edit):
    Profile.objects.create(user=cast.ada.user, time_zone="Pacific/Auckland")
    task = new_task("First", due_at=datetime(2026, 11, 30, 20, 0, tzinfo=UTC))
    client.force_login(cast.ada.user)
    form = client.get(f"/tasks/{task.ref}/edit/due_at")
    assert 'value="2026-12-01"' in form.content.decode()
    assert 'value="09:00"' in form.content.decode()
    assert "Times are those of Pacific/Auckland." in words(form)
    edit(task, "due_at", "2026-12-02", due_at_time="10:30")
    assert Task.objects.get(pk=task.pk).due_at == datetime(2026, 12, 1, 21, 30, tzinfo=UTC)
    edit(task, "due_at", "2026-07-01")
    assert Task.objects.get(pk=task.pk).due_at == datetime(2026, 7, 1, 11, 59, 59, tzinfo=UTC)
    assert client.get(f"/tasks/{task.ref}/edit/due_at").context["editor"].text == "2026-07-01"
    admin = client.get(f"/admin/tasks/task/{task.pk}/change/")
    assert "Times are in Pacific/Auckland." in words(admin)
    assert 'value="23:59:59"' in admin.content.decode()


BASE = "One\n\nTwo\n\nThree"


@pytest.mark.parametrize(
    ("name", "base", "theirs", "mine", "both"),
    [
        ("description", BASE, "One\n\nTwo\n\n3", "1\n\nTwo\n\nThree", "1\n\nTwo\n\n3"),
        ("labels", "a, b", "a, b, c", "b, d", "b, c, d"),
        ("required_skills", "docs:1", "docs:1, python:2", "docs:3", "docs:3, python:2"),
        ("assignees", "atlas", "atlas, bert", "hugo", "bert, hugo"),
    ],
)
def test_somebody_faster_is_shown_theirs_mine_and_both(cast, new_task, edit, name, base, theirs, mine, both):
    task = new_task("First")
    edit(task, name, base)
    edit(task, name, theirs, by=cast.root)
    clash = edit(task, name, mine, base=base, headers=FETCH)
    assert clash.status_code == 412
    assert says(task, name) == theirs, "nothing is overwritten"
    for text in (theirs, mine, both):
        assert text in clash.content.decode()
    assert "changed the" in words(clash)
    assert "nothing was saved" in words(clash)
    editor = clash.context["editor"]
    text = says(task, name)
    edit(task, name, text.replace("3", "5").replace("bert", "bert, ada").replace("c", "c, e"), by=cast.root)
    third = edit(task, name, mine, base=editor.base, mine=mine, both=both, choose_both="1")
    if third.status_code == 412:
        assert (third.context["editor"].text, third.context["editor"].clash.mine) == (both, both)
    edit(task, name, text, by=cast.root)
    answer = edit(task, name, mine, base=editor.base, both=both.replace("\n", "\r\n"), choose_both="1")
    assert answer.status_code == 302
    assert says(task, name) == both


def test_who_was_faster_with_the_same_words_leaves_a_choice(cast, new_task, edit):
    task = new_task("First")
    edit(task, "title", "Theirs", by=cast.root)
    clash = edit(task, "title", "Mine", base="First")
    assert clash.status_code == 412
    assert (
        "root changed the title of OPS-1 while you edited it, so nothing was saved; choose which version to keep."
        in words(clash)
    )
    html = clash.content.decode()
    assert 'value="Mine"' in html
    assert "Save both" not in html
    assert "Both changed the same words." in html
    edit(task, "title", "Third", by=cast.root)
    again = edit(task, "title", "Mine", base=clash.context["editor"].base)
    assert (again.status_code, says(task, "title")) == (412, "Third")
    assert edit(task, "title", "Mine", base=again.context["editor"].base, choose_mine="1").status_code == 302
    assert says(task, "title") == "Mine"


@pytest.mark.parametrize(
    ("name", "base", "theirs", "mine", "since", "stored"),
    [
        ("description", BASE, "One\n\nTwo\n\n3", "1\n\nTwo\n\nThree", "1\n\n2\n\nThree", "1\n\n2\n\n3"),
        ("labels", "a", "a, b", "a, c", "a, c, d", "a, b, c, d"),
        ("description", BASE, "One\n\nTwo\n\n3", "1\n\nTwo\n\nThree", "1\n\nTwo\n\nIII", None),
    ],
)
def test_save_both_keeps_what_was_typed_since_the_clash(cast, new_task, edit, name, base, theirs, mine, since, stored):
    task = new_task("First")
    edit(task, name, base)
    edit(task, name, theirs, by=cast.root)
    clash = edit(task, name, mine, base=base)
    buttons = re.findall(r"<button[^>]*name=\"(choose_\w+)", clash.content.decode())
    assert buttons == ["choose_mine", "choose_both"], "Enter presses the first, and saves what one sees"
    editor = clash.context["editor"]
    hidden = dict(re.findall(r'type="hidden" name="(both|mine)" value="([^"]*)"', clash.content.decode()))
    answer = edit(task, name, since, base=editor.base, choose_both="1", **hidden)
    assert answer.status_code == (302 if stored else 412)
    assert says(task, name) == (stored or theirs)
    if not stored:
        assert since in answer.content.decode(), "what does not go together is not dropped"
        assert theirs in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "base", "noun"),
    [("assignees", "atlas", "assignees"), ("depends_on", "OPS-2", "dependencies"), ("due_at", "", "due date")],
)
@pytest.mark.parametrize(("by", "who"), [("root", "root"), ("ada", "You"), ("ada_takes_away", "You")])
def test_clash_says_who_was_faster_whatever_verb_changes_the_field(cast, new_task, edit, name, base, noun, by, who):
    theirs, mine = {
        "assignees": ("atlas, bert", "hugo"),
        "depends_on": ("OPS-2, OPS-3", ""),
        "due_at": ("2026-12-01", "2026-12-02"),
    }[name]
    task = new_task("First")
    new_task()
    new_task()
    edit(task, name, base)
    if by == "ada_takes_away":
        edit(task, name, theirs, by=cast.root)
        theirs = "bert" if name == "assignees" else "OPS-3" if name == "depends_on" else "2026-12-03"
    edit(task, name, theirs, by=cast.root if by == "root" else None)
    clash = edit(task, name, mine, base=base)
    assert clash.status_code == 412
    when = "in another window" if who == "You" else "while you edited it"
    assert f"{who} changed the {noun} of OPS-1 {when}" in words(clash)
    assert clash.context["editor"].clash.at is not None


def test_time_of_day_without_a_day_is_asked_about_and_kept(client, cast, new_task, edit):
    task = new_task("First", due_at=datetime(2026, 12, 1, 17, 0, tzinfo=UTC))
    answer = edit(task, "due_at", "", due_at_time="17:00")
    assert answer.status_code == 400
    assert "Choose the day too, or clear the time." in words(answer)
    assert re.search(r'type="time"[^>]*value="17:00"', answer.content.decode())
    assert says(task, "due_at") == "2026-12-01 17:00"
    created = client.post("/tasks/new/", {"project": "OPS", "title": "Second", "due_at": "", "due_at_time": "17:00"})
    assert created.status_code == 400
    assert "Choose the day too, or clear the time." in words(created)
    assert re.search(r'type="time"[^>]*value="17:00"', created.content.decode())
    assert Task.objects.count() == 1
    edit(task, "due_at", "", due_at_time="")
    assert Task.objects.get(pk=task.pk).due_at is None


def test_labels_with_two_spaces_keep_them_when_another_is_added(cast, new_task, edit):
    task = new_task("First", labels=["a  b", 'say  "hi", twice'])
    began = says(task, "labels")
    edit(task, "labels", f"{began}, c")
    assert set(task.labels.values_list("name", flat=True)) == {"a  b", 'say  "hi", twice', "c"}
    edit(task, "labels", "d\n e,f")
    assert set(task.labels.values_list("name", flat=True)) == {"d  e", "f"}, "pasted lines are one line"


@pytest.mark.parametrize("name", FIELDS)
def test_null_character_in_a_field_is_refused_with_a_sentence(cast, new_task, edit, name):
    task = new_task("First")
    before = says(task, name)
    for sent in ({}, {"choose_both": "1", "both": "a\0", "mine": "a\0"}, {"choose_both": "1", "mine": "b\0"}):
        answer = edit(task, name, "a\0", **sent)
        assert answer.status_code in (400, 412)
    assert edit(task, name, "a", base="a\0").status_code in (400, 412)
    assert says(task, name) == before


def test_rows_of_the_list_have_the_editors_of_whoever_manages_them(client, cast, new_task):
    new_task("Ours")
    new_task("Theirs", project=cast.other)
    for user, refs in ((cast.ada.user, {"OPS-1"}), (cast.root, {"OPS-1", "OTHER-1"}), (cast.hugo.user, set())):
        client.force_login(user)
        links = re.findall(r'href="/tasks/([\w-]+)/edit/(\w+)', client.get("/tasks/").content.decode())
        assert {ref for ref, _ in links} == refs
        assert {name for _, name in links} <= {"title", "priority", "due_at", "labels", "assignees"}
        assert len(links) == 5 * len(refs)


def test_change_of_another_field_is_no_clash(cast, new_task, edit):
    task = new_task("First")
    edit_task(actor=cast.root, task=task, changes={"description": "Theirs", "labels": ["x"]})
    claims.claim_task(actor=cast.atlas.user, task=task)
    assert edit(task, "title", "Mine", base="First").status_code == 302
    assert (says(task, "title"), says(task, "description")) == ("Mine", "Theirs")
    assert edit(task, "title", "Mine", base="First").status_code == 302, "who wanted the same gets the same"


def test_line_ends_from_the_api_are_no_clash(cast, new_task, edit):
    task = new_task("First", description="One\r\ntwo")
    assert edit(task, "description", "One\ntwo\nthree", base="One\r\ntwo").status_code == 302
    assert says(task, "description") == "One\ntwo\nthree"


def test_who_takes_a_task_away_keeps_whom_somebody_else_added(cast, new_task, edit):
    task = new_task("First", assignees=[cast.atlas])
    assign_task(actor=cast.root, task=task, agents=[cast.bert])
    assert edit(task, "assignees", "", base="atlas").status_code == 412
    assert says(task, "assignees") == "atlas, bert"


@pytest.mark.parametrize(
    ("name", "base", "mine", "both"),
    [("assignees", "atlas", "bert", "bert, hugo"), ("depends_on", "OPS-2", "OPS-3", "OPS-3, OPS-4")],
)
def test_what_is_added_between_the_look_and_the_write_stays(cast, new_task, edit, monkeypatch, name, base, mine, both):
    task = new_task("First", assignees=[cast.atlas])
    before, _, later = new_task(), new_task(), new_task()
    add_dependencies(actor=cast.root, task=task, depends_on=[before])
    write = editing._write

    def write_later(*args):
        assign_task(actor=cast.root, task=task, agents=[cast.hugo])
        add_dependencies(actor=cast.root, task=task, depends_on=[later])
        write(*args)

    monkeypatch.setattr(editing, "_write", write_later)
    assert edit(task, name, mine, base=base).status_code == 302
    assert says(task, name) == both


def test_clash_is_for_those_who_may_edit_and_of_texts_that_could_be_saved(cast, new_task, edit):
    task = new_task("First", description="Theirs")
    assert edit(task, "description", "Mine", base="Old", by=cast.vera).status_code == 403
    answer = edit(task, "description", "m" * 100_001, base="Old")
    assert answer.status_code == 400
    assert "100,000" in words(answer)


def test_preview_shows_the_description_and_saves_nothing(cast, new_task, edit):
    task = new_task("First", description="Old")
    answer = edit(task, "description", "**bold** <script>x</script>", preview="1", headers=FETCH)
    assert answer.status_code == 200
    assert "<strong>bold</strong>" in answer.content.decode()
    assert "<script>" not in answer.content.decode()
    assert says(task, "description") == "Old"
