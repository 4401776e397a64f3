"""The verbs that decide who does a task, and what it waits for."""

from tasks.transitions import OPEN, Status
from tasks.verbs.catalogue.shared import MANAGERS, note
from tasks.verbs.declaration import Answer, Door, Need, On, Verb
from tasks.verbs.fields import (
    Agents,
    Tasks,
    Text,
)

_AGENTS = Agents(name="agents", label="Agents", help="Slugs.", required=True, missing="Choose at least one agent.")
# Notes on assignments are short, because lists show them next to the name.
_ASSIGNMENT_NOTE = note(most=500)

ASSIGN = Verb(
    name="assign",
    label="Assign to",
    submit="Assign",
    doing="Assign {}",
    done="Assigned {}",
    passive="assigned",
    help="Those already assigned stay assigned.",
    in_api=MANAGERS,
    sources=OPEN,
    right="assign",
    fields=(_AGENTS, _ASSIGNMENT_NOTE),
    doors=frozenset({Door.API, Door.ADMIN, Door.BULK}),
    icon="person_add",
    example={"agents": ["atlas"]},
)
REASSIGN = Verb(
    name="reassign",
    label="Reassign",
    doing="Reassign {}",
    done="Reassigned {}",
    passive="reassigned",
    help="Agents that are not chosen here lose the task, and their runs are revoked.",
    in_api=MANAGERS,
    sources=OPEN,
    right="assign",
    fields=(_AGENTS, _ASSIGNMENT_NOTE),
    doors=frozenset({Door.ADMIN, Door.BULK}),
    needs=frozenset({Need.ASSIGNED}),
    icon="person_add",
)
AUTO_ASSIGN = Verb(
    name="auto_assign",
    label="Auto-assign",
    doing="Auto-assign {}",
    done="Auto-assigned {}",
    passive="offered to anybody",
    help="Offers the task to the agent that fits best.",
    in_api="Managers only, in projects of any mode. If nobody is found, `agent` is null. Repeating it is safe.",
    sources=frozenset({Status.NOT_STARTED}),
    right="assign",
    doors=frozenset({Door.API, Door.PAGE}),
    needs=frozenset({Need.READY, Need.NOBODY_ASSIGNED}),
    icon="person_add",
    tag="assignment",
    answer=Answer.DECISION,
)
AUTO_ASSIGN_MANY = Verb(
    name="auto_assign",
    label="Auto-assign",
    doing="Auto-assign {}",
    done="Offered {}",
    passive="offered to anybody",
    help="Matches the tasks together and offers each to the agent that fits best.",
    in_api=MANAGERS,
    on=On.MANY,
    sources=frozenset({Status.NOT_STARTED}),
    right="assign",
    doors=frozenset({Door.ADMIN, Door.BULK}),
    needs=frozenset({Need.READY, Need.NOBODY_ASSIGNED}),
    confirm=True,
    icon="person_add",
)
UNASSIGN = Verb(
    name="unassign",
    label="Unassign",
    doing="Unassign {}",
    done="Unassigned {}",
    passive="unassigned",
    help="An agent that is working on the task loses its run.",
    in_api=MANAGERS,
    sources=OPEN,
    right="unassign",
    fields=(
        Agents(
            name="agents",
            label="Agents",
            help="Slugs.",
            explicit=True,
            missing="Choose at least one agent.",
        ),
        _ASSIGNMENT_NOTE,
    ),
    doors=frozenset({Door.API, Door.BULK}),
    icon="person_add",
    example={"agents": ["atlas"]},
)
DECLINE = Verb(
    name="decline",
    label="Decline",
    doing="Decline {}",
    done="Declined {}",
    passive="declined",
    help="The task goes to somebody else and will not be offered to you again.",
    in_api="For an assignee, before the task is started.",
    sources=frozenset({Status.NOT_STARTED}),
    fields=(
        Text(
            name="reason",
            label="Reason",
            required=True,
            missing="Say why, so that the next choice is better.",
            most=10_000,
            lines=3,
        ),
    ),
    doors=frozenset({Door.API, Door.PAGE}),
    needs=frozenset({Need.ASSIGNEE}),
    icon="back",
    tag="assignment",
    example={"reason": "Needs access that I do not have."},
)
ADD_DEPENDENCIES = Verb(
    name="add_dependencies",
    label="Add dependencies",
    doing="Add dependencies to {}",
    done="Added dependencies to {}",
    passive="made to wait for others",
    help="The task waits until all of these are completed.",
    sources=OPEN,
    right="edit_dependencies",
    fields=(Tasks(name="depends_on", label="Waits for", help="Refs of tasks in the same project.", required=True),),
    doors=frozenset({Door.API}),
    icon="link",
    regular=False,
    example={"depends_on": ["OPS-1"]},
)
REMOVE_DEPENDENCIES = Verb(
    name="remove_dependencies",
    label="Remove dependencies",
    doing="Remove dependencies of {}",
    done="Removed dependencies of {}",
    passive="made to wait for less",
    sources=frozenset(Status),
    right="edit_dependencies",
    fields=ADD_DEPENDENCIES.fields,
    doors=frozenset({Door.API}),
    icon="link",
    regular=False,
    example={"depends_on": ["OPS-1"]},
)
