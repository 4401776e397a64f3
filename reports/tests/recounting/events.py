"""Events that are addressed to nobody, one by one."""

from reports.tests.recounting.facts import Fact
from tasks.models import Event


def events(project_ids: list[int]) -> list[Fact]:
    return [
        Fact(
            moments={"happened": each.at},
            measures={},
            words={
                "project": each.project.key,
                "kind": each.kind,
                "agent": each.agent_slug or None,
                "actor": each.actor_name or None,
            },
        )
        for each in Event.objects.filter(project_id__in=project_ids).select_related("project")
        if each.recipient_id is None
    ]
