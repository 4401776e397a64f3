"""Results that wait for a verdict, and verdicts that sent work back."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from messaging.inbox.items import Group, Item, use
from messaging.inbox.people import People
from messaging.inbox.reader import Reader
from messaging.inbox.sources.source import OfTasks
from tasks.events.recording import name_of
from tasks.models import Artifact, Assignment, Membership, Review, Role, Run, RunStatus, Task, Verdict
from tasks.transitions import Status
from tasks.verbs import catalogue

SUMMARY_SHOWN = 600


def _finished_runs() -> QuerySet[Run]:
    """Of the task of the row, the run whose result counts, first."""
    runs = Run.objects.filter(Q(status=RunStatus.COMPLETED) | Q(adopted_at__isnull=False), task=OuterRef("pk"))
    return runs.order_by(Coalesce("adopted_at", "ended_at").desc())


class Reviews(OfTasks):
    """A result that the reader may approve: a reviewer or manager, and not its author."""

    name, label, icon, group = "review", "Review", "in_review", Group.REVIEWS
    weight = 4

    def rows(self, reader: Reader) -> QuerySet:
        tasks = Task.objects.filter(reader.where(Role.REVIEWER), status=Status.IN_REVIEW)
        author = Subquery(_finished_runs().values("agent__user")[:1])
        # Of an imported result nobody here is the author.
        return tasks.annotate(author=author).filter(Q(author__isnull=True) | ~Q(author__in=reader.callers))

    def since(self) -> Any:
        return Coalesce(Subquery(_finished_runs().values("ended_at")[:1]), "updated_at", output_field=DateTimeField())

    def mine(self, reader: Reader) -> Q | None:
        reviewers = Membership.objects.filter(project=OuterRef("project"), role=Role.REVIEWER, user__is_active=True)
        return reader.as_role(Role.REVIEWER) | ~Q(Exists(reviewers))

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        finished = Run.objects.filter(Q(status=RunStatus.COMPLETED) | Q(adopted_at__isnull=False))
        runs = (
            finished.filter(task__in=[item.head.key for item in items])
            .select_related("agent")
            .order_by(Coalesce("adopted_at", "ended_at"))
        )
        latest = {run.task_id: run for run in runs.only("task", "number", "agent", "summary")}
        artifacts: dict[UUID, list[Artifact]] = defaultdict(list)
        for artifact in Artifact.objects.filter(run__in=[run.pk for run in latest.values()]).listed():
            artifacts[artifact.run_id].append(artifact)
        for item in items:
            run = latest.get(item.head.key)
            item.row = run
            item.artifacts = artifacts[run.pk] if run else []
            item.why = f"{run.agent.slug} completed it and waits for a review." if run else "It waits for a review."
            item.text = (run.summary if run else "")[:SUMMARY_SHOWN]
            author = run.agent.user_id if run else None
            item.others = people.others(item.project.pk, Role.REVIEWER, but=[author])
            item.actions = [use(catalogue.APPROVE, item.ref), use(catalogue.REQUEST_CHANGES, item.ref)]


class ChangesRequested(OfTasks):
    """Work of the reader that a reviewer sent back, until somebody starts it again."""

    name, label, icon, group = "changes", "Changes requested", "back", Group.REVIEWS
    weight = 3

    def _reviews(self) -> QuerySet[Review]:
        return Review.objects.filter(run__task=OuterRef("pk")).order_by("-created_at", "-pk")

    def rows(self, reader: Reader) -> QuerySet:
        if reader.agent is None:
            return Task.objects.none()
        mine = Assignment.objects.filter(agent=reader.agent, ended_at__isnull=True, task=OuterRef("pk"))
        ids = Assignment.objects.filter(agent=reader.agent, ended_at__isnull=True).values("task")
        tasks = Task.objects.filter(reader.where(Role.WORKER), pk__in=ids, status=Status.NOT_STARTED)
        # The latest verdict, and no attempt since.
        later = Run.objects.filter(task=OuterRef("pk"), started_at__gt=OuterRef("judged_at"))
        return tasks.annotate(
            verdict=Subquery(self._reviews().values("verdict")[:1]),
            judged_at=Subquery(self._reviews().values("created_at")[:1]),
        ).filter(Exists(mine), ~Exists(later), verdict=Verdict.CHANGES_REQUESTED)

    def since(self) -> Any:
        return Subquery(self._reviews().values("created_at")[:1])

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        reviews = Review.objects.filter(run__task__in=[item.head.key for item in items]).order_by("created_at", "pk")
        latest = {review.run.task_id: review for review in reviews.select_related("run", "reviewer__agent")}
        for item in items:
            review = latest.get(item.head.key)
            item.row = review
            item.why = f"{_name(review)} requested changes to your work."
            item.text = review.note if review else ""
            assert item.task is not None
            if reader.is_person and item.task.is_ready(reader.now):
                item.actions = [use(catalogue.START, item.ref)]
            item.actions.append(use(catalogue.DECLINE, item.ref))


def _name(review: Review | None) -> str:
    return (name_of(review.reviewer) if review else "") or "A reviewer"
