"""Paths of the task API; every one works with and without a trailing slash."""

from typing import Any

from django.urls import URLPattern, re_path

from tasks.api.views import assignment, tasks, team, work

REF = r"(?P<ref>[A-Za-z][A-Za-z0-9]{0,11}-[0-9]{1,9})"
SLUG = r"(?P<slug>[a-z0-9][a-z0-9_.-]{0,59})"
RUN = r"(?P<id>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"


def _path(route: str, view: Any, name: str) -> URLPattern:
    return re_path(rf"^{route}/?$", view.as_view(), name=f"api-{name}")


urlpatterns = [
    _path("me", team.MeView, "me"),
    _path("projects", team.ProjectsView, "projects"),
    _path(r"projects/(?P<key>[A-Za-z0-9]{1,12})", team.ProjectView, "project"),
    _path("agents", team.AgentsView, "agents"),
    _path(f"agents/{SLUG}", team.AgentView, "agent"),
    _path(f"agents/{SLUG}/tokens", team.TokensView, "tokens"),
    _path(rf"agents/{SLUG}/tokens/(?P<id>[0-9]{{1,15}})", team.TokenView, "token"),
    _path("skills", team.SkillsView, "skills"),
    _path("tasks", tasks.TasksView, "tasks"),
    _path("tasks/claim_next", work.ClaimNextView, "claim-next"),
    _path(f"tasks/{REF}", tasks.TaskView, "task"),
    _path(f"tasks/{REF}/assign", tasks.AssignView, "assign"),
    _path(f"tasks/{REF}/unassign", tasks.UnassignView, "unassign"),
    _path(f"tasks/{REF}/candidates", assignment.CandidatesView, "candidates"),
    _path(f"tasks/{REF}/auto_assign", assignment.AutoAssignView, "auto-assign"),
    _path(f"tasks/{REF}/decline", assignment.DeclineView, "decline"),
    _path(f"tasks/{REF}/decisions", assignment.DecisionsView, "decisions"),
    _path(f"tasks/{REF}/claim", work.ClaimView, "claim"),
    _path(f"tasks/{REF}/start", work.StartView, "start"),
    _path(f"tasks/{REF}/release", tasks.ReleaseView, "task-release"),
    _path(f"tasks/{REF}/approve", tasks.ApproveView, "approve"),
    _path(f"tasks/{REF}/request_changes", tasks.RequestChangesView, "request-changes"),
    _path(f"tasks/{REF}/cancel", tasks.CancelView, "cancel"),
    _path(f"tasks/{REF}/reopen", tasks.ReopenView, "reopen"),
    _path(f"tasks/{REF}/dependencies", tasks.DependenciesView, "dependencies"),
    _path(f"tasks/{REF}/runs", tasks.TaskRunsView, "task-runs"),
    _path(rf"tasks/{REF}/runs/(?P<number>[0-9]{{1,6}})/adopt", tasks.AdoptView, "adopt"),
    _path("runs/complete_many", work.CompleteManyView, "complete-many"),
    _path(f"runs/{RUN}/heartbeat", work.HeartbeatView, "heartbeat"),
    _path(f"runs/{RUN}/progress", work.ProgressView, "progress"),
    _path(f"runs/{RUN}/complete", work.CompleteView, "complete"),
    _path(f"runs/{RUN}/fail", work.FailView, "fail"),
    _path(f"runs/{RUN}/release", work.RunReleaseView, "release"),
]
