"""The comments that a file has and the threads of its tasks do not; they come in whatever becomes of the task."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from tasks.actions.imports.node import Node
from tasks.batches import batches
from tasks.models import Message, Project


def find_new_comments(nodes: Iterable[Node]) -> None:
    """Set ``comments`` of each node to what its thread does not have."""
    with_some = [node for node in nodes if node.entry.comments]
    known: defaultdict[int, set[str]] = defaultdict(set)
    for ids in batches(node.row.pk for node in with_some if node.task is not None):
        rows = Message.objects.filter(task__in=ids).exclude(external_id="").order_by()
        for task, external_id in rows.values_list("task", "external_id"):
            known[task].add(external_id)
    for node in with_some:
        there = known[node.row.pk] if node.task is not None else set()
        node.comments = [comment for comment in node.entry.comments if comment.external_id not in there]


def messages_of(nodes: Iterable[Node], project: Project, now: datetime) -> list[Message]:
    """The messages to insert, by task and in order. Their authors are names: a file may claim any, so nobody here is
    made the author of what it says. What is dated ahead was written now at the latest.
    """
    return [
        Message(
            project=project,
            task=node.row,
            author_name=comment.author,
            body=comment.body,
            at=min(comment.at or now, now),
            external_id=comment.external_id,
        )
        for node in nodes
        for comment in node.comments
    ]
