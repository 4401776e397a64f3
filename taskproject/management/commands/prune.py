"""``manage.py prune``: delete what is past its retention."""

import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from taskproject.errors import unknown_name
from taskproject.pruning import Retention, retentions
from taskproject.texts import counted
from tasks.management.command import Command as BaseCommand
from tasks.management.command import WrongUse


class Command(BaseCommand):
    help = (
        "Delete what is past its retention, in small batches, so that servers and engines may work meanwhile. Engines "
        "that keep running do the same by themselves, a little at a time. Tasks, their history and what happened to "
        "them stay, so that reports stay as they are."
    )
    examples = "python manage.py prune --dry-run\npython manage.py prune --only mails deliveries --json"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say how much would be deleted; delete nothing.")
        parser.add_argument(
            "--only", nargs="+", metavar="KIND", help=f"Of {', '.join(each.name for each in retentions)}."
        )

    def run(self, **options: Any) -> None:
        kinds = [_named(name) for name in dict.fromkeys(options["only"])] if options["only"] else retentions
        left = {kind.name: kind.past().count() for kind in kinds}
        if options["dry_run"]:
            self._report(kinds, left, "to delete", options)
            return
        removed = {}
        with tqdm(total=sum(left.values()), unit=" rows", file=sys.stderr, disable=None, leave=False) as bar:
            for kind in kinds:
                bar.set_description(kind.name)
                removed[kind.name] = kind.prune(progress=bar.update)
        remaining = [kind.name for kind in kinds if kind.is_left()]
        self._report(kinds, removed, "deleted", options, left=remaining)

    def _report(
        self,
        kinds: list[Retention],
        counts: dict[str, int],
        word: str,
        options: dict[str, Any],
        left: Sequence[str] = (),
    ) -> None:
        if options["json"]:
            total = sum(counts.values())
            self.print_json({"dry_run": options["dry_run"], "rows": counts, "total": total, "left": left})
            return
        for kind in kinds:
            self.say(f"{kind.name:<21} {counts[kind.name]:>10,}  {kind.keeps}")
        self.say(f"{counted(sum(counts.values()), 'row')} {word}.")
        if left:
            self.say(f"Some {', '.join(left)} are past only now, or others hold them. Run it again.")


def _named(name: str) -> Retention:
    kind = next((each for each in retentions if each.name == name), None)
    if kind is None:
        raise WrongUse(f"--only: {unknown_name(name, [each.name for each in retentions], what='kind')}")
    return kind
