"""The steps of walks about agents: verbs by chance, and stories, so that each walk visits what reports tell apart."""

from random import Random

#: Each verb, how often it is tried, and the status of a task that it fits.
VERBS: dict[str, tuple[int, str]] = {
    "create": (4, ""), "create_due": (3, ""), "create_reviewed": (3, ""), "create_other": (2, ""),
    "create_labelled": (1, ""), "create_after": (2, ""), "create_below": (1, ""), "claim": (16, "not_started"),
    "complete": (12, "in_progress"), "fail": (4, "in_progress"), "fail_for_good": (2, "in_progress"),
    "release": (1, "in_progress"), "park": (2, "in_progress"), "ask": (2, "in_progress"),
    "expire": (3, "in_progress"), "stall": (2, ""), "answer": (3, "waiting"), "approve": (4, "in_review"),
    "request_changes": (3, "in_review"), "reopen": (4, "completed"), "cancel": (1, "not_started"), "delete": (1, ""),
    "edit_due": (2, ""), "relabel": (3, ""), "assign_both": (2, "not_started"), "offer": (2, "not_started"),
    "find_nobody": (1, ""), "decline": (1, "not_started"), "lapse": (1, ""), "pause": (2, ""), "disable": (2, ""),
    "grow": (2, ""), "renew": (3, ""), "leave": (1, ""), "join": (3, ""), "pause_here": (2, ""),
}  # fmt: skip
IMPORTS = ("import_done", "import_unknown", "import_credited", "import_shared")
#: What happens to one task, one after the other.
STORIES = (
    ("create_labelled", "claim", "fail", "claim", "complete"),
    ("create_labelled", "claim", "fail", "claim", "fail", "claim", "complete"),
    ("create_due", "claim", "fail", "renew", "claim", "complete"),
    ("create_due", "claim", "expire", "claim", "complete"),
    ("create_due", "edit_due", "claim", "complete"),
    ("create_due", "claim", "complete_on_time"),
    ("create_labelled", "claim", "fail", "relabel", "claim", "complete", "relabel"),
    ("create_reviewed", "claim", "complete", "request_changes", "claim", "complete", "request_changes", "claim",
     "complete", "approve"),
    ("create_reviewed", "claim", "complete", "approve_otherwise", "reopen", "claim", "complete", "approve"),
    ("create_reviewed", "claim", "complete"),
    ("create_labelled", "claim", "stall", "complete", "reopen", "claim", "fail_for_good"),
    ("create", "claim", "park", "answer", "claim", "ask", "answer", "complete", "reopen"),
    ("create", "claim", "ask", "answer_by_default", "ask"),
    ("create_labelled", "claim", "release", "claim", "take_away"),
    ("create", "assign_both", "decline", "create_after"),
    ("create", "offer", "lapse", "offer"),
    ("create", "offer", "decline", "find_nobody"),
    ("create_labelled", "offer", "assign_both", "decline"),
    ("create", "create_after", "create_below", "create_after"),
    ("create_other", "claim_there", "stall", "fail"),
    ("create_other", "offer_there"),
    ("create_labelled", "claim", "complete", "delete"),
    ("create", "claim_by_manager", "complete"),
    ("pause", "create", "pause"),
    ("disable", "create", "disable"),
    ("pause_here", "create", "pause_here"),
    ("leave", "create", "join"),
)  # fmt: skip
#: With these a walk ends, so that something of each kind stands in both projects.
LAST = (
    ("create", "assign_two"), ("create", "claim", "ask"), ("create_reviewed", "claim", "complete"),
    ("create_other", "claim_there"), ("create_other", "offer_there"), ("create", "create_after"),
)  # fmt: skip
WHO = ("atlas", "atlas", "bert", "hugo")
#: As the place of a task: the one of the step before.
SAME = -1
#: Verb, place among the tasks that it fits, who, and how many minutes pass before.
Step = tuple[str, int, str, int]


def steps_of(chance: Random, many: int, *, imports: bool = True, stories: bool = True) -> list[Step]:
    """A walk by chance, which begins with a few tasks; between its ``many`` steps it tells each of the stories."""
    often = {name: times for name, (times, _) in VERBS.items()} | (dict.fromkeys(IMPORTS, 1) if imports else {})
    parts = [(name,) for name in chance.choices(list(often), list(often.values()), k=many)]
    parts += STORIES if stories else ()
    chance.shuffle(parts)
    # Files name their assignees while all of them are still members.
    first = [("create",), ("create_reviewed",), ("create_due",), *((name,) for name in (IMPORTS if imports else ()))]
    return [step for part in [*first, *parts, *(LAST if stories else ())] for step in _told(chance, part)]


def _told(chance: Random, names: tuple[str, ...]) -> list[Step]:
    minutes = (0, 1, 7, 7, 30, 30, 55, 400)
    first, who = chance.randrange(8), chance.choice(WHO)
    steps = []
    for number, name in enumerate(names):
        # After a failure or a lost lease a task rests, and another agent may take it.
        rests = number > 0 and names[number - 1] in ("fail", "expire", "renew")
        who = chance.choice(WHO) if rests and name == "claim" else who
        passed = 400 if rests else chance.choice(minutes if number == 0 or len(names) == 1 else minutes[:-1])
        steps.append((name, SAME if number else first, who, passed))
    return steps
