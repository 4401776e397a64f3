"""``manage.py simulate_assignment``: what each policy would have done with the same work, compared."""

import sys
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from tqdm import tqdm

from taskproject.texts import counted
from tasks import clock
from tasks.assignment.replay import replay_of
from tasks.errors import unknown_name
from tasks.management.command import Command as BaseCommand
from tasks.management.command import Problem, WrongUse, project_named
from tasks.matching.policies import Policy, named, names
from tasks.matching.simulation import Load, Outcome, mean_of, simulate, synthetic

COLUMNS = (
    ("policy", "policy", "{:<14}"),
    ("finished", "finished", "{:>9}"),
    ("mean_hours", "mean h", "{:>8.2f}"),
    ("p95_hours", "p95 h", "{:>8.2f}"),
    ("overdue_share", "overdue", "{:>8.1%}"),
    ("utilisation", "in use", "{:>8.1%}"),
    ("gini", "gini", "{:>6.2f}"),
)


class Command(BaseCommand):
    help = (
        "Run assignment policies over the same work and compare them: time from arrival to acceptance (mean and 95th "
        "percentile, in hours), share of due dates missed, share of slots in use while work arrives, and how unevenly "
        "that is spread over the agents (Gini). The work is synthetic, or with --project what that project completed. "
        "Nothing is written."
    )
    examples = (
        "python manage.py simulate_assignment --load 2 --seeds 3\n"
        "python manage.py simulate_assignment --project OPS --days 30 --json"
    )
    option_of: ClassVar[dict[str, str]] = {}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--policy", action="append", metavar="NAME", help="A policy to run (default: all).")
        parser.add_argument("--project", metavar="KEY", help="Replay what this project completed, with its team.")
        parser.add_argument("--days", type=int, default=30, help="How far the replay goes back (default: 30).")
        parser.add_argument("--tasks", type=int, default=600, help="Synthetic tasks (default: 600).")
        parser.add_argument("--agents", type=int, default=12, help="Synthetic agents (default: 12).")
        parser.add_argument("--hours", type=float, default=24.0, help="The time over which tasks arrive (default: 24).")
        parser.add_argument(
            "--load", type=float, default=1.0, help="Work relative to what the team can do (default: 1)."
        )
        parser.add_argument("--seed", type=int, default=0, help="Random seed (default: 0).")
        parser.add_argument(
            "--seeds", type=int, default=1, help="Runs with different random seeds to average (default: 1)."
        )

    def run(self, **options: Any) -> None:
        policies = [_policy(name) for name in options["policy"] or names()]
        for name, least, most in (("tasks", 1, 100_000), ("agents", 1, 2_000), ("seeds", 1, 100), ("days", 1, 3_650)):
            if not least <= options[name] <= most:
                raise WrongUse(f"--{name} must be from {least} to {most:,}.")
        for name, top in (("hours", 10_000), ("load", 100)):
            if not 0 < options[name] <= top:
                raise WrongUse(f"--{name} must be above 0 and at most {top:,}.")
        seeds = range(options["seed"], options["seed"] + options["seeds"])
        loads = [self._load(options, seed) for seed in seeds]
        count = sum(len(load.tasks) for load in loads) * len(policies)
        outcomes = []
        with tqdm(total=count, unit=" tasks", disable=not sys.stderr.isatty(), leave=False) as bar:
            for policy in policies:
                bar.set_description(policy.name)
                runs = [
                    simulate(load, policy, seed=seed, report=bar.update)
                    for seed, load in zip(seeds, loads, strict=True)
                ]
                outcomes.append(mean_of(runs))
        if options["json"]:
            self.print_json({"seeds": list(seeds), "policies": [outcome.as_dict() for outcome in outcomes]})
        else:
            self._print(outcomes)

    def _load(self, options: dict[str, Any], seed: int) -> Load:
        if not options["project"]:
            return synthetic(
                seed=seed,
                tasks=options["tasks"],
                agents=options["agents"],
                load=options["load"],
                hours=options["hours"],
            )
        project = project_named(options["project"])
        load = replay_of(project, clock.now(), days=options["days"])
        if not load.tasks or not load.agents:
            raise Problem(f"{project.key} has completed nothing in the last {options['days']} days; nothing to replay.")
        return load

    def _print(self, outcomes: list[Outcome]) -> None:
        widths = [len(form.format(0 if name != "policy" else "")) for name, _, form in COLUMNS]
        heads = [
            f"{title:<{width}}" if name == "policy" else f"{title:>{width}}"
            for (name, title, _), width in zip(COLUMNS, widths, strict=True)
        ]
        self.say(counted(outcomes[0].tasks, "task") if outcomes else "")
        self.say("".join(heads))
        for outcome in outcomes:
            self.say("".join(form.format(getattr(outcome, name)) for name, _, form in COLUMNS))


def _policy(name: str) -> Policy:
    policy = named(name)
    if policy is None:
        raise WrongUse(f"--policy: {unknown_name(name, names(), what='policy')}")
    return policy
