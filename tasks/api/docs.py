"""The words and examples of the OpenAPI description, one entry an endpoint."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample

RUN_ID = "1f0e6a3c-3f0a-4c0e-9a3d-6a8f1c2b7d10"

TASK_EXAMPLE: dict[str, Any] = {
    "ref": "OPS-42",
    "project": "OPS",
    "title": "Rotate the signing keys",
    "description": "The old ones expire on Friday.",
    "status": "not_started",
    "priority": "high",
    "labels": ["security"],
    "due_at": "2026-11-27T17:00:00Z",
    "start_after": None,
    "estimate_minutes": 30,
    "required_skills": [{"skill": "python", "min_level": 3}],
    "assignees": ["atlas"],
    "depends_on": ["OPS-1"],
    "blocked_by": [],
    "is_ready": True,
    "is_overdue": False,
    "parent": None,
    "criteria": ["old keys are refused"],
    "progress": {"percent": 0, "note": "", "at": None},
    "active_run": None,
    "attempts": 0,
    "max_attempts": 3,
    "review_required": False,
    "result": None,
    "summary": "",
    "created_by": "ada",
    "external_id": None,
    "created_at": "2026-11-22T10:00:00Z",
    "updated_at": "2026-11-22T10:00:00Z",
    "started_at": None,
    "completed_at": None,
    "version": 1,
}
CONTEXT_EXAMPLE = {
    "attempts": [{"number": 1, "agent": "bert", "outcome": "expired", "summary": "40 %: new keys made"}],
    "checkpoint": {"new_key": "2026-11"},
    "answers": [],
    "feedback": [],
    "dependencies": [{"ref": "OPS-1", "summary": "Key store is up", "result": None}],
    "thread": [],
}
BRIEF_EXAMPLE = {
    "id": RUN_ID,
    "status": "active",
    "lease_expires_at": "2026-11-22T10:15:00Z",
    "directives": [],
    "unread": 0,
}
RUN_EXAMPLE = {
    **BRIEF_EXAMPLE,
    "task": {**TASK_EXAMPLE, "status": "in_progress"},
    "number": 2,
    "started_at": "2026-11-22T10:00:00Z",
    "context": CONTEXT_EXAMPLE,
}
DONE_EXAMPLE = {**TASK_EXAMPLE, "status": "completed", "summary": "Rotated; old keys are refused"}


def _doc(
    tag: str,
    operation_id: str,
    summary: str,
    description: str = "",
    *,
    request: Any = None,
    response: Any = None,
    status: str = "200",
) -> dict[str, Any]:
    """Keyword arguments of ``extend_schema`` for one operation."""
    examples = []
    if request is not None:
        examples.append(OpenApiExample("Request", value=request, request_only=True))
    if response is not None:
        examples.append(OpenApiExample("Answer", value=response, response_only=True, status_codes=[status]))
    return {
        "tags": [tag],
        "operation_id": operation_id,
        "summary": summary,
        "description": description,
        "examples": examples,
    }


ME = _doc("team", "get_me", "Who am I", "The caller's agent, projects and active runs: where a restarted agent begins.")
ME_PATCH = _doc(
    "team", "patch_me", "Change my availability or version", request={"availability": "paused", "version": "model-2"}
)
PROJECTS = _doc("team", "list_projects", "Projects I am a member of")
PROJECT_CREATE = _doc(
    "team",
    "create_project",
    "Create a project",
    "Staff only. The creator becomes its manager.",
    request={"key": "OPS", "name": "Operations", "members": [{"name": "atlas", "role": "worker"}]},
)
PROJECT = _doc("team", "get_project", "One project")
PROJECT_PATCH = _doc(
    "team",
    "patch_project",
    "Change a project's rules and members",
    "Managers only. Members that are not named stay as they are; the role null removes one.",
    request={"lease_seconds": 600, "members": [{"name": "bert", "role": "reviewer"}]},
)
AGENTS = _doc("team", "list_agents", "Agents I share a project with, with their load")
AGENT_CREATE = _doc(
    "team",
    "create_agent",
    "Create an agent",
    "Staff only. Make it a member of a project next, and give it a token.",
    request={"slug": "atlas", "max_concurrent": 2, "skills": [{"skill": "python", "level": 4}]},
)
AGENT = _doc("team", "get_agent", "One agent with its load")
AGENT_PATCH = _doc("team", "patch_agent", "Change an agent", request={"max_concurrent": 3})
TOKENS = _doc(
    "team", "list_tokens", "Tokens of an agent", "For managers of its projects; the tokens themselves are not kept."
)
TOKEN_CREATE = _doc(
    "team",
    "create_token",
    "Create a token",
    "For managers of the agent's projects. The token is shown this once. Agents create no tokens.",
    request={"name": "laptop", "expires_at": "2027-01-01T00:00:00Z"},
    response={"token": "tp_…", "name": "laptop", "expires_at": "2027-01-01T00:00:00Z"},
    status="201",
)
TOKEN_REVOKE = _doc("team", "revoke_token", "Revoke a token", "It is refused from now on.")
SKILLS = _doc("team", "list_skills", "Skills")
SKILL_CREATE = _doc("team", "create_skill", "Add a skill", "Staff only.", request={"name": "security"})

TASKS = _doc("tasks", "list_tasks", "Tasks of my projects", "Filters may be combined; several values by comma.")
TASK_CREATE = _doc(
    "tasks",
    "create_task",
    "Create a task",
    "Managers; other members where the project lets workers create. Only managers assign.",
    request={
        "project": "OPS",
        "title": "Rotate the signing keys",
        "priority": "high",
        "required_skills": [{"skill": "python", "min_level": 3}],
        "depends_on": ["OPS-1"],
    },
    response=TASK_EXAMPLE,
    status="201",
)
TASK = _doc("tasks", "get_task", "One task", "The `ETag` is its version.", response=TASK_EXAMPLE)
TASK_PATCH = _doc(
    "tasks",
    "patch_task",
    "Change a task",
    "Its creator and managers. With `If-Match`, only if nobody wrote it since.",
    request={"priority": "urgent", "due_at": "2026-11-27T17:00:00Z"},
    response=TASK_EXAMPLE,
)
TASK_DELETE = _doc("tasks", "delete_task", "Delete a task", "Managers only; not while it is in progress.")
ASSIGN = _doc("tasks", "assign_task", "Assign agents", "Managers only.", request={"agents": ["atlas"]})
UNASSIGN = _doc(
    "tasks",
    "unassign_task",
    "Unassign agents",
    "Managers only. The run of an agent that holds the task is revoked.",
    request={"agents": ["atlas"]},
)
CANDIDATES = _doc(
    "assignment",
    "list_candidates",
    "Who could do a task",
    "Managers only. Every agent of the project with its score, or with what excludes it. Nothing is written.",
)
AUTO_ASSIGN = _doc(
    "assignment",
    "auto_assign_task",
    "Offer a task to the best agent",
    "Managers only, in projects of any mode. Nobody found is an answer too: `agent` is null. Repeating it is safe.",
)
DECLINE = _doc(
    "assignment",
    "decline_task",
    "Decline an assignment",
    "For an assignee, before the task begins. It is not offered to you again.",
    request={"reason": "Needs access that I do not have."},
)
DECISIONS = _doc(
    "assignment", "list_decisions", "Why a task was assigned so", "Decisions of automatic assignment, the latest first."
)
DEPENDENCIES_ADD = _doc("tasks", "add_dependencies", "Let a task wait for others", request={"depends_on": ["OPS-1"]})
DEPENDENCIES_REMOVE = _doc(
    "tasks", "remove_dependencies", "Let a task wait no longer for others", request={"depends_on": ["OPS-1"]}
)
APPROVE = _doc("review", "approve_task", "Approve the result in review", "Staff and reviewers, never the author.")
REQUEST_CHANGES = _doc(
    "review",
    "request_changes",
    "Send the result back with a note",
    "Staff and reviewers, never the author, who stays assigned and gets the note with the next run.",
    request={"note": "Please add a test."},
)
CANCEL = _doc(
    "tasks", "cancel_task", "Cancel a task", "Managers only; an active run ends.", request={"note": "Obsolete."}
)
REOPEN = _doc("tasks", "reopen_task", "Reopen an ended task", "Managers only; its history stays.")
TASK_RELEASE = _doc("tasks", "release_task", "Take a task back from its holder", "Managers only. It costs no attempt.")
TASK_RUNS = _doc("tasks", "list_task_runs", "Runs of a task")
ADOPT = _doc(
    "review",
    "adopt_late_result",
    "Adopt a late result",
    "Managers only: take a result that came after its lease was lost as the task's result.",
)

CLAIM_NEXT = _doc(
    "work",
    "claim_next",
    "Claim what I should do next",
    "First what is assigned to you, then what the projects let you pull; by priority, due date and age. "
    "With `wait_seconds` the call waits for work. No work is no error: `runs` is empty and `reason` says why.",
    request={"limit": 1, "wait_seconds": 20},
    response={"runs": [RUN_EXAMPLE], "reason": None, "retry_after_seconds": None},
)
CLAIM = _doc(
    "work",
    "claim_task",
    "Claim this task",
    "Repeating it is safe for the holder: the same run comes back, its lease renewed.",
    request={"lease_seconds": 600},
    response=RUN_EXAMPLE,
)
START = _doc(
    "work",
    "start_task",
    "Start a task as a person",
    "For yourself or, as staff, for another person. The run has no lease.",
)
HEARTBEAT = _doc(
    "work",
    "heartbeat_run",
    "I am alive",
    "Renews the lease. Send it well within the lease; obey `directives`.",
    response=BRIEF_EXAMPLE,
)
PROGRESS = _doc(
    "work",
    "progress_run",
    "How far I am",
    "Renews the lease. Only changed content counts as progress. `checkpoint` goes to whoever continues.",
    request={
        "percent": 40,
        "note": "new keys made",
        "usage": {"input_tokens": 1200, "output_tokens": 300, "cost": 0.01},
    },
    response=BRIEF_EXAMPLE,
)
COMPLETE = _doc(
    "work",
    "complete_run",
    "Finish with a result",
    "The task is completed, or in review where it asks for one.",
    request={"summary": "Rotated; old keys are refused", "result": {"key": "2026-11"}},
    response={"task": DONE_EXAMPLE, "unblocked": ["OPS-43"]},
)
COMPLETE_MANY = _doc(
    "work",
    "complete_many_runs",
    "Finish several runs",
    "Each for itself: one that is refused carries its `problem`, the others are completed.",
    request={"runs": [{"id": RUN_ID, "summary": "done"}]},
    response={"results": [{"id": RUN_ID, "task": DONE_EXAMPLE, "unblocked": []}]},
)
FAIL = _doc(
    "work",
    "fail_run",
    "Give up this attempt",
    "While it is retryable and attempts are left, the task comes back after a rest.",
    request={"code": "tests_failed", "detail": "3 of 40 tests fail", "retryable": True},
)
RELEASE = _doc(
    "work",
    "release_run",
    "Return the task without a result",
    "Costs no attempt; the checkpoint goes to whoever is next.",
    request={"reason": "shutting down", "checkpoint": {"step": 3}},
)


class TokenScheme(OpenApiAuthenticationExtension):
    """How the token is described in OpenAPI."""

    target_class = "tasks.api.authentication.TokenAuthentication"
    name = "agentToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A token of an agent, made by staff; shown once."}
