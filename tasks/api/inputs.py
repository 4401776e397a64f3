"""What requests may carry. Names are turned into rows by the views, with the nearest known name for a typo."""

from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from taskproject.api.serializers import Boolean, Decimals, Integer, PlainText, StrictSerializer
from tasks.actions.runs import Usage
from tasks.api.task_output import PRIORITIES
from tasks.matching import policies
from tasks.models import AgentKind, AssignmentMode, Availability, Role
from tasks.models.project import LEASE_SECONDS_MAX, LEASE_SECONDS_MIN

JSON_DEPTH = 50


def _check_json(value: Any, depth: int = 0) -> None:
    """Refuse what a database or an encoder cannot keep: NUL in texts, and values nested beyond reason."""
    if depth > JSON_DEPTH:
        raise serializers.ValidationError(f"Is nested more than {JSON_DEPTH} levels deep.")
    if isinstance(value, str) and "\0" in value:
        raise serializers.ValidationError("Null characters are not allowed.")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_json(key, depth)
            _check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth + 1)


@extend_schema_field(OpenApiTypes.ANY)
class AnyValue(serializers.Field):
    """Any JSON value, as it was sent."""

    def to_internal_value(self, data: Any) -> Any:
        _check_json(data)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class JSONObject(serializers.DictField):
    """A JSON object with any content."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"child": AnyValue(allow_null=True), **kwargs})


def Texts(**kwargs: Any) -> serializers.ListField:  # noqa: N802 - a field, made with its child
    return serializers.ListField(child=PlainText(allow_blank=False, max_length=1000), max_length=200, **kwargs)


def LeaseSeconds() -> Integer:  # noqa: N802
    return Integer(min_value=LEASE_SECONDS_MIN, max_value=LEASE_SECONDS_MAX, required=False)


class RequiredSkillInput(StrictSerializer):
    skill = PlainText(allow_blank=False, max_length=60)
    min_level = Integer(min_value=1, max_value=5, default=1)


class SkillLevelInput(StrictSerializer):
    skill = PlainText(allow_blank=False, max_length=60)
    level = Integer(min_value=1, max_value=5, default=3)


class TaskFields(StrictSerializer):
    """The fields of a task that a request may set."""

    title = PlainText(allow_blank=False, max_length=300)
    description = PlainText(required=False)
    priority = serializers.ChoiceField(list(PRIORITIES), required=False)
    labels = Texts(required=False)
    due_at = serializers.DateTimeField(required=False, allow_null=True)
    start_after = serializers.DateTimeField(required=False, allow_null=True)
    estimate_minutes = Integer(min_value=0, max_value=2**31 - 1, required=False, allow_null=True)
    required_skills = RequiredSkillInput(many=True, required=False)
    parent = PlainText(  # type: ignore[assignment]  # DRF has a method of that name
        required=False, allow_null=True, help_text="Ref of a task in the same project."
    )
    criteria = Texts(required=False)
    max_attempts = Integer(min_value=1, max_value=20, required=False)
    review_required = Boolean(required=False)
    external_id = PlainText(allow_blank=False, max_length=200, required=False, allow_null=True)

    def validate_title(self, value: str) -> str:
        if not value.strip():
            raise serializers.ValidationError("May not be blank.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "priority" in attrs:
            attrs["priority"] = PRIORITIES[attrs["priority"]]
        if "required_skills" in attrs:
            attrs["required_skills"] = [(need["skill"], need["min_level"]) for need in attrs["required_skills"]]
        return attrs


class TaskInput(TaskFields):
    """A new task."""

    project = PlainText(allow_blank=False, max_length=12)
    assignees = Texts(required=False, help_text="Slugs; only managers assign.")
    depends_on = Texts(required=False, help_text="Refs of tasks in the same project.")


class TaskPatch(TaskFields):
    """Changes to a task. Status, assignees and dependencies have endpoints of their own."""

    title = PlainText(allow_blank=False, max_length=300, required=False)


class AgentsInput(StrictSerializer):
    agents = serializers.ListField(child=PlainText(allow_blank=False, max_length=60), allow_empty=False, max_length=100)
    note = PlainText(max_length=500, required=False, default="")


class NoteInput(StrictSerializer):
    note = PlainText(max_length=10_000, required=False, default="")


class DeclineInput(StrictSerializer):
    reason = PlainText(allow_blank=False, max_length=500)


class DependsOnInput(StrictSerializer):
    depends_on = serializers.ListField(
        child=PlainText(allow_blank=False, max_length=40), allow_empty=False, max_length=200
    )


class ClaimInput(StrictSerializer):
    lease_seconds = LeaseSeconds()


class ClaimNextInput(ClaimInput):
    projects = serializers.ListField(
        child=PlainText(allow_blank=False, max_length=12), required=False, max_length=100, help_text="Keys."
    )
    limit = Integer(min_value=1, max_value=20, default=1)
    wait_seconds = Integer(min_value=0, max_value=30, default=0)


class StartInput(StrictSerializer):
    agent = PlainText(allow_blank=False, max_length=60, required=False, help_text="Another person; staff only.")


class UsageInput(StrictSerializer):
    """Used since the last report; added up over the run."""

    input_tokens = Integer(min_value=0, max_value=10**12, default=0)
    output_tokens = Integer(min_value=0, max_value=10**12, default=0)
    cost = serializers.DecimalField(
        max_digits=12, decimal_places=6, min_value=0, default=Decimal(0), coerce_to_string=False, allow_null=False
    )

    def validate(self, attrs: dict[str, Any]) -> Usage:
        return Usage(**attrs)


class HeartbeatInput(StrictSerializer):
    lease_seconds = LeaseSeconds()


class ProgressInput(StrictSerializer):
    percent = Integer(min_value=0, max_value=100, required=False)
    note = PlainText(max_length=1000, required=False)
    checkpoint = JSONObject(required=False)
    usage = UsageInput(required=False)


class CriterionInput(StrictSerializer):
    criterion = PlainText(allow_blank=False, max_length=1000)
    met = Boolean()
    note = PlainText(max_length=2000, required=False)


class CompleteInput(StrictSerializer):
    summary = PlainText(max_length=20_000)
    result = AnyValue(required=False, allow_null=True)
    criteria = CriterionInput(many=True, required=False)
    usage = UsageInput(required=False)


class CompleteManyItem(CompleteInput):
    id = serializers.UUIDField()


class CompleteManyInput(StrictSerializer):
    runs = serializers.ListField(child=CompleteManyItem(), allow_empty=False, max_length=100)


class FailInput(StrictSerializer):
    code = PlainText(allow_blank=False, max_length=100)
    detail = PlainText(max_length=20_000)
    retryable = Boolean(default=True)
    usage = UsageInput(required=False)


class ReleaseInput(StrictSerializer):
    reason = PlainText(max_length=2000, default="")
    checkpoint = JSONObject(required=False)


class MePatch(StrictSerializer):
    availability = serializers.ChoiceField(Availability.choices, required=False)
    version = PlainText(max_length=120, required=False)


class MemberInput(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=150)
    role = serializers.ChoiceField(Role.choices, allow_null=True, help_text="null removes the member.")


class ProjectRules(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=200, required=False)
    description = PlainText(required=False)
    mode = serializers.ChoiceField(AssignmentMode.choices, required=False)
    allow_pull = Boolean(required=False)
    workers_create = Boolean(required=False)
    review_required = Boolean(required=False)
    lease_seconds = Integer(min_value=LEASE_SECONDS_MIN, max_value=LEASE_SECONDS_MAX, required=False)
    stalled_after_seconds = Integer(min_value=30, max_value=7 * 24 * 3600, required=False)
    policy = serializers.ChoiceField(policies.names(), required=False)
    share_weight = Decimals(min_value=0.01, max_value=100, required=False)
    patience_minutes = Integer(min_value=1, max_value=365 * 24 * 60, required=False)
    accept_within_llm_seconds = Integer(min_value=5, max_value=30 * 24 * 3600, required=False)
    accept_within_human_seconds = Integer(min_value=5, max_value=30 * 24 * 3600, required=False)


class ProjectPatch(ProjectRules):
    members = MemberInput(many=True, required=False, help_text="Members to add, change or remove; others stay.")


class ProjectInput(ProjectPatch):
    key = PlainText(allow_blank=False, max_length=12)
    name = PlainText(allow_blank=False, max_length=200)


class AgentPatch(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=120, required=False)
    enabled = Boolean(required=False)
    availability = serializers.ChoiceField(Availability.choices, required=False)
    max_concurrent = Integer(min_value=1, max_value=100, required=False)
    version = PlainText(max_length=120, required=False)
    working_hours = PlainText(max_length=200, required=False, help_text="As in Mon-Fri 09:00-17:00; empty: always.")
    time_zone = PlainText(max_length=60, required=False, help_text="As in Europe/Vienna; empty: the server's.")
    skills = SkillLevelInput(many=True, required=False)


class AgentInput(StrictSerializer):
    slug = PlainText(allow_blank=False, max_length=60)
    name = PlainText(max_length=120, required=False, default="")
    kind = serializers.ChoiceField(AgentKind.choices, default=AgentKind.LLM)
    max_concurrent = Integer(min_value=1, max_value=100, default=1)
    skills = SkillLevelInput(many=True, required=False)


class SkillInput(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=60)
    description = PlainText(max_length=300, required=False, default="")


class TokenInput(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=80)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
