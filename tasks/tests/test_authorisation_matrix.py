"""Who may do what: every route of the API × every method × every role, and every page and admin page for outsiders.

A route or method that is missing here fails ``test_the_matrix_names_every_route_and_method``.

Columns: ``nobody`` has no token; ``zed`` is an agent and ``mona`` the manager of another project; in OPS ``vera`` is
viewer, ``hugo`` worker, ``atlas`` worker, LLM, holder and author, ``rita`` reviewer, ``ada`` manager; ``root`` is a
superuser and not an agent. OPS owns ``atlas``; OTHER, which mona manages, owns ``lent``, which works in OPS.
"""

import re
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from tasks import engine
from tasks.actions import assignments, claims, projects, runs
from tasks.actions.agents import create_token
from tasks.actions.messages import post_direct, post_message
from tasks.actions.questions import ask_run
from tasks.errors import LeaseLost
from tasks.models import AgentToken, Artifact, Event, FollowUp, Invitation, Project, Role, SavedView, Task
from tasks.tests.api_client import client_of
from tasks.tests.cast import join, make_agent

ROLES = ["nobody", "zed", "mona", "vera", "hugo", "atlas", "rita", "ada", "root"]
OUTSIDERS = ("nobody", "zed", "mona")
METHODS = ("get", "post", "put", "patch", "delete")
SECRET = "Hidden plan"

# Name of the route, method, path below /api/v1, body; then the status for each of ROLES.
#                                                                    nobody zed mona vera hugo atlas rita ada root
READS = "401 404 404 200 200 200 200 200 200"
MANAGES = "401 404 404 403 403 403 403 200 200"
REVIEWS = "401 404 404 403 403 403 200 200 200"
#: Names OPS as an owner, which only ada and root can.
LEADS = "401 404 404 400 400 400 400 200 200"
#: What its owner does with an agent that OTHER owns and OPS borrows.
LENDS = "401 404 200 403 403 403 403 403 200"
#: An invitation of hugo, or of atlas, to OTHER: only he, or the owner of atlas, answers it.
ANSWERS = "401 404 403 404 200 404 404 404 403"
ANSWERS_FOR_AGENT = "401 404 403 404 404 404 404 200 200"
WITHDRAWS = "401 404 200 404 403 404 404 404 200"
INSTRUCTS = "401 404 404 403 403 403 403 201 201"
COMMENTS = "401 404 404 403 201 201 201 201 201"
REACTS = "401 404 404 403 200 200 200 200 200"
#: What atlas asked: of everyone, or of rita alone; managers may answer and take back everything.
ANSWERS_QUESTION = "401 404 404 403 200 403 200 200 200"
TAKES_BACK = "401 404 404 403 403 200 403 200 200"
#: Of an inbox: only who may review finds the review there.
NEEDS = "401 404 404 404 404 404 200 200 200"
HOLDS = "401 404 404 404 404 200 404 404 404"
ADDS = "401 404 404 404 404 201 404 404 404"
ANY_CALLER = "401 200 200 200 200 200 200 200 200"
STAFF_MAKES = "401 403 201 403 403 403 403 201 201"
#: With a report that hugo shared with OPS.
KEEPS = "401 404 404 403 200 403 403 200 200"
READS_AND_MAKES = "401 404 404 201 201 201 201 201 201"
OWN_OF_HUGO = "401 404 404 404 200 404 404 404 404"
VIEW = {"name": "Waits", "place": "list", "query": "status=waiting"}
SAVED = {"name": "Pace", "definition": {"version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}]}}

COUNTED_BY_WORDS = {
    "version": 1,
    "facts": "runs",
    "measures": [{"aggregate": "count"}],
    "by": ["project", "agent", "label"],
    "time": {"on": "began"},
}

#: Routes whose POST changes nothing.
ONLY_READ = ("report-run",)

MATRIX = [
    ("api-schema", "get", "/schema", None, "200 200 200 200 200 200 200 200 200"),
    ("api-docs", "get", "/docs", None, "200 200 200 200 200 200 200 200 200"),
    ("api-me", "get", "/me", None, ANY_CALLER),
    ("api-me", "patch", "/me", {"availability": "paused"}, "401 200 200 403 200 200 200 200 403"),
    ("api-projects", "get", "/projects", None, ANY_CALLER),
    ("api-projects", "post", "/projects", {"key": "NEW", "name": "New"}, STAFF_MAKES),
    ("api-project", "get", "/projects/OPS", None, READS),
    ("api-project", "patch", "/projects/OPS", {"name": "Other"}, MANAGES),
    ("api-project", "patch", "/projects/OPS", {"members": [{"name": "hugo", "role": "viewer"}]}, MANAGES),
    (
        "api-project",
        "patch",
        "/projects/OPS",
        {"members": [{"name": "hugo", "role": None}]},
        "401 404 404 403 200 403 403 200 200",
    ),
    ("api-project", "patch", "/projects/OPS", {"members": [{"name": "lent", "paused": True}]}, MANAGES),
    ("api-project", "patch", "/projects/OPS", {"members": [{"name": "zed", "role": "worker"}]}, MANAGES),
    ("api-agents", "get", "/agents", None, ANY_CALLER),
    ("api-agents", "post", "/agents", {"slug": "new"}, STAFF_MAKES),
    ("api-agent", "get", "/agents/atlas", None, READS),
    ("api-agent", "patch", "/agents/atlas", {"max_concurrent": 99}, MANAGES),
    ("api-agent", "patch", "/agents/atlas", {"availability": "paused"}, "401 404 404 403 403 200 403 200 200"),
    ("api-agent", "patch", "/agents/atlas", {"owner": {"kind": "project", "name": "OPS"}}, LEADS),
    ("api-agent-projects", "get", "/agents/hugo/projects", None, READS),
    ("api-agent-project", "delete", "/agents/hugo/projects/OPS", None, "401 404 404 403 204 403 403 204 204"),
    ("api-agent-project", "delete", "/agents/atlas/projects/OPS", None, "401 404 404 403 403 403 403 204 204"),
    ("api-agent", "get", "/agents/lent", None, "401 404 200 200 200 200 200 200 200"),
    ("api-agent", "patch", "/agents/lent", {"max_concurrent": 99}, LENDS),
    ("api-agent", "patch", "/agents/lent", {"availability": "paused"}, LENDS),
    ("api-agent", "patch", "/agents/hugo", {"max_concurrent": 99}, MANAGES),
    ("api-agent", "patch", "/agents/hugo", {"availability": "paused"}, "401 404 404 403 200 403 403 403 200"),
    ("api-tokens", "get", "/agents/lent/tokens", None, LENDS),
    ("api-tokens", "post", "/agents/lent/tokens", {"name": "x"}, "401 404 201 403 403 403 403 403 201"),
    ("api-tokens", "post", "/agents/hugo/tokens", {"name": "x"}, "401 404 404 403 201 403 403 201 201"),
    (
        "api-tokens",
        "post",
        "/agents/hugo/tokens",
        {"name": "x", "projects": ["OPS"]},
        "401 404 404 403 201 403 403 201 201",
    ),
    ("api-tokens", "get", "/agents/hugo/tokens", None, "401 404 404 403 200 403 403 200 200"),
    ("api-tokens", "get", "/agents/atlas/tokens", None, MANAGES),
    ("api-tokens", "post", "/agents/atlas/tokens", {"name": "x"}, "401 404 404 403 403 403 403 201 201"),
    ("api-token", "delete", "/agents/atlas/tokens/{token}", None, "401 404 404 403 403 403 403 204 204"),
    ("api-invitations", "get", "/invitations", None, ANY_CALLER),
    ("api-invitation-accept", "post", "/invitations/{invitation}/accept", None, ANSWERS),
    ("api-invitation-accept", "post", "/invitations/{invitation_of_agent}/accept", None, ANSWERS_FOR_AGENT),
    ("api-invitation-decline", "post", "/invitations/{invitation}/decline", None, ANSWERS),
    ("api-invitation-decline", "post", "/invitations/{invitation_of_agent}/decline", None, ANSWERS_FOR_AGENT),
    ("api-invitation-withdraw", "post", "/invitations/{invitation}/withdraw", None, WITHDRAWS),
    ("api-skills", "get", "/skills", None, ANY_CALLER),
    ("api-skills", "post", "/skills", {"name": "rust"}, STAFF_MAKES),
    ("api-tasks", "get", "/tasks", None, ANY_CALLER),
    ("api-tasks", "get", "/tasks?project=OPS", None, "401 200 200 200 200 200 200 200 200"),
    ("api-tasks", "post", "/tasks", {"project": "OPS", "title": "x"}, "401 404 404 403 403 403 403 201 201"),
    ("api-tasks", "post", "/tasks", {"project": "CREW", "title": "x"}, "401 404 404 403 201 201 201 201 201"),
    (
        "api-tasks",
        "post",
        "/tasks",
        {"project": "CREW", "title": "x", "assignees": ["hugo"]},
        "401 404 404 403 403 403 403 201 201",
    ),
    ("api-claim-next", "post", "/tasks/claim_next", {}, "401 200 200 403 200 200 200 200 403"),
    ("api-claim-next", "post", "/tasks/claim_next", {"projects": ["OPS"]}, "401 400 400 403 200 200 200 200 400"),
    ("api-task", "get", "/tasks/OPS-1", None, READS),
    ("api-task", "patch", "/tasks/OPS-1", {"title": "y"}, MANAGES),
    ("api-task", "patch", "/tasks/CREW-1", {"title": "y"}, "401 404 404 403 200 403 403 200 200"),
    ("api-task", "delete", "/tasks/OPS-1", None, "401 404 404 403 403 403 403 204 204"),
    ("api-task", "delete", "/tasks/CREW-1", None, "401 404 404 403 403 403 403 204 204"),
    ("api-assign", "post", "/tasks/OPS-1/assign", {"agents": ["hugo"]}, MANAGES),
    ("api-unassign", "post", "/tasks/OPS-2/unassign", {"agents": ["atlas"]}, MANAGES),
    ("api-candidates", "get", "/tasks/OPS-1/candidates", None, MANAGES),
    ("api-auto-assign", "post", "/tasks/OPS-1/auto_assign", None, MANAGES),
    ("api-decline", "post", "/tasks/CREW-2/decline", {"reason": "x"}, "401 404 404 403 409 200 409 409 403"),
    ("api-decisions", "get", "/tasks/OPS-1/decisions", None, READS),
    ("api-claim", "post", "/tasks/OPS-1/claim", {}, "401 404 404 403 200 200 200 200 403"),
    ("api-start", "post", "/tasks/OPS-1/start", {}, "401 404 404 403 200 400 200 200 403"),
    ("api-start", "post", "/tasks/OPS-1/start", {"agent": "hugo"}, "401 404 404 403 200 403 403 200 200"),
    ("api-task-release", "post", "/tasks/OPS-2/release", {}, "401 404 404 403 403 200 403 200 200"),
    ("api-approve", "post", "/tasks/OPS-3/approve", {}, REVIEWS),
    ("api-request-changes", "post", "/tasks/OPS-3/request_changes", {"note": "Again."}, REVIEWS),
    ("api-hold", "post", "/tasks/OPS-1/hold", {}, MANAGES),
    ("api-unhold", "post", "/tasks/OPS-1/unhold", {}, MANAGES),
    ("api-cancel", "post", "/tasks/OPS-1/cancel", {}, MANAGES),
    ("api-reopen", "post", "/tasks/OPS-4/reopen", {}, MANAGES),
    ("api-dependencies", "post", "/tasks/OPS-1/dependencies", {"depends_on": ["OPS-2"]}, MANAGES),
    (
        "api-dependencies",
        "post",
        "/tasks/CREW-1/dependencies",
        {"depends_on": ["CREW-2"]},
        "401 404 404 403 200 403 403 200 200",
    ),
    ("api-dependencies", "delete", "/tasks/OPS-1/dependencies", {"depends_on": ["OPS-2"]}, MANAGES),
    ("api-task-runs", "get", "/tasks/OPS-2/runs", None, READS),
    ("api-channel-messages", "get", "/projects/OPS/messages", None, READS),
    ("api-channel-messages", "post", "/projects/OPS/messages", {"body": "x"}, COMMENTS),
    ("api-direct-messages", "get", "/messages?with=hugo", None, "401 404 404 200 404 200 200 200 404"),
    ("api-direct-messages", "post", "/messages", {"to": "hugo", "body": "x"}, "401 404 404 201 400 201 201 201 404"),
    ("api-message", "get", "/messages/{direct}", None, "401 404 404 404 200 200 404 404 404"),
    ("api-message", "get", "/messages/{comment}", None, READS),
    ("api-message", "patch", "/messages/{direct}", {"body": "y"}, "401 404 404 404 200 403 404 404 404"),
    ("api-message", "patch", "/messages/{comment}", {"body": "y"}, "401 404 404 403 200 403 403 403 403"),
    ("api-reactions", "put", "/messages/{direct}/reactions", {"emoji": "👍"}, "401 404 404 404 200 200 404 404 404"),
    ("api-reactions", "put", "/messages/{comment}/reactions", {"emoji": "👍"}, REACTS),
    ("api-reactions", "delete", "/messages/{direct}/reactions", {"emoji": "👍"}, "401 404 404 404 200 200 404 404 404"),
    ("api-reactions", "delete", "/messages/{comment}/reactions", {"emoji": "👍"}, REACTS),
    ("api-conversations", "get", "/conversations", None, ANY_CALLER),
    ("api-conversations", "get", "/conversations?conversation=OPS", None, READS),
    ("api-conversations", "get", "/conversations?conversation=OPS-1", None, READS),
    (
        "api-conversations",
        "get",
        "/conversations?conversation=@hugo",
        None,
        "401 404 404 200 404 200 200 200 404",
    ),
    ("api-messages-read", "post", "/messages/read", {"conversation": "OPS-1"}, READS),
    ("api-messages-read", "post", "/messages/read", {"ids": ["{direct}"]}, "401 400 400 400 200 200 400 400 400"),
    ("api-messages-read", "post", "/messages/read", {"ids": ["{comment}"]}, "401 400 400 200 200 200 200 200 200"),
    ("api-presence", "get", "/projects/OPS/presence", None, READS),
    ("api-members", "get", "/members?q=h", None, ANY_CALLER),
    ("api-members", "get", "/members?project=OPS", None, READS),
    ("api-task-messages", "get", "/tasks/OPS-2/messages", None, READS),
    ("api-task-messages", "post", "/tasks/OPS-2/messages", {"body": "x"}, COMMENTS),
    ("api-task-messages", "post", "/tasks/OPS-2/messages", {"body": "x", "kind": "instruction"}, INSTRUCTS),
    ("api-task-messages", "post", "/tasks/OPS-2/messages", {"body": "x", "kind": "stop"}, INSTRUCTS),
    ("api-outlook", "get", "/tasks/OPS-2/outlook", None, READS),
    ("api-message-ack", "post", "/messages/{message}/ack", {}, "401 404 404 403 403 200 403 403 403"),
    ("api-message-withdraw", "post", "/messages/{message}/withdraw", None, "401 404 404 403 403 403 403 200 403"),
    ("api-adopt", "post", "/tasks/OPS-5/runs/1/adopt", {}, MANAGES),
    ("api-task-events", "get", "/tasks/OPS-2/events", None, READS),
    ("api-events", "get", "/events", None, ANY_CALLER),
    ("api-events", "get", "/events?project=OPS", None, READS),
    ("api-events", "get", "/events?task=OPS-1", None, READS),
    ("api-task-watch", "put", "/tasks/OPS-1/watch", None, READS),
    ("api-task-watch", "delete", "/tasks/OPS-1/watch", None, READS),
    ("api-notifications", "get", "/notifications", None, ANY_CALLER),
    ("api-notifications-unread", "get", "/notifications/unread", None, ANY_CALLER),
    ("api-notifications-read", "post", "/notifications/read", {"all": True}, ANY_CALLER),
    (
        "api-notifications-read",
        "post",
        "/notifications/read",
        {"ids": ["{notification}"]},
        "401 400 400 400 400 400 400 200 400",
    ),
    ("api-notifications-preferences", "get", "/notifications/preferences", None, ANY_CALLER),
    ("api-notifications-preferences", "patch", "/notifications/preferences", {"muted": []}, ANY_CALLER),
    ("api-task-follow-ups", "get", "/tasks/OPS-4/follow_ups", None, READS),
    ("api-accept-follow-up", "post", "/follow_ups/{follow_up}/accept", None, MANAGES),
    ("api-dismiss-follow-up", "post", "/follow_ups/{follow_up}/dismiss", {"note": "no"}, MANAGES),
    ("api-task-artifacts", "get", "/tasks/OPS-3/artifacts", None, READS),
    ("api-artifact", "get", "/artifacts/{artifact}", None, READS),
    (
        "api-add-artifact",
        "post",
        "/runs/{run}/artifacts?name=x&kind=text",
        "more",
        "401 404 404 404 404 201 404 404 404",
    ),
    ("api-webhooks", "get", "/projects/OPS/webhooks", None, MANAGES),
    (
        "api-webhooks",
        "post",
        "/projects/OPS/webhooks",
        {"url": "https://8.8.8.8/"},
        "401 404 404 403 403 403 403 201 201",
    ),
    ("api-webhook", "get", "/projects/OPS/webhooks/{webhook}", None, MANAGES),
    ("api-webhook", "patch", "/projects/OPS/webhooks/{webhook}", {"enabled": False}, MANAGES),
    ("api-webhook", "delete", "/projects/OPS/webhooks/{webhook}", None, "401 404 404 403 403 403 403 204 204"),
    ("api-webhook-rotate", "post", "/webhooks/{webhook}/rotate", {}, MANAGES),
    ("api-webhook-test", "post", "/webhooks/{webhook}/test", None, "401 404 404 403 403 403 403 202 202"),
    ("api-deliveries", "get", "/webhooks/{webhook}/deliveries", None, MANAGES),
    ("api-redeliver", "post", "/deliveries/{delivery}/redeliver", None, "401 404 404 403 403 403 403 202 202"),
    ("api-inbox", "get", "/inbox", None, ANY_CALLER),
    ("api-inbox-count", "get", "/inbox/count", None, ANY_CALLER),
    ("api-inbox-snooze", "post", "/inbox/review-OPS-3/snooze", {"seconds": 60}, NEEDS),
    ("api-inbox-snooze", "delete", "/inbox/review-OPS-3/snooze", None, NEEDS),
    ("api-inbox-archive", "post", "/inbox/review-OPS-3/archive", None, NEEDS),
    ("api-inbox-archive", "delete", "/inbox/review-OPS-3/archive", None, NEEDS),
    ("api-complete-many", "post", "/runs/complete_many", {"runs": [{"id": "{run}", "summary": "x"}]}, ANY_CALLER),
    ("api-heartbeat", "post", "/runs/{run}/heartbeat", {}, HOLDS),
    ("api-progress", "post", "/runs/{run}/progress", {"percent": 5}, HOLDS),
    ("api-complete", "post", "/runs/{run}/complete", {"summary": "x"}, HOLDS),
    ("api-fail", "post", "/runs/{run}/fail", {"code": "x", "detail": "y"}, HOLDS),
    ("api-release", "post", "/runs/{run}/release", {}, HOLDS),
    ("api-ask", "post", "/runs/{run}/ask", {"prompt": "x"}, HOLDS),
    ("api-questions", "get", "/questions", None, ANY_CALLER),
    ("api-questions", "get", "/questions?mine=to_me", None, ANY_CALLER),
    ("api-questions", "get", "/questions?project=OPS", None, READS),
    ("api-questions", "get", "/questions?task=OPS-2&mine=asked&state=open", None, READS),
    ("api-question", "get", "/questions/{question}", None, READS),
    ("api-question-answer", "post", "/questions/{question}/answer", {"value": "x"}, ANSWERS_QUESTION),
    ("api-question-answer", "post", "/questions/{question_to_rita}/answer", {"value": "x"}, REVIEWS),
    ("api-question-withdraw", "post", "/questions/{question}/withdraw", {}, TAKES_BACK),
    (
        "api-answer-many",
        "post",
        "/questions/answer_many",
        {"answers": [{"id": "{question}", "value": "x"}]},
        ANY_CALLER,
    ),
    ("report-list", "get", "/reports", None, ANY_CALLER),
    ("report-vocabulary", "get", "/reports/vocabulary", None, ANY_CALLER),
    ("report-run", "post", "/reports/run", COUNTED_BY_WORDS, ANY_CALLER),
    ("report-run", "post", "/reports/run?project=OPS", COUNTED_BY_WORDS, READS),
    ("report-run", "post", "/reports/run?output=csv", COUNTED_BY_WORDS, ANY_CALLER),
    ("report-run", "post", "/reports/run?project=OPS&output=xlsx", COUNTED_BY_WORDS, READS),
    ("report-detail", "get", "/reports/completed", None, ANY_CALLER),
    ("report-detail", "get", "/reports/completed?project=OPS", None, READS),
    ("report-detail", "get", "/reports/workload?project=OPS&output=csv", None, READS),
    ("report-detail", "get", "/reports/workload?project=OPS&output=xlsx", None, READS),
    ("report-detail", "get", "/reports/workload?output=csv", None, ANY_CALLER),
    ("api-saved-views", "get", "/saved_views", None, ANY_CALLER),
    ("api-saved-views", "get", "/saved_views?project=OPS", None, READS),
    ("api-saved-views", "post", "/saved_views", VIEW, "401 201 201 201 201 201 201 201 201"),
    ("api-saved-views", "post", "/saved_views/", VIEW | {"project": "OPS"}, COMMENTS),
    ("api-saved-view", "get", "/saved_views/{view}", None, READS),
    ("api-saved-view", "get", "/saved_views/{view_own}", None, OWN_OF_HUGO),
    ("api-saved-view", "patch", "/saved_views/{view}", {"query": "q=x"}, KEEPS),
    ("api-saved-view", "patch", "/saved_views/{view}", {"position": 0}, MANAGES),
    ("api-saved-view", "delete", "/saved_views/{view}", None, "401 404 404 403 204 403 403 204 204"),
    ("saved-reports", "get", "/saved_reports", None, ANY_CALLER),
    ("saved-reports", "get", "/saved_reports?project=OPS", None, READS),
    ("saved-reports", "post", "/saved_reports", SAVED, "401 201 201 201 201 201 201 201 201"),
    ("saved-reports", "post", "/saved_reports/", SAVED | {"project": "OPS"}, COMMENTS),
    ("saved-report", "get", "/saved_reports/{saved}", None, READS),
    ("saved-report", "get", "/saved_reports/{saved_own}", None, OWN_OF_HUGO),
    ("saved-report", "patch", "/saved_reports/{saved}", {"name": "Other"}, KEEPS),
    ("saved-report", "patch", "/saved_reports/{saved}", {"project": None}, KEEPS),
    ("saved-report", "delete", "/saved_reports/{saved}", None, "401 404 404 403 204 403 403 204 204"),
    ("saved-report-run", "get", "/saved_reports/{saved}/run", None, READS),
    ("saved-report-run", "get", "/saved_reports/{saved}/run?project=OPS&output=xlsx", None, READS),
    ("api-dashboards", "get", "/dashboards", None, ANY_CALLER),
    ("api-dashboards", "post", "/dashboards", {"name": "New"}, "401 201 201 201 201 201 201 201 201"),
    ("api-dashboards", "post", "/dashboards/", {"name": "New", "project": "OPS"}, COMMENTS),
    ("api-dashboard", "get", "/dashboards/{dashboard}", None, READS),
    ("api-dashboard", "patch", "/dashboards/{dashboard}", {"name": "Other"}, KEEPS),
    ("api-dashboard", "delete", "/dashboards/{dashboard}", None, "401 404 404 403 204 403 403 204 204"),
    ("report-schedules", "get", "/report_schedules", None, ANY_CALLER),
    ("report-schedules", "post", "/report_schedules", {"report": "{saved}", "cron": "0 8 * * 1"}, READS_AND_MAKES),
    ("report-schedule", "get", "/report_schedules/{schedule}", None, OWN_OF_HUGO),
    ("report-schedule", "patch", "/report_schedules/{schedule}", {"active": False}, OWN_OF_HUGO),
    ("report-schedule", "delete", "/report_schedules/{schedule}", None, "401 404 404 404 204 404 404 404 404"),
]
#: Answers everything that no other route does.
CATCH_ALL = "UnknownPath"


def _routes(patterns: list, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route, pattern


def _all_routes() -> list[tuple[str, URLPattern]]:
    return list(_routes(get_resolver().url_patterns))


def _api_views() -> dict[str, type]:
    views = {}
    for route, pattern in _all_routes():
        if route.startswith("api/v1/"):
            view = pattern.callback.cls if hasattr(pattern.callback, "cls") else pattern.callback.view_class
            if view.__name__ != CATCH_ALL:
                views[pattern.name] = view
    return views


@pytest.fixture
def scene(cast, new_task, let_lease_end):
    """OPS with a task in each interesting status, CREW where workers create, and a client for each role."""
    crew = Project.objects.create(key="CREW", name="Crew", workers_create=True)
    for user in (cast.ada.user, cast.rita.user, cast.hugo.user, cast.vera, cast.atlas.user):
        role = Role(cast.ops.memberships.get(user=user).role)
        projects.set_member(actor=None, project=crew, user=user, role=role)
    for number in range(1, 6):
        new_task(f"{SECRET} {number}", description=SECRET, review_required=number == 3)
    for number in range(2):
        new_task(f"{SECRET} crew {number}", project=crew, actor=cast.hugo.user)
    lent = make_agent("lent", owner=cast.other)
    join(cast.ops, lent.user, Role.WORKER)
    task = {task.ref: task for task in Task.objects.select_related("project")}
    assignments.assign_task(actor=None, task=task["CREW-2"], agents=[cast.atlas])
    done = {"actor": cast.atlas.user, "summary": "done"}
    run = claims.claim_task(actor=cast.atlas.user, task=task["OPS-2"])
    parts = [{"prompt": SECRET}, {"prompt": SECRET, "to": "rita"}]
    asked, to_rita = ask_run(actor=cast.atlas.user, run_id=run.pk, questions=parts).questions
    artifacts = [{"name": "report.md", "kind": "text", "text": SECRET}]
    runs.complete_run(
        run_id=claims.claim_task(actor=cast.atlas.user, task=task["OPS-3"]).pk, artifacts=artifacts, **done
    )
    runs.complete_run(
        run_id=claims.claim_task(actor=cast.atlas.user, task=task["OPS-4"]).pk, follow_ups=[{"title": SECRET}], **done
    )
    late = claims.claim_task(actor=cast.atlas.user, task=task["OPS-5"])
    let_lease_end(late)
    engine.tick()
    with pytest.raises(LeaseLost):
        runs.complete_run(run_id=late.pk, **done)
    clients = {"nobody": APIClient()}
    for name in ROLES[1:]:
        member = getattr(cast, name)
        clients[name] = client_of(member if isinstance(member, User) else member.user)
    token = AgentToken.objects.filter(agent=cast.atlas).first()
    event = Event.objects.filter(task=task["OPS-3"]).first()
    notification = apps.get_model("messaging.Notification").objects.create(
        recipient=cast.ada.user,
        kind="completed",
        event=event,
        project=cast.ops,
        task=task["OPS-3"],
        at=event.at,
        last_event=event,
        last_kind="completed",
    )
    invitation, of_agent = (
        Invitation.objects.create(
            project=cast.other,
            name=who.slug,
            user=who.user,
            role=Role.WORKER,
            invited_by=cast.mona.user,
            created_at=event.at,
        )
        for who in (cast.hugo, cast.atlas)
    )
    webhook = apps.get_model("messaging.Webhook").objects.create(
        project=cast.ops, url=f"https://8.8.8.8/{SECRET.replace(' ', '')}", description=SECRET, created_at=event.at
    )
    delivery = webhook.deliveries.create(
        event=event, kind=event.kind, message_id="msg_1", created_at=event.at, due_at=event.at
    )
    names = {"run": str(run.pk), "token": str(token.pk), "notification": notification.pk}
    comment = post_message(actor=cast.hugo.user, task=task["OPS-1"], body=SECRET)
    direct = post_direct(actor=cast.hugo.user, to=cast.atlas.user, body=SECRET)
    names |= {"comment": comment.pk, "direct": direct.pk}
    names |= {"artifact": Artifact.objects.get().pk, "follow_up": FollowUp.objects.get().pk}
    names["message"] = post_message(actor=cast.ada.user, task=task["OPS-2"], body=SECRET, kind="instruction").pk
    names |= {"webhook": webhook.pk, "delivery": delivery.pk}
    keep = apps.get_model("reports.SavedReport").objects.create
    kept = {"owner": cast.hugo.user, "definition": SAVED["definition"], "description": SECRET}
    kept |= {"created_at": event.at, "updated_at": event.at}
    names["saved"] = keep(name=SECRET, project=cast.ops, **kept).pk
    names["saved_own"] = keep(name=f"{SECRET} of my own", **kept).pk
    shared = {"owner": cast.hugo.user, "project": cast.ops, "created_at": event.at, "updated_at": event.at}
    names["view"] = SavedView.objects.create(name=SECRET, place="list", **shared).pk
    own = shared | {"project": None}
    names["view_own"] = SavedView.objects.create(name=f"{SECRET} of my own", place="list", **own).pk
    names["dashboard"] = apps.get_model("reports.Dashboard").objects.create(name=SECRET, **shared).pk
    names["schedule"] = (
        apps.get_model("reports.ReportSchedule")
        .objects.create(owner=cast.hugo.user, report_id=names["saved"], cron="0 7 * * 1", tz="UTC", created_at=event.at)
        .pk
    )
    User.objects.update(email="somebody@example.org")
    names |= {"question": asked.pk, "question_to_rita": to_rita.pk}
    names |= {"invitation": invitation.pk, "invitation_of_agent": of_agent.pk}
    return SimpleNamespace(clients=clients, names=names)


def filled(value, names):
    """``value`` with the scene's ids in place of ``{run}`` and ``{token}``."""
    if isinstance(value, str):
        for name, thing in names.items():
            if value == "{" + name + "}":
                return thing
            value = value.replace("{" + name + "}", str(thing))
        return value
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    return [filled(item, names) for item in value] if isinstance(value, list) else value


def _ask(scene, role, method, path, body):
    """The answer to one request, whose effects are rolled back."""
    with transaction.atomic():
        call = getattr(scene.clients[role], method)
        arguments = () if body is None else (filled(body, scene.names),)
        answer = call(f"/api/v1{filled(path, scene.names)}", *arguments)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        transaction.set_rollback(True)
    return answer.status_code, content


@pytest.mark.long
@pytest.mark.django_db
def test_each_role_gets_what_the_matrix_says(scene):
    wrong = []
    for _, method, path, body, expected in MATRIX:
        for role, status in zip(ROLES, expected.split(), strict=True):
            got, content = _ask(scene, role, method, path, body)
            if str(got) != status:
                wrong.append(f"{method} {path} {body} as {role}: {got}, the matrix says {status}")
            if (
                role in OUTSIDERS
                and path not in ("/schema", "/docs")
                and (SECRET.encode() in content or (got < 400 and b'"OPS' in content))
            ):
                wrong.append(f"{method} {path} {body} as {role} reads what belongs to others")
    assert wrong == []


#: Where a token of ada, limited to ELSE, gets another answer than the manager of another project: what applies to all
#: her projects is not for it, and she is an agent in ELSE alone.
LIMITED = {
    ("patch", "/me"): 403,
    ("post", "/projects"): 403,
    ("post", "/agents"): 403,
    ("patch", "/notifications/preferences"): 403,
    ("post", "/saved_views"): 403,
    ("post", "/saved_reports"): 403,
    ("post", "/dashboards"): 403,
}


@pytest.mark.django_db
def test_limited_token_of_a_manager_gets_what_strangers_get(scene, cast):
    elsewhere = projects.create_project(actor=cast.ada.user, key="ELSE", name="Elsewhere")
    _, secret = create_token(actor=cast.ada.user, agent=cast.ada, name="limited", projects=[elsewhere.key])
    scene.clients["limited"] = APIClient(headers={"authorization": f"Bearer {secret}"})
    wrong = []
    for _, method, path, body, expected in MATRIX:
        status = LIMITED.get((method, path)) or int(expected.split()[ROLES.index("mona")])
        if "lent" in path or "{invitation" in path:
            status = 404  # mona owns it, or made it
        got, content = _ask(scene, "limited", method, path, body)
        if got != status:
            wrong.append(f"{method} {path} {body} with a limited token: {got}, not {status}")
        if path not in ("/schema", "/docs") and (SECRET.encode() in content or (got < 400 and b'"OPS' in content)):
            wrong.append(f"{method} {path} {body} with a limited token reads what is beyond it")
    assert wrong == []


@pytest.mark.django_db
def test_token_that_only_reads_gets_what_its_owner_reads_and_writes_nothing(scene, cast):
    _, secret = create_token(actor=cast.ada.user, agent=cast.ada, name="reads", read_only=True)
    scene.clients["reads"] = APIClient(headers={"authorization": f"Bearer {secret}"})
    wrong = []
    for name, method, path, body, expected in MATRIX:
        reads = method == "get" or name in ONLY_READ
        status = int(expected.split()[ROLES.index("ada")]) if reads else 403
        got, content = _ask(scene, "reads", method, path, body)
        if got != status or (not reads and b"This token may only read" not in content):
            wrong.append(f"{method} {path} {body} with a token that only reads: {got}, not {status}")
    assert wrong == []


@pytest.mark.django_db
def test_methods_that_a_route_has_not_are_refused(scene):
    has: dict[str, set[str]] = {}
    for name, method, *_ in MATRIX:
        has.setdefault(name, set()).add(method)
    wrong = []
    for name, path in {row[0]: row[2].split("?")[0] for row in MATRIX}.items():
        for method in set(METHODS) - has[name]:
            for role in ("nobody", "zed", "ada", "root"):
                got = _ask(scene, role, method, path, None)[0]
                if got not in ((401, 405) if role == "nobody" else (405,)):
                    wrong.append(f"{method} {path} as {role}: {got}")
    assert wrong == []


def test_the_matrix_names_every_route_and_method():
    named = {(name, method) for name, method, *_ in MATRIX}
    there = {(name, method) for name, view in _api_views().items() for method in METHODS if hasattr(view, method)}
    assert named == there


@pytest.mark.django_db
def test_what_is_not_there_is_not_found_or_asks_who_you_are(scene):
    for path in ("/nothing", "/tasks/OPS-1/nothing", "/tasks/OPS-999", "/runs/1/heartbeat"):
        for method in METHODS:
            for role in ROLES:
                status, content = _ask(scene, role, method, path, None)
                assert status in ((401, 404, 405) if role == "nobody" else (404, 405)), f"{method} {path} as {role}"
                assert SECRET.encode() not in content


@pytest.mark.django_db
def test_refusal_is_the_same_for_foreign_and_missing_rows(scene):
    for method, path, body in [row[1:4] for row in MATRIX if "/OPS" in row[2] or "/CREW" in row[2]]:
        foreign = _ask(scene, "mona", method, path, body)
        nowhere = _ask(scene, "mona", method, path.replace("OPS", "NIX").replace("CREW", "NIX"), body)
        assert foreign[0] == nowhere[0], path
        assert foreign[1].replace(b"OPS", b"NIX").replace(b"CREW", b"NIX") == nowhere[1], path


@pytest.mark.django_db
def test_probes_answer_every_role_the_same_and_metrics_are_for_none(scene):
    """Metrics are for a program on the server's machine, or with the server's own token; no role gives access."""
    engine.tick()
    for role, client in scene.clients.items():
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 403)):
            answer = client.get(path)
            assert answer.status_code == status, f"{path} as {role}: {answer.content!r}"
            assert b"OPS" not in answer.content


# -- pages and admin: outsiders ---------------------------------------------------------------------------------------

#: Pages that anyone may open.
OPEN_PAGES = ("login ", "logout ", "jsi18n ", "healthz ", "readyz ")


def page_paths(scene, cast) -> dict[str, str]:
    """A path for each page and admin page, with the ids of OPS where it takes ids."""
    task = Task.objects.get(project=cast.ops, number=1)
    token = AgentToken.objects.filter(agent=cast.atlas).first()
    objects = {
        "project": cast.ops.pk,
        "task": task.pk,
        "agent": cast.atlas.pk,
        "user": cast.atlas.user_id,
        "webhook": scene.names["webhook"],
        "webhookdelivery": scene.names["delivery"],
    }
    saved = scene.names["saved"]
    ids = {"ref": task.ref, "agent_id": cast.atlas.pk, "token_id": token.pk, "slug": "completed", "name": "cancel"}
    ids |= {"app_label": "tasks", "url": "nothing", "content_type_id": 1}
    paths = {}
    for route, pattern in _all_routes():
        if route.startswith("api/v1/"):
            continue
        name = pattern.name or ""
        model = name.split("_")[1] if "_" in name else ""
        here = ids | {"object_id": objects.get(model, 1), "id": objects.get(model, 1)}
        if route.startswith("reports/saved/"):
            here |= {"id": saved}
        if route.startswith("views/"):
            here |= {"id": scene.names["view"]}
        if route.startswith("reports/schedules/"):
            here |= {"id": scene.names["schedule"]}
        if route.startswith("reports/dashboards/"):
            here |= {"id": scene.names["dashboard"]}
        if "artifacts" in route:
            here |= {"ref": "OPS-3", "pk": Artifact.objects.get().pk}
        path = re.sub(r"<(?:\w+:)?(\w+)>", partial(_id_named, here), route)
        path = re.sub(r"\(\?P<(\w+)>[^)]*\)", partial(_id_named, here), path)
        paths[f"{name} {route}"] = "/" + path.replace("^", "").replace("$", "").replace("\\Z", "")
    return paths


def _id_named(ids, match):
    return str(ids.get(match[1], 1))


@pytest.mark.long
@pytest.mark.django_db
def test_pages_and_admin_show_outsiders_nothing_of_a_project(scene, cast):
    browsers = {"nobody": Client(), "zed": Client(), "mona": Client(), "vera": Client()}
    for name in ("zed", "mona"):
        browsers[name].force_login(getattr(cast, name).user)
    browsers["vera"].force_login(cast.vera)
    wrong, shown_to_ada = [], set()
    ada = Client()
    ada.force_login(cast.ada.user)
    for name, path in page_paths(scene, cast).items():
        answer = ada.get(path)
        if answer.status_code == 200 and not answer.streaming and SECRET.encode() in answer.content:
            shown_to_ada.add(name.split(" ")[0])
        for role, browser in browsers.items():
            for method in ("get", "post"):
                with transaction.atomic():
                    answer = getattr(browser, method)(path)
                    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
                    transaction.set_rollback(True)
                if role in OUTSIDERS and SECRET.encode() in content:
                    wrong.append(f"{method} {path} shows {role} a task of OPS")
                shut = role == "nobody" or (role in ("zed", "vera") and path.startswith("/admin/"))
                if shut and answer.status_code == 200 and not name.startswith(OPEN_PAGES):
                    wrong.append(f"{method} {path} answers {role} with 200")
                if answer.status_code >= 500 and not name.startswith("readyz "):
                    wrong.append(f"{method} {path} as {role}: {answer.status_code}")
    assert wrong == []
    real = {"board", "task_list", "task", "tasks_task_changelist", "tasks_task_change", "messaging_webhook_change"}
    real |= {"saved_report", "edit_saved_report", "dashboard", "saved_views", "saved_views_side"}
    assert real <= shown_to_ada, "the paths are real"
