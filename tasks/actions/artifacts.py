"""What a run hands over besides its result: stored with it, and within its limits."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.contents import count_lines, media_type_of
from tasks.errors import Invalid
from tasks.models import Artifact, ArtifactKind, Run
from tasks.verbs.fields import content_of

MOST_OF_A_RUN = 50
MOST_BYTES_OF_A_RUN = 10 * 1024 * 1024


@dataclass(frozen=True)
class NewArtifact:
    """A valid artifact that is not stored yet."""

    name: str
    kind: str
    content: bytes
    media_type: str = ""


def new_artifacts(given: Sequence[Mapping[str, Any]] | None) -> list[NewArtifact]:
    """The artifacts of a body, which the declaration of its field has checked."""
    return [
        NewArtifact(each["name"], each["kind"], content_of(each), each.get("media_type") or "") for each in given or ()
    ]


def adopt_late_artifacts(run: Run) -> int:
    """Let those that came too late count, in place of earlier ones of the same names; returns how many they are."""
    late = Artifact.objects.filter(run=run, is_late=True)
    Artifact.objects.filter(run=run, is_late=False, name__in=list(late.values_list("name", flat=True))).delete()
    return late.update(is_late=False)


def store_artifacts(
    run: Run, new: Sequence[NewArtifact], *, at: datetime, is_late: bool = False
) -> list[tuple[Artifact, bool]]:
    """Store ``new`` as artifacts of ``run``, which is locked; returns each row, and whether it is new or changed.

    One of the same name is replaced; the same content again changes nothing. Raises ``Invalid`` beyond the limits of a
    run, before anything is stored.
    """
    if not new:
        return []
    present = {artifact.name: artifact for artifact in Artifact.objects.filter(run=run, is_late=is_late).listed()}
    rows = dict(present)
    stored: list[tuple[Artifact, bool]] = []
    for each in new:
        row = _row(run, each, at=at, is_late=is_late)
        old = rows.get(each.name)
        if old is not None and (old.sha256, old.kind, old.media_type) == (row.sha256, row.kind, row.media_type):
            stored.append((old, False))
            continue
        if each.name in present:
            row.pk = present[each.name].pk
        rows[each.name] = row
        stored = [(other, changed) for other, changed in stored if other.name != row.name] + [(row, True)]
    if len(rows) > MOST_OF_A_RUN:
        raise _too_much(f"A run has at most {MOST_OF_A_RUN} artifacts; with these it would have {len(rows)}.")
    if (size := sum(row.size for row in rows.values())) > MOST_BYTES_OF_A_RUN:
        most = f"The artifacts of a run have at most {MOST_BYTES_OF_A_RUN:,} bytes together"
        raise _too_much(f"{most}; with these it would be {size:,}.")
    for row, changed in stored:
        if changed:
            row.save()
    return stored


def _too_much(sentence: str) -> Invalid:
    return Invalid({"artifacts": sentence})


def _row(run: Run, new: NewArtifact, *, at: datetime, is_late: bool) -> Artifact:
    is_link = new.kind == ArtifactKind.LINK
    return Artifact(
        run=run,
        name=new.name,
        kind=new.kind,
        media_type=media_type_of(new.kind, new.name, new.media_type),
        size=len(new.content),
        lines=count_lines(new.kind, new.content),
        sha256=hashlib.sha256(new.content).hexdigest(),
        content=b"" if is_link else new.content,
        url=new.content.decode() if is_link else "",
        is_late=is_late,
        created_at=at,
    )
