"""Rows of *skill, level* in the forms of agents and tasks."""

from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest

from tasks.admin.scope import ScopedInline
from tasks.admin.verb_form import kept_rows
from tasks.models import AgentSkill, RequiredSkill, Skill


class SkillRowInline(ScopedInline):
    """``level_field`` names the level; the choices are read once for all rows."""

    level_field: ClassVar[str] = "level"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        fields = formset.form.base_fields
        skill: Any = fields["skill"]
        skill.choices = [("", "---------"), *Skill.objects.values_list("pk", "name")]
        # The links next to a select lead to pages that not everyone may open, and need too much room on a phone.
        skill.widget = getattr(skill.widget, "widget", skill.widget)
        skill.widget.choices = skill.choices
        fields[self.level_field].widget = forms.NumberInput(attrs={"min": 1, "max": 5, "class": "tp-level"})
        return formset


class RequiredSkillInline(SkillRowInline):
    model = RequiredSkill
    level_field = "min_level"
    fields = ("skill", "min_level")
    verbose_name_plural = "required skills (level 1 to 5)"


class AgentSkillInline(SkillRowInline):
    model = AgentSkill
    fields = ("skill", "level")
    verbose_name_plural = "skills (level 1 to 5)"


def skills_of(formsets: list[Any], level_field: str) -> list[tuple[str, int]]:
    """``(name, level)`` of the rows in the skills inline among ``formsets``."""
    for formset in formsets:
        if formset.model in (RequiredSkill, AgentSkill):
            return [(row["skill"].name, row[level_field]) for row in kept_rows(formset)]
    return []
