"""Links that answer a question without signing in."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tasks.models.question import Question


class QuestionLink(models.Model):
    """That one person was sent a link to one question; see ``tasks.links`` for what the link says.

    At most one of them is in force for a person and a question.
    """

    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="links", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="question_links")
    nonce = models.CharField(max_length=32, editable=False)
    created_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["question", "user"], name="question_link_once", condition=Q(revoked_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"link of {self.user_id} to question {self.question_id}"
