"""Words of the catalogue that depend on an event's data: each function chooses a template for ``declaration.fill``.

``says_…`` are words of the timeline, ``notice_…`` sentences for the recipient of a notification.
"""

from typing import TYPE_CHECKING, Final

from tasks.events.declaration import Said
from tasks.transitions import Status
from tasks.verbs.catalogue import done_by

if TYPE_CHECKING:
    from tasks.models import Event

#: Where the timeline says more than that the verb was used on the task.
_MOVES: Final = {
    "complete": Said("finished run {run}", "check"),
    "revoke": Said("Run {run} was revoked: {agent} was told to stop and did not end it in time", "deferred"),
    "expire": Said("The lease of run {run}, held by {agent}, has expired", "deferred"),
    "approve": Said("approved the result", "check"),
    "request_changes": Said("requested changes", "back"),
    "adopt": Said("adopted the late result of run {run}", "check"),
}


#: The code of a failure because nobody answered in time.
QUESTION_EXPIRED: Final = "question_expired"


def says_asked(event: "Event") -> Said:
    several = len(event.data["questions"])
    what = f"asked {several} questions" if several > 1 else "asked a question"
    return Said(what + (" and parked run {run}" if event.data.get("to") else ""), "waiting")


def notice_asked(event: "Event") -> str:
    several = len(event.data["questions"])
    return f"{{agent}} asks {f'{several} questions' if several > 1 else 'you'} about {{ref}}."


def says_answered(event: "Event") -> Said:
    if event.data.get("by_default"):
        return Said("Nobody answered a question of {agent} in time; its default is the answer", "deferred")
    return Said("answered a question of {agent}", "check")


def notice_answered(event: "Event") -> str:
    if event.data.get("by_default"):
        return "Your question about {ref} got its default as the answer."
    return "{who} answered your question about {ref}."


def says_question_expired(event: "Event") -> Said:
    ends = "; it is over" if event.data["on_expiry"] == "fail" else " and stays open"
    return Said(f"A question of {{agent}} was not answered in time{ends}", "deferred")


def says_created(event: "Event") -> Said:
    after = " as a follow-up of {follows}" if event.data.get("follows") else ""
    return Said(f"created the task{after}" + (" and assigned {agents}" if event.data.get("agents") else ""), "plus")


def says_imported(event: "Event") -> Said:
    if "fields" in event.data:
        return Said("An import from {source} changed {changed}", "edit")
    return Said("Imported from {source}" + (" and assigned to {agents}" if event.data.get("agents") else ""), "plus")


def says_follow_up_decided(event: "Event") -> Said:
    if event.data.get("decision") == "accepted":
        return Said("made {created} of the follow-up “{title}”", "plus")
    return Said("dismissed the follow-up “{title}”", "cancelled")


def says_assigned(event: "Event") -> Said:
    data = event.data
    words = "offered the task to {agents}" if data.get("source") == "auto" else "assigned {agents}"
    if data.get("taken_from"):
        words += " in place of {taken_from}"
    return Said(words + (", which ended run {run}" if "run" in data else ""), "person_add")


def notice_assigned(event: "Event") -> str:
    return "{ref} is offered to you." if event.data.get("source") == "auto" else "{who} assigned {ref} to you."


def says_unassigned(event: "Event") -> Said:
    ended = " and ended run {run}" if "run" in event.data else ""
    return Said("took {agents} off the task" + ended, "person_add")


def notice_unassigned(event: "Event") -> str:
    return (
        "{who} cancelled {ref}, which was yours."
        if event.data.get("verb") == "cancel"
        else "{who} unassigned you from {ref}."
    )


def says_warning_changed(event: "Event") -> Said:
    again = (
        "The reason why nobody can do the task has changed" if event.data.get("note") else "The task can be done again"
    )
    return Said(again, "alert")


def says_moved(event: "Event") -> Said:
    data, by_other = event.data, event.actor_name != event.agent_slug
    match data.get("verb", ""):
        case "claim" | "start":
            taken = "took the task and " if data.get("source") == "pull" and not by_other else ""
            return Said(f"{taken}started run {{run}}" + (" for {agent}" if by_other else ""), "play")
        case "fail":
            code = " with {code}" if data.get("code") else ""
            again = "" if data.get("retryable", True) else ", not to be retried"
            return Said(f"failed run {{run}}{code}{again}", "failed")
        case "expire" if data.get("code") == QUESTION_EXPIRED:
            return Said("Nobody answered a question of run {run}, by {agent}, in time; the attempt failed", "failed")
        case "release":
            return Said("gave run {run}" + (" of {agent}" if by_other else "") + " back", "back")
        case verb:
            return _MOVES.get(verb) or Said(*(done_by(verb, "the task") or ("moved the task", "in_progress")))


def says_posted(event: "Event") -> Said:
    match event.data.get("message_kind"):
        case "instruction" if event.agent_slug:
            return Said("gave {agent} an instruction", "message")
        case "instruction":
            return Said("left an instruction for the next run", "message")
        case "stop":
            return Said("told {agent} to stop", "pause")
    return Said("wrote a message", "message")


def says_undelivered(event: "Event") -> Said:
    if "run" in event.data:
        return Said("Run {run} has ended without an answer to the {message_kind} of {author}", "alert")
    return Said("The task has ended, and so no run gets the {message_kind} of {author}", "alert")


def notice_completed(event: "Event") -> str:
    if event.data.get("verb") == "approve":
        return "{who} approved {ref}; it is completed."
    return "{agent} completed {ref}." if event.agent_slug else "{who} completed {ref}."


def notice_failed(event: "Event") -> str:
    return "{ref} failed for good, last with {agent}." if event.agent_slug else "{ref} failed."


def notice_review_asked(event: "Event") -> str:
    return f"{'{agent}' if event.agent_slug else '{who}'} submitted a result for {{ref}}; it waits for a review."


def notice_mention(event: "Event") -> str:
    return f"{{who}} mentioned you in {'{ref}' if event.task_ref else 'the channel of {project}'}."


def notice_watched(event: "Event") -> str:
    return f"{{who}} moved {{ref}} to “{Status(event.data['to']).label}”."


def _why_blocked(event: "Event") -> str:
    """A clause about what failed, as a template."""
    failed = "{failed} failed" if event.data.get("failed") else ""
    cancelled = event.data.get("cancelled", [])
    was = f"{{cancelled}} {'was' if len(cancelled) == 1 else 'were'} cancelled" if cancelled else ""
    return " and ".join(filter(None, (failed, was)))


def says_dependency_failed(event: "Event") -> Said:
    return Said(f"{_why_blocked(event)}; the task stays blocked", "alert")


def notice_dependency_failed(event: "Event") -> str:
    return f"{{ref}} stays blocked: {_why_blocked(event)}."


def says_dependencies_removed(event: "Event") -> Said:
    freed = "" if event.data.get("open") else "; nothing blocks it any more"
    return Said(f"removed the dependency on {{depends_on}}{freed}", "link")
