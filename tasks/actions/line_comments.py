"""Comments of a review on lines of what the reviewed run handed over."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.contents import lines_of
from tasks.diffs import DiffLine, read_diff
from tasks.errors import Invalid
from tasks.models import Artifact, ArtifactKind, Review, ReviewComment, Run

#: How much of a line goes with a comment to the next run.
LONGEST_QUOTE = 500


def comments_on(run: Run | None, given: Sequence[Mapping[str, Any]] | None) -> list[ReviewComment]:
    """The comments ``{"artifact": id, "line", "body"}`` on the result of ``run``, each with its line, not stored yet.

    Raises ``Invalid`` for an artifact or a line that the result does not have.
    """
    if not given:
        return []
    wanted = {item["artifact"] for item in given}
    artifacts = {row.pk: row for row in Artifact.objects.filter(run=run, is_late=False, pk__in=wanted)} if run else {}
    texts = {pk: _placed(artifact) for pk, artifact in artifacts.items() if artifact.has_lines}
    comments = []
    for number, item in enumerate(given, 1):
        artifact, line = artifacts.get(item["artifact"]), item["line"]
        if artifact is None:
            raise _wrong(number, f"artifact: The result in review has no artifact {item['artifact']}.")
        if artifact.pk not in texts:
            raise _wrong(number, f"artifact: {artifact.name} has no lines; only a text or a diff has.")
        lines = texts[artifact.pk]
        if line > len(lines):
            raise _wrong(number, f"line: {artifact.name} has {len(lines):,} lines, and no line {line:,}.")
        text, place = lines[line - 1]
        comments.append(
            ReviewComment(
                artifact=artifact,
                line=line,
                quote=text[:LONGEST_QUOTE],
                path=place.path,
                side=place.side,
                path_line=place.number,
                body=item["body"],
            )
        )
    return comments


def store_comments(review: Review, comments: Sequence[ReviewComment]) -> None:
    """Store ``comments`` with ``review``, in order."""
    for comment in comments:
        comment.review = review
    ReviewComment.objects.bulk_create(comments)


def _placed(artifact: Artifact) -> list[tuple[str, DiffLine]]:
    """The lines of ``artifact``, each with its place if it is a diff."""
    lines = lines_of(artifact.data)
    if artifact.kind == ArtifactKind.DIFF:
        return list(zip(lines, read_diff(lines), strict=True))
    return [(line, DiffLine("")) for line in lines]


def _wrong(number: int, problem: str) -> Invalid:
    return Invalid({"comments": f"No. {number}: {problem}"})
