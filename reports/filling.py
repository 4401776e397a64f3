"""What would fill each predefined report that has nothing to show, in one sentence."""

from typing import Final

FILLED_BY: Final = {
    "completed": "It fills as tasks come in and are completed.",
    "time_to_complete": "It fills as tasks are completed; queue and cycle time need a start, too.",
    "cycle_times": "It has a dot for each task that was started and then completed.",
    "cycle_time_histogram": "It fills as tasks are started and then completed.",
    "service_level": "It needs 30 completed tasks that were started before.",
    "wip_age": "It shows tasks that somebody has begun and not ended.",
    "cumulative_flow": "It fills as tasks come in and move from status to status.",
    "time_in_status": "It fills as tasks are completed, with the time that each lay in its statuses.",
    "flow_efficiency": "It fills as tasks are completed that somebody worked on here.",
    "waiting": "It fills as tasks wait for another task, an agent, an answer or a review.",
    "forecast": "It needs 20 completed tasks within at least 10 whole days, and tasks that are still open.",
    "littles_law": "It fills as tasks are started and completed.",
    "workload": "It fills as agents or people take tasks and complete them.",
    "utilisation": "It fills as the agents of your projects are able to work and take tasks.",
    "due_performance": "It fills as tasks with a due date are completed; give tasks a due date.",
    "reliability": "It fills as runs end: completed, failed, or without their lease.",
    "failures": "It fills if runs fail; that there are none is good news.",
    "quality": "It fills as tasks are completed, reviewed or reopened.",
    "cost": "It fills as agents report tokens or money with their results.",
    "cost_by_version": "It fills as agents report tokens or money with their results.",
    "cost_by_project": "It fills as agents report tokens or money with their results.",
    "cost_by_label": "It fills as agents report tokens or money with the results of tasks that have labels.",
    "people_load": "It fills as agents ask people questions and tasks come to review.",
    "assignment": "It fills as tasks are assigned by hand, pulled by agents or offered to them.",
    "top_blockers": "It shows open tasks that others depend on.",
}
