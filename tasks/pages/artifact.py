"""The page of one artifact: its facts, and the lines of a text or diff, numbered and escaped, a thousand at a time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tasks import clock
from tasks.contents import lines_of
from tasks.diffs import DiffLine, read_diff
from tasks.models import Artifact, ArtifactKind, ReviewComment
from tasks.pages import verbs
from tasks.pages.task import find_task
from tasks.using.openness import Scene

LINES = 1_000
LONGEST_LINE = 2_000


@dataclass(frozen=True)
class ShownLine:
    """A line of the artifact; ``place``: where it stands in a diff."""

    number: int
    text: str
    is_cut: bool = False
    place: DiffLine | None = None
    comments: Sequence[ReviewComment] = ()

    @property
    def kind(self) -> str:
        return self.place.kind if self.place else ""


@dataclass(frozen=True)
class Slice:
    """Which lines are shown, and the first lines of the pages before and after."""

    first: int
    last: int
    total: int
    before: int | None
    after: int | None


def slice_of(total: int, line: str) -> Slice:
    """The page of lines that contains ``line``, a number in text; the first page for anything else."""
    wanted = int(line) if line.isascii() and line.isdecimal() and len(line) < 10 else 1
    first = (min(max(wanted, 1), max(total, 1)) - 1) // LINES * LINES + 1
    last = min(first + LINES - 1, total)
    return Slice(first, last, total, first - LINES if first > 1 else None, last + 1 if last < total else None)


def shown_lines(artifact: Artifact, part: Slice) -> list[ShownLine]:
    """The lines of ``part``, each with the comments of reviews on it."""
    texts = lines_of(artifact.data)
    comments: dict[int, list[ReviewComment]] = defaultdict(list)
    placed = artifact.comments.filter(line__range=(part.first, part.last))
    for comment in placed.select_related("review__reviewer__agent").order_by("review__created_at", "pk"):
        comments[comment.line].append(comment)
    places: Iterator[DiffLine | None] = iter(())
    if artifact.kind == ArtifactKind.DIFF:
        places = islice(read_diff(texts), part.first - 1, None)
    shown = []
    for number, text in enumerate(texts[part.first - 1 : part.last], part.first):
        cut = len(text) > LONGEST_LINE
        shown.append(ShownLine(number, text[:LONGEST_LINE], cut, next(places, None), comments.get(number, ())))
    return shown


@require_safe
@login_required
def artifact(request: HttpRequest, ref: str, pk: int) -> HttpResponse:
    """One artifact of a task; ``?line=`` shows the page of lines with that one."""
    task = find_task(request, ref)
    shown = Artifact.objects.of_task(task).select_related("run__agent").filter(pk=pk).first()
    if shown is None:
        raise Http404
    context: dict[str, Any] = {"task": task, "artifact": shown, "run": shown.run}
    if shown.has_lines:
        scene = Scene(request.user, task, clock.now())  # type: ignore[arg-type]
        if not shown.is_late and scene.judged is not None and scene.judged.pk == shown.run_id:
            offers = [offer for offer in verbs.offers_of(scene) if offer.takes_comments]
            context |= {"offers": offers, "judged": scene.judged}
        part = slice_of(shown.lines, request.GET.get("line", ""))
        context |= {"slice": part, "lines": shown_lines(shown, part), "longest_line": LONGEST_LINE}
    return render(request, "tasks/artifact.html", context)
