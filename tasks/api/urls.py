"""Paths of the task API; every one works with and without a trailing slash."""

from typing import Any

from django.urls import URLPattern, re_path

from tasks.api import (
    agent_projects,
    agents,
    artifacts,
    assignment,
    claims,
    directives,
    follow_ups,
    heartbeat,
    invitations,
    me,
    projects,
    questions,
    runs,
    saved_views,
    skills,
    tokens,
)
from tasks.api import messages as all_messages
from tasks.api.tasks import dependencies, messages, resource
from tasks.api.verbs import verb_paths
from tasks.refs import PATTERN

REF = rf"(?P<ref>{PATTERN})"
SLUG = r"(?P<slug>[a-z0-9][a-z0-9_.-]{0,59})"
KEY = r"(?P<key>[A-Za-z0-9]{1,12})"
NUMBER = r"(?P<id>[0-9]{1,15})"
RUN = r"(?P<id>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"


def _path(route: str, view: Any, name: str) -> URLPattern:
    return re_path(rf"^{route}/?$", view.as_view(), name=f"api-{name}")


urlpatterns = [
    # What agents call all the time comes first: each path before it costs every call a comparison.
    _path("tasks", resource.TasksView, "tasks"),
    _path("tasks/claim_next", claims.ClaimNextView, "claim-next"),
    _path(f"tasks/{REF}", resource.TaskView, "task"),
    _path(f"runs/{RUN}/heartbeat", heartbeat.HeartbeatView, "heartbeat"),
    _path("runs/complete_many", runs.CompleteManyView, "complete-many"),
    *(_path(route.replace("REF", REF).replace("RUN", RUN), view, name) for route, view, name in verb_paths()),
    _path("me", me.MeView, "me"),
    _path("projects", projects.ProjectsView, "projects"),
    _path(r"projects/(?P<key>[A-Za-z0-9]{1,12})", projects.ProjectView, "project"),
    _path("agents", agents.AgentsView, "agents"),
    _path(f"agents/{SLUG}", agents.AgentView, "agent"),
    _path(f"agents/{SLUG}/projects", agent_projects.AgentProjectsView, "agent-projects"),
    _path(rf"agents/{SLUG}/projects/(?P<key>[A-Za-z0-9]{{1,12}})", agent_projects.AgentProjectView, "agent-project"),
    _path(f"agents/{SLUG}/tokens", tokens.TokensView, "tokens"),
    _path(rf"agents/{SLUG}/tokens/{NUMBER}", tokens.TokenView, "token"),
    _path("invitations", invitations.InvitationsView, "invitations"),
    _path(rf"invitations/{NUMBER}/accept", invitations.AcceptView, "invitation-accept"),
    _path(rf"invitations/{NUMBER}/decline", invitations.DeclineView, "invitation-decline"),
    _path(rf"invitations/{NUMBER}/withdraw", invitations.WithdrawView, "invitation-withdraw"),
    _path(f"projects/{KEY}/messages", all_messages.ChannelView, "channel-messages"),
    _path("messages", all_messages.DirectView, "direct-messages"),
    _path(f"messages/{NUMBER}", all_messages.MessageView, "message"),
    _path(f"messages/{NUMBER}/reactions", all_messages.ReactionsView, "reactions"),
    _path("members", all_messages.MembersView, "members"),
    _path("questions", questions.QuestionsView, "questions"),
    _path("questions/answer_many", questions.AnswerManyView, "answer-many"),
    _path(f"questions/{NUMBER}", questions.QuestionView, "question"),
    _path(f"questions/{NUMBER}/answer", questions.AnswerView, "question-answer"),
    _path(f"questions/{NUMBER}/withdraw", questions.WithdrawView, "question-withdraw"),
    _path("saved_views", saved_views.SavedViewsView, "saved-views"),
    _path(f"saved_views/{NUMBER}", saved_views.SavedViewView, "saved-view"),
    _path("skills", skills.SkillsView, "skills"),
    _path(f"tasks/{REF}/candidates", assignment.CandidatesView, "candidates"),
    _path(f"tasks/{REF}/decisions", assignment.DecisionsView, "decisions"),
    _path(f"tasks/{REF}/dependencies", dependencies.DependenciesView, "dependencies"),
    _path(f"tasks/{REF}/messages", messages.TaskMessagesView, "task-messages"),
    _path(f"tasks/{REF}/outlook", directives.OutlookView, "outlook"),
    _path(f"tasks/{REF}/runs", runs.TaskRunsView, "task-runs"),
    _path(rf"tasks/{REF}/runs/(?P<number>[0-9]{{1,6}})/adopt", runs.AdoptView, "adopt"),
    _path(f"tasks/{REF}/artifacts", artifacts.TaskArtifactsView, "task-artifacts"),
    _path(f"artifacts/{NUMBER}", artifacts.ArtifactView, "artifact"),
    _path(f"tasks/{REF}/follow_ups", follow_ups.TaskFollowUpsView, "task-follow-ups"),
    _path(f"follow_ups/{NUMBER}/accept", follow_ups.AcceptFollowUpView, "accept-follow-up"),
    _path(f"follow_ups/{NUMBER}/dismiss", follow_ups.DismissFollowUpView, "dismiss-follow-up"),
    _path(f"runs/{RUN}/artifacts", artifacts.AddArtifactView, "add-artifact"),
    _path(rf"messages/{NUMBER}/ack", directives.AckView, "message-ack"),
    _path(rf"messages/{NUMBER}/withdraw", directives.WithdrawView, "message-withdraw"),
]
