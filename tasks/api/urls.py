"""Paths of the task API; every one works with and without a trailing slash."""

from typing import Any

from django.urls import URLPattern, re_path

from tasks.api import agents, assignment, claims, me, projects, runs, skills
from tasks.api.tasks import resource, verbs
from tasks.refs import PATTERN

REF = rf"(?P<ref>{PATTERN})"
SLUG = r"(?P<slug>[a-z0-9][a-z0-9_.-]{0,59})"
RUN = r"(?P<id>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"


def _path(route: str, view: Any, name: str) -> URLPattern:
    return re_path(rf"^{route}/?$", view.as_view(), name=f"api-{name}")


urlpatterns = [
    _path("me", me.MeView, "me"),
    _path("projects", projects.ProjectsView, "projects"),
    _path(r"projects/(?P<key>[A-Za-z0-9]{1,12})", projects.ProjectView, "project"),
    _path("agents", agents.AgentsView, "agents"),
    _path(f"agents/{SLUG}", agents.AgentView, "agent"),
    _path(f"agents/{SLUG}/tokens", agents.TokensView, "tokens"),
    _path(rf"agents/{SLUG}/tokens/(?P<id>[0-9]{{1,15}})", agents.TokenView, "token"),
    _path("skills", skills.SkillsView, "skills"),
    _path("tasks", resource.TasksView, "tasks"),
    _path("tasks/claim_next", claims.ClaimNextView, "claim-next"),
    _path(f"tasks/{REF}", resource.TaskView, "task"),
    _path(f"tasks/{REF}/assign", verbs.AssignView, "assign"),
    _path(f"tasks/{REF}/unassign", verbs.UnassignView, "unassign"),
    _path(f"tasks/{REF}/candidates", assignment.CandidatesView, "candidates"),
    _path(f"tasks/{REF}/auto_assign", assignment.AutoAssignView, "auto-assign"),
    _path(f"tasks/{REF}/decline", assignment.DeclineView, "decline"),
    _path(f"tasks/{REF}/decisions", assignment.DecisionsView, "decisions"),
    _path(f"tasks/{REF}/claim", claims.ClaimView, "claim"),
    _path(f"tasks/{REF}/start", claims.StartView, "start"),
    _path(f"tasks/{REF}/release", verbs.ReleaseView, "task-release"),
    _path(f"tasks/{REF}/approve", verbs.ApproveView, "approve"),
    _path(f"tasks/{REF}/request_changes", verbs.RequestChangesView, "request-changes"),
    _path(f"tasks/{REF}/cancel", verbs.CancelView, "cancel"),
    _path(f"tasks/{REF}/reopen", verbs.ReopenView, "reopen"),
    _path(f"tasks/{REF}/dependencies", verbs.DependenciesView, "dependencies"),
    _path(f"tasks/{REF}/runs", runs.TaskRunsView, "task-runs"),
    _path(rf"tasks/{REF}/runs/(?P<number>[0-9]{{1,6}})/adopt", runs.AdoptView, "adopt"),
    _path("runs/complete_many", runs.CompleteManyView, "complete-many"),
    _path(f"runs/{RUN}/heartbeat", runs.HeartbeatView, "heartbeat"),
    _path(f"runs/{RUN}/progress", runs.ProgressView, "progress"),
    _path(f"runs/{RUN}/complete", runs.CompleteView, "complete"),
    _path(f"runs/{RUN}/fail", runs.FailView, "fail"),
    _path(f"runs/{RUN}/release", runs.RunReleaseView, "release"),
]
