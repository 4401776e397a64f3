"""Artifacts: what a run hands over besides its result, and what reviews say about their lines."""

from django.db import models
from django.db.models import Q

from taskproject.texts import LONGEST_URL
from tasks.models.run import Review, Run
from tasks.querysets import ArtifactQuerySet


class ArtifactKind(models.TextChoices):
    TEXT = "text", "Text"
    LINK = "link", "Link"
    DIFF = "diff", "Diff"
    FILE = "file", "File"


class Artifact(models.Model):
    """A text, a diff, a small file or the address of something elsewhere, made by a run. All of it is untrusted.

    It changes only while the run is active, when its holder sends another content by the same name: what a review has
    seen stays. Its content is in the database, so it is backed up, deleted and fenced with everything else.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifacts")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=ArtifactKind)
    media_type = models.CharField(max_length=130)
    size = models.PositiveIntegerField(help_text="In bytes.")
    lines = models.PositiveIntegerField(default=0, help_text="Of a text or diff.")
    sha256 = models.CharField(max_length=64, help_text="Of its content, in hex; questions may be bound to it.")
    content = models.BinaryField(help_text="Empty for a link.")
    url = models.CharField(max_length=LONGEST_URL, blank=True, help_text="Where a link leads.")
    is_late = models.BooleanField(
        default=False, help_text="It came with a result after the lease was lost, and was not adopted."
    )
    created_at = models.DateTimeField()

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "name", "is_late"], name="artifact_name_unique_in_run"),
            models.CheckConstraint(name="artifact_kind_known", condition=Q(kind__in=ArtifactKind.values)),
        ]

    def __str__(self) -> str:
        return f"{self.name} of run {self.run_id}"

    @property
    def has_lines(self) -> bool:
        return self.kind in (ArtifactKind.TEXT, ArtifactKind.DIFF)

    @property
    def data(self) -> bytes:
        """What ``sha256`` and ``size`` are of: the content, or the address of a link."""
        return self.url.encode() if self.kind == ArtifactKind.LINK else bytes(self.content)


class ReviewComment(models.Model):
    """What a reviewer wrote about one line of a text or diff of the reviewed run, together with the verdict.

    It carries the line as it was, and for a diff where that stands: the next run reads it without the artifact.
    """

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="comments")
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="comments")
    line = models.PositiveIntegerField(help_text="Of the artifact, counted from 1.")
    quote = models.CharField(max_length=500, blank=True, help_text="The start of that line; untrusted.")
    path = models.CharField(max_length=500, blank=True, help_text="Of a diff: the file; untrusted.")
    side = models.CharField(max_length=3, blank=True, help_text="Of a diff: `old` for a removed line, else `new`.")
    path_line = models.PositiveIntegerField(null=True, blank=True, help_text="The line in that file, on that side.")
    body = models.TextField(max_length=10_000)

    class Meta:
        ordering = ["id"]
        constraints = [models.CheckConstraint(name="review_comment_line_from_1", condition=Q(line__gte=1))]

    def __str__(self) -> str:
        return f"comment on line {self.line} of artifact {self.artifact_id}"
