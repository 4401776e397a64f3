"""What somebody set for everything that they read here."""

from django.conf import settings
from django.db import models

from tasks.models.agent import validate_time_zone


class Theme(models.TextChoices):
    AUTO = "", "Automatic: that of the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class Profile(models.Model):
    """How a user reads pages, reports and mails; without a row, as by default."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    time_zone = models.CharField(
        max_length=60,
        blank=True,
        validators=[validate_time_zone],
        help_text="Empty: that of the browser; without one, that of the working hours, else the server's.",
    )
    theme = models.CharField(max_length=5, blank=True, choices=Theme, default=Theme.AUTO, db_default="")

    board = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text="How they like the board: see `board_choices`.",
    )
    first_steps_over = models.BooleanField(default=False, db_default=False)

    list_columns = models.CharField(
        max_length=300, blank=True, default="", db_default="", help_text="The columns of the list, with commas."
    )

    class Meta:
        ordering = ["user"]

    def __str__(self) -> str:
        return f"profile of {self.user_id}"
