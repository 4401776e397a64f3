"""Agents: anyone who can be given work, their skills, and the tokens with which they call the API."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from taskproject.texts import NameField
from taskproject.times import MomentField
from tasks.matching.working_hours import parse, zone_named
from tasks.querysets import AgentQuerySet

SLUG = RegexValidator(r"^[a-z0-9][a-z0-9_.-]*$", "Use lowercase letters, digits, dots, dashes and underscores.")


def validate_working_hours(text: str) -> None:
    """Raise ``ValidationError`` naming what cannot be read."""
    try:
        parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def validate_time_zone(name: str) -> None:
    """Raise ``ValidationError`` for a zone that this machine does not know."""
    try:
        zone_named(name, default="UTC")
    except ValueError as error:
        raise ValidationError(str(error)) from None


class Skill(models.Model):
    """A named ability, such as ``python`` or ``security``."""

    name = models.CharField(max_length=60, unique=True, validators=[SLUG])
    description = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class AgentKind(models.TextChoices):
    LLM = "llm", "LLM"
    HUMAN = "human", "Human"


class Availability(models.TextChoices):
    AVAILABLE = "available", "Available"
    PAUSED = "paused", "Paused"


class Agent(models.Model):
    """Anyone who can be given work, person or LLM; tied one-to-one to a Django user.

    A person owns themself. An LLM agent is owned by a project or a person; without either, by the administrators.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="agent")
    slug = models.CharField(
        max_length=60, unique=True, validators=[SLUG], help_text="The permanent name in the API and in references."
    )
    name = NameField(max_length=120)
    kind = models.CharField(max_length=10, choices=AgentKind, default=AgentKind.LLM)
    enabled = models.BooleanField(default=True, help_text="A disabled agent gets no work and cannot call the API.")
    availability = models.CharField(max_length=10, choices=Availability, default=Availability.AVAILABLE)
    max_concurrent = models.PositiveSmallIntegerField(
        "capacity", default=1, validators=[MinValueValidator(1), MaxValueValidator(100)], help_text="Tasks at a time."
    )
    version = models.CharField(
        max_length=120, blank=True, help_text="Model or program version, as the agent reports it."
    )
    version_since = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When the version changed; earlier evidence counts less.",
    )
    working_hours = models.CharField(
        max_length=200,
        blank=True,
        validators=[validate_working_hours],
        help_text="When a person is offered work, as in Mon-Thu 09:00-17:00; Fri 09:00-13:00. Empty: always.",
    )
    time_zone = models.CharField(
        max_length=60,
        blank=True,
        validators=[validate_time_zone],
        help_text="Time zone of the working hours, as in Europe/Vienna. Empty: the server's.",
    )
    owner_project = models.ForeignKey(
        "tasks.Project",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="owned_agents",
        help_text="The project that owns an LLM agent: its managers act for it.",
    )
    owner_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="owned_agents",
        help_text="The person who owns an LLM agent.",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AgentQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(name="agent_kind_known", condition=Q(kind__in=AgentKind.values)),
            models.CheckConstraint(name="agent_availability_known", condition=Q(availability__in=Availability.values)),
            models.CheckConstraint(name="agent_capacity_positive", condition=Q(max_concurrent__gte=1)),
            models.CheckConstraint(
                name="agent_at_most_one_owner", condition=Q(owner_project__isnull=True) | Q(owner_user__isnull=True)
            ),
            models.CheckConstraint(
                name="agent_person_owns_themself",
                condition=Q(kind=AgentKind.LLM) | Q(owner_project__isnull=True, owner_user__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class AgentSkill(models.Model):
    """How well an agent has a skill, from 1 (beginner) to 5 (expert)."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="skills")
    skill = models.ForeignKey(Skill, on_delete=models.CASCADE, related_name="agents")
    level = models.PositiveSmallIntegerField(default=3, validators=[MinValueValidator(1), MaxValueValidator(5)])

    class Meta:
        ordering = ["skill__name"]
        constraints = [
            models.UniqueConstraint(fields=["agent", "skill"], name="agent_skill_once"),
            models.CheckConstraint(name="agent_skill_level_1_to_5", condition=Q(level__gte=1, level__lte=5)),
        ]

    def __str__(self) -> str:
        return f"{self.skill}:{self.level}"


class AgentToken(models.Model):
    """A bearer token of an agent. Only its SHA-256 is stored: tokens are random, so no slow hash is needed.

    One that ``is_limited`` reaches the listed projects and no others, as far as the agent is in them: the list never
    grows, and when the projects on it are deleted, the token reaches nothing.
    """

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="tokens")
    name = NameField(max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False, help_text="The token's first characters, to recognise it.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    read_only = models.BooleanField(default=False, editable=False, help_text="It can read, but not change anything.")
    is_limited = models.BooleanField(default=False, editable=False, help_text="It reaches only the projects listed.")
    projects = models.ManyToManyField("tasks.Project", blank=True, editable=False, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = MomentField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.agent.slug} · {self.name} ({self.hint}…)"
