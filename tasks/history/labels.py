"""Sets of labels: which those are that events name, and what is in them.

Tasks share them, so that a row of the history keeps all labels of its task by one number.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from tasks.batches import batches
from tasks.history.tables import Tables
from tasks.models import Event

Key = tuple[int, str]


def digest_of(names: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(sorted(set(names)), ensure_ascii=False).encode()).hexdigest()


class LabelSets:
    """Ids of sets of labels, by project and digest."""

    #: No row has this id.
    UNKNOWN = 0

    def __init__(self, ids: dict[Key, int]) -> None:
        self._ids = ids

    def get(self, project: int, names: Sequence[str]) -> int | None:
        """The id of the set of ``names``; None if there are none."""
        return self._ids.get((project, digest_of(names)), self.UNKNOWN) if names else None


def label_sets_of(events: Iterable[Event], tables: Tables, *, create: bool = True) -> LabelSets:
    """The sets that ``events`` name; those that are not there yet are created, or left out."""
    wanted: dict[Key, list[str]] = {}
    seen: set[tuple[int, tuple[str, ...]]] = set()
    for event in events:
        names = event.data.get("labels")
        if names and (which := (event.project_id, tuple(names))) not in seen:
            seen.add(which)
            wanted[event.project_id, digest_of(names)] = names
    if not wanted:
        return LabelSets({})
    ids = _known(wanted, tables)
    # In order, so that two that create the same ones cannot wait for each other.
    missing = sorted(wanted.keys() - ids.keys())
    if missing and create:
        rows = [tables.label_set(project_id=project, digest=digest) for project, digest in missing]
        tables.label_set.objects.bulk_create(rows, ignore_conflicts=True)
        ids |= _known(missing, tables)
        tables.label_of_set.objects.bulk_create(
            [
                tables.label_of_set(label_set_id=ids[key], name=name)
                for key in missing
                for name in sorted({*wanted[key]})
            ],
            ignore_conflicts=True,
        )
    return LabelSets(ids)


def _known(keys: Collection[Key], tables: Tables) -> dict[Key, int]:
    ids: dict[Key, int] = {}
    for batch in batches(sorted({digest for _, digest in keys})):
        rows = tables.label_set.objects.filter(project__in={project for project, _ in keys}, digest__in=batch)
        ids |= {(project, digest): pk for pk, project, digest in rows.values_list("pk", "project", "digest")}
    return ids


def names_in(sets: Collection[int], tables: Tables) -> dict[int, list[str]]:
    """The names in each of these sets, in order."""
    names: dict[int, list[str]] = defaultdict(list)
    for batch in batches(sorted(sets)):
        rows = tables.label_of_set.objects.filter(label_set__in=batch).order_by("label_set", "name")
        for label_set, name in rows.values_list("label_set", "name"):
            names[label_set].append(name)
    return {label_set: sorted(each) for label_set, each in names.items()}
