"""The catalogue of events: what it declares is what is recorded, and nobody names a kind that it does not know."""

import ast
import re
from pathlib import Path

import pytest

from tasks import clock
from tasks.errors import Invalid
from tasks.events import kinds
from tasks.events.declaration import UndeclaredEvent
from tasks.events.narrowing import narrowing_of
from tasks.events.recording import event, record
from tasks.models import Event

ROOT = Path(__file__).resolve().parents[2]
APPS = ("tasks", "messaging", "reports", "taskproject")
NAMESPACES = {name.partition(".")[0] for name in kinds.CATALOGUE}
#: A kind as a module of the browser names it, or the beginning of several, as in ``"notification."``.
NAMED = re.compile(rf"[\"'`]((?:{'|'.join(sorted(NAMESPACES))})\.[a-z_]*)[\"'`]")


def modules_of_the_browser() -> list[Path]:
    return [path for app in APPS for path in (ROOT / app / "static").rglob("*.js")]


def modules_of_python() -> list[Path]:
    paths = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    return [path for path in paths if "tests" not in path.parts and "migrations" not in path.parts]


def test_catalogue_declares_each_kind_in_the_past_tense_with_words_for_everything():
    assert len(kinds.CATALOGUE) >= 30
    for name, kind in kinds.CATALOGUE.items():
        assert name == kind
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", name)
        assert kind.declared.meaning.endswith(".")
        for datum in kind.declared.data.values():
            assert datum.meaning.endswith("."), f"{name}: {datum.meaning}"


def test_constant_of_each_kind_is_its_name():
    for name, kind in kinds.CATALOGUE.items():
        assert getattr(kinds, name.upper().replace(".", "_")) is kind


@pytest.mark.django_db
def test_event_of_an_unknown_kind_is_refused_with_the_nearest(cast):
    about = {"at": clock.now(), "actor": None, "project": cast.ops}
    with pytest.raises(UndeclaredEvent, match=r"'task\.crated'; did you mean 'task\.created'"):
        event("task.crated", **about, title="x")
    unknown = Event(at=clock.now(), project=cast.ops, project_key="OPS", kind="task.crated")
    with pytest.raises(UndeclaredEvent, match=r"did you mean 'task\.created'"):
        record(unknown)
    assert not Event.objects.filter(kind="task.crated").exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"title": "x", "colour": "red"}, "declares no 'colour'"),
        ({"title": 1}, "title must be"),
        ({"title": None}, "title must be"),
        ({}, "lacks title"),
    ],
)
@pytest.mark.django_db
def test_event_with_undeclared_or_mistyped_data_is_refused(cast, data, words):
    with pytest.raises(UndeclaredEvent, match=words):
        event(kinds.TASK_CREATED, at=clock.now(), actor=None, project=cast.ops, **data)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (kinds.TASK_STATUS_CHANGED, {"verb": "claim", "from": "not_started", "to": "begun"}),
        (kinds.TASK_BLOCKERS_CHANGED, {"open": True}),
        (kinds.TASK_BLOCKERS_CHANGED, {"open": "2"}),
        (kinds.TASK_EDITED, {"fields": "title"}),
        (kinds.TASK_EDITED, {"fields": ["title", 2]}),
        (kinds.TASK_UNDEFERRED, {"ready": 1}),
        (kinds.NOTIFICATION_READ, {"count": 1, "notifications": ["1"]}),
    ],
)
def test_data_of_each_type_is_held_to_it(kind, data):
    with pytest.raises(UndeclaredEvent, match="must be"):
        kind.check(data)


@pytest.mark.django_db
def test_narrowing_to_an_unknown_kind_is_refused_with_the_nearest(cast):
    with pytest.raises(Invalid) as refused:
        narrowing_of(cast.ada.user, kinds="task.assigned, task.asigned")
    assert refused.value.data["errors"]["kinds"] == [
        "There is no kind of events 'task.asigned'; did you mean 'task.assigned'?"
    ]
    assert narrowing_of(cast.ada.user, kinds=" task.assigned ,").kinds == {"task.assigned"}


#: Below the catalogue; ``test_pruning`` holds the kinds that it names against the constants.
BELOW = ROOT / "tasks/models/event.py"


def test_python_names_kinds_by_their_constants():
    forbidden = {*kinds.CATALOGUE, *(f"{namespace}." for namespace in NAMESPACES)}
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"
        for path in modules_of_python()
        if path.parent != ROOT / "tasks/events/kinds" and path != BELOW
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in forbidden
    ]
    assert bare == []


def test_kinds_that_modules_of_the_browser_name_are_in_the_catalogue():
    named = {(path.name, word) for path in modules_of_the_browser() for word in NAMED.findall(path.read_text())}
    assert named, "the browser's modules name no kind in a way that this test reads"
    unknown = {
        (module, word)
        for module, word in named
        if word not in kinds.CATALOGUE and not (word.endswith(".") and word[:-1] in NAMESPACES)
    }
    assert unknown == set()


def test_modules_of_the_browser_name_kinds_in_whole_and_match_none_by_a_pattern():
    matched = [path.name for path in modules_of_the_browser() if re.search(r"\.test\([^)]*\.kind\)", path.read_text())]
    assert matched == []
