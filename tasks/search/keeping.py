"""Keeps the words of tasks, from what the tasks are; and says where what is kept differs from that."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import connection, transaction

from tasks.batches import batches
from tasks.models import Project, Task, TaskText
from tasks.refs import ref_of
from tasks.search.words import BETWEEN, kept_words

BATCH = 500
#: What a task's words are made of, besides its ref.
SOURCES = frozenset({"title", "labels", "description"})


def words_of(title: str, labels: Iterable[str], description: str) -> str:
    """The words of a task, without its ref; see ``with_ref``."""
    return kept_words((title, " ".join(sorted(labels)), description))


def with_ref(key: str, number: int, words: str) -> str:
    """``words`` of a task with those of its ref before them."""
    return f" {key.lower()} {number} {BETWEEN}{words}"


def keep_words(task: Task, labels: Iterable[str]) -> None:
    """Keep the words of ``task``, which is new or has changed; part of the transaction that writes it."""
    words = with_ref(task.project.key, task.number, words_of(task.title, labels, task.description))
    _write([TaskText(task=task, words=words)])


def _write(rows: Sequence[Any]) -> None:
    if rows:
        type(rows[0])._default_manager.bulk_create(
            rows, update_conflicts=True, unique_fields=["task"], update_fields=["words"]
        )


def _right(ids: Sequence[int], task: Any) -> dict[int, str]:
    labels: dict[int, list[str]] = defaultdict(list)
    labelled = task.labels.through._default_manager.filter(task__in=ids)
    for pk, name in labelled.values_list("task_id", "label__name"):
        labels[pk].append(name)
    rows = task._default_manager.filter(pk__in=ids).values_list("pk", "project__key", "number", "title", "description")
    return {
        pk: with_ref(key, number, words_of(title, labels[pk], description))
        for pk, key, number, title, description in rows
    }


def rebuild(ids: Sequence[int], *, write: bool = True, task: Any = Task, text: Any = TaskText) -> list[str]:
    """Put right the words of these tasks, or only look; returns the refs of those that were not.

    ``task`` and ``text``: the models, of a migration others. Safe beside running servers: the tasks are locked.
    """
    with transaction.atomic():
        if write and connection.features.has_select_for_update:
            locked = task._default_manager.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
            list(locked.values_list("pk"))
        right = _right(ids, task)
        kept = dict(text._default_manager.filter(task__in=ids).values_list("task_id", "words"))
        wrong = [pk for pk, words in right.items() if kept.get(pk) != words]
        if write:
            _write([text(task_id=pk, words=right[pk]) for pk in wrong])
    named = task._default_manager.filter(pk__in=wrong).order_by("pk").values_list("project__key", "number")
    return [ref_of(*each) for each in named]


def rebuild_all(
    ids: Iterable[int], *, write: bool = True, progress: Callable[[int], Any] = lambda _: None
) -> Iterator[str]:
    """The same for many tasks, a lot at a time."""
    for lot in batches(ids, BATCH):
        yield from rebuild(lot, write=write)
        progress(len(lot))


def tasks_to_search(project: Project | None = None) -> list[int]:
    """Ids of the tasks, in order."""
    tasks = Task.objects.filter(project=project) if project else Task.objects.all()
    return list(tasks.order_by("pk").values_list("pk", flat=True))
