"""Events that are addressed to nobody, one by one."""

from reports.tests.recounting.facts import Fact, yes_or_no
from tasks.models import Agent, Event, StatusInterval


def events(project_ids: list[int]) -> list[Fact]:
    return [
        Fact(
            moments={"happened": each.at},
            measures={},
            words={
                "project": each.project.key,
                "kind": each.kind,
                "agent": each.agent_slug or None,
                "agent_deleted": yes_or_no(
                    each.agent_id is not None and not Agent.objects.filter(pk=each.agent_id).exists()
                ),
                "version": _version(each),
                "actor": each.actor_name or None,
            },
        )
        for each in Event.objects.filter(project_id__in=project_ids).select_related("project")
        if each.recipient_id is None
    ]


def _version(each: Event) -> str | None:
    run = StatusInterval.objects.filter(task_id=each.task_id, run_number=each.data.get("run") or 0).first()
    return (run.version or None) if run else None
