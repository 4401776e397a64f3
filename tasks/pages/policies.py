"""Comparing policies: what each would have done with the same work, as charts and a table."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tasks import clock
from tasks.assignment.replay import replay_of
from tasks.matching.policies import DEFAULT, named, names
from tasks.matching.simulation import Load, Outcome, mean_of, simulate, synthetic
from tasks.models import Membership, Project, Role
from tasks.pages.verdicts import verdicts
from tasks.permissions import is_llm, is_staff_somewhere
from tasks.querysets import sees_all

#: A page must respond within seconds; the command allows more.
MOST_TASKS = 300
AGENTS = 8
DAYS = 30
#: How often the same work is simulated with other luck; the figures are the means.
DRAWS = 3


class ComparisonForm(forms.Form):
    """What to simulate: a project's past, or synthetic work."""

    project = forms.ModelChoiceField(Project.objects.none(), required=False, to_field_name="key", label="Work")
    load = forms.FloatField(
        min_value=0.1,
        max_value=5,
        initial=1.0,
        label="Load",
        help_text="For synthetic work: 1 is as much as the team can do.",
    )
    seed = forms.IntegerField(
        min_value=0, max_value=9999, initial=0, label="Luck", help_text="Another number draws other chance events."
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        project: Any = self.fields["project"]
        managed = Membership.objects.filter(user=user, role=Role.MANAGER).values("project")
        project.queryset = Project.objects.all() if sees_all(user) else Project.objects.filter(pk__in=managed)
        project.empty_label = "Synthetic"
        project.label_from_instance = str


@dataclass(frozen=True)
class Bar:
    """One policy in a chart; ``width`` in percent of the widest."""

    label: str
    text: str
    width: str
    is_best: bool


@dataclass(frozen=True)
class Chart:
    title: str
    help: str
    bars: list[Bar]


#: Name, title, explanation, format, whether more is better (None: neither), least value of a bar of full width.
Measure = tuple[str, str, str, str, bool | None, float]

#: That least value keeps tiny values from looking large.
MEASURES: list[Measure] = [
    ("overdue_share", "Due dates missed", "Share of the tasks with a due date", "{:.1%}", False, 0.2),
    ("mean_hours", "Hours until accepted, mean", "From arrival to an accepted result", "{:.2f}", False, 0.0),
    ("p95_hours", "Hours until accepted, 95th percentile", "One task in twenty takes longer", "{:.2f}", False, 0.0),
    ("utilisation", "Slots in use", "While work arrives", "{:.0%}", None, 1.0),
    ("gini", "Unevenness (Gini)", "Of that use, over the agents: 0 is even", "{:.2f}", False, 0.5),
]


def chart_of(outcomes: list[Outcome], measure: Measure) -> Chart:
    """The bars of one measure, one per policy."""
    name, title, meaning, form, more_is_better, full = measure
    values = [float(getattr(outcome, name)) for outcome in outcomes]
    widest = max([*values, full, 1e-9])
    best = None if more_is_better is None else (max if more_is_better else min)(values)
    bars = []
    for outcome, value in zip(outcomes, values, strict=True):
        policy = named(outcome.policy)
        label = policy.label if policy else outcome.policy
        text = form.format(value).replace("%", " %")
        bars.append(Bar(label, text, f"{100 * value / widest:.1f}%", value == best))
    return Chart(title, meaning, bars)


@login_required
def compare_policies(request: HttpRequest) -> HttpResponse:
    """Every policy with the same work; for managers only, since it shows how good agents are."""
    user: Any = request.user
    if is_llm(user) or not is_staff_somewhere(user):
        raise PermissionDenied
    data = request.GET if "load" in request.GET else None
    form = ComparisonForm(data, user=user)
    context: dict[str, Any] = {"form": form, "most": MOST_TASKS, "days": DAYS}
    if form.is_bound and form.is_valid():
        load = _load(form.cleaned_data)
        if load.tasks and load.agents:
            seed = form.cleaned_data["seed"]
            outcomes = [
                mean_of([simulate(load, policy, seed=seed + draw) for draw in range(DRAWS)])
                for name in names()
                if (policy := named(name))
            ]
            project = form.cleaned_data["project"]
            in_use = project.policy if project is not None and named(project.policy) else DEFAULT
            context |= {
                "verdicts": verdicts(outcomes, in_use),
                "project": project,
                "draws": DRAWS,
                "charts": [chart_of(outcomes, measure) for measure in MEASURES],
                "outcomes": [(named(outcome.policy), outcome) for outcome in outcomes],
                "tasks": len(load.tasks),
                "agents": len(load.agents),
            }
        else:
            context["nothing"] = True
    return render(request, "tasks/policies.html", context)


def _load(values: dict[str, Any]) -> Load:
    if values["project"] is not None:
        return replay_of(values["project"], clock.now(), days=DAYS, most=MOST_TASKS)
    return synthetic(seed=values["seed"], tasks=MOST_TASKS, agents=AGENTS, load=values["load"])
