"""Artifacts that the holder of a run sends one at a time, before it finishes."""

from typing import TYPE_CHECKING
from uuid import UUID

from tasks import clock
from tasks.actions.artifacts import NewArtifact, store_artifacts
from tasks.actions.holding import Fenced, Stopped, lease_lost, load_run, renewal, stop_requested, write_run
from tasks.actions.transactions import in_transaction, verb
from tasks.contents import wrong_content
from tasks.errors import Invalid
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Artifact
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@in_transaction
def _add(actor: "User", run_id: UUID, new: NewArtifact) -> tuple[Artifact, bool]:
    run = load_run(actor, run_id, catalogue.ADD_ARTIFACT.right, lock=("self",))
    now = clock.now()
    [(artifact, changed)] = store_artifacts(run, [new], at=now)
    progress = {"last_progress_at": now, "stalled_at": None} if changed else {}
    write_run(run, renewal(run, now) | progress)
    artifact.run = run
    if changed:
        record(
            event(
                kinds.RUN_ARTIFACT_ADDED,
                at=now,
                actor=actor,
                task=run.task,
                run=run,
                agent=run.agent,
                artifact=artifact.pk,
                name=artifact.name,
                artifact_kind=str(artifact.kind),
                size=artifact.size,
            )
        )
    return artifact, changed


@verb(catalogue.ADD_ARTIFACT, opens_transaction=False)
def add_artifact(
    *, actor: "User", run_id: UUID, name: str, content: bytes, kind: str = "file", media_type: str = ""
) -> tuple[Artifact, bool]:
    """Add an artifact to the active run, or replace the one of this name; returns it, and whether anything changed.

    ``kind``: text, link, diff or file; ``content`` of a link is its address. Renews the lease. Raises ``LeaseLost``,
    ``StopRequested``, ``NotFound``, ``Invalid``.
    """
    if problem := wrong_content(kind, content):
        raise Invalid({"content": problem})
    try:
        return _add(actor, run_id, NewArtifact(name, kind, content, media_type))
    except Fenced as fenced:
        raise lease_lost(fenced.run) from None
    except Stopped as stopped:
        raise stop_requested(stopped.run) from None
