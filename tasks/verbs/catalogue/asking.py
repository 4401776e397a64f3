"""The verbs of questions: what a run asks, what people answer, and what is taken back."""

from dataclasses import replace
from typing import Final

from tasks.questions.shapes import DESCRIPTION_MOST, KINDS, LABEL_MOST, OPTIONS_MOST, PROMPT_MOST
from tasks.transitions import Status
from tasks.verbs.catalogue.shared import ACKNOWLEDGED, note
from tasks.verbs.declaration import Answer, Door, On, Verb
from tasks.verbs.fields import Choice, Field, Flag, Json, JsonObject, Records, Text, Whole

#: The most questions in one ask.
QUESTIONS_MAX = 4
#: The longest time that a question has: ninety days.
EXPIRES_AFTER_MAX = 90 * 24 * 3600
ON_EXPIRY: Final = ("keep", "default", "escalate", "fail")


def not_by_hand(*fields: Field) -> tuple[Field, ...]:
    """The same fields; no form shows them, since programs ask."""
    return tuple(replace(field, by_hand=False) for field in fields)


_PROMPT = "What you need to know, in Markdown. Say what each answer leads to."
#: The fields of one question.
QUESTION_PARTS: Final[tuple[Field, ...]] = (
    Text(name="prompt", label="Question", help=_PROMPT, required=True, missing="Ask something.", most=PROMPT_MOST),
    Choice(name="kind", label="Kind", help="What kind of answer (default: text).", choices=KINDS),
    Records(
        name="options",
        label="Options",
        help="Of a choice.",
        most=OPTIONS_MOST,
        parts=(
            Text(name="label", label="Label", required=True, most=LABEL_MOST),
            Text(name="description", label="Description", most=DESCRIPTION_MOST),
            Flag(name="recommended", label="Recommended"),
        ),
    ),
    Flag(name="multi", label="Several", help="Whether several options may be chosen; the answer is a list."),
    Flag(name="strict", label="Options only", help="Whether only the options may be chosen, no other text."),
    JsonObject(
        name="schema",
        label="Form",
        help="Of a form: a flat JSON Schema of an object, its `properties` strings, numbers, integers and booleans.",
    ),
    Json(name="default", label="Default", help="Its answer if nobody gives one; must be a valid one."),
    Text(
        name="to",
        label="To",
        help="Slug or username of a member, or `worker`, `reviewer` or `manager`; else everyone who may answer.",
        most=150,
    ),
    Choice(name="urgency", label="Urgency", help="Default: normal.", choices=("low", "normal", "high", "urgent")),
)
#: The same at the top of an ask that has only one question.
_AT_THE_TOP = (
    Text(name="prompt", label="Question", help="Of the only question, as the other fields of one.", most=PROMPT_MOST),
    *QUESTION_PARTS[1:],
)

ASK = Verb(
    name="ask",
    label="Ask",
    doing="Ask about {}",
    done="Asked about {}",
    passive="asked about",
    help="Asks people one to four questions, each answered by its id and in any order.",
    in_api="With `park` the run ends without costing an attempt and the task waits; once its last open question has "
    "an answer you can claim it again, with the answers in `context`. Else the run goes on, and each answer is a "
    "directive of kind `answer`.",
    on=On.RUN,
    row="ask",
    fields=not_by_hand(
        Records(
            name="questions",
            label="Questions",
            help=f"At most {QUESTIONS_MAX}; or the fields of one at the top.",
            most=QUESTIONS_MAX,
            parts=QUESTION_PARTS,
        ),
        *_AT_THE_TOP,
        Whole(
            name="expires_in_seconds",
            label="Expires in seconds",
            help="How long you wait for people (default: as long as it takes).",
            least=1,
            most=EXPIRES_AFTER_MAX,
        ),
        Choice(
            name="on_expiry",
            label="On expiry",
            help="`keep` it open, take its `default` as the answer, `escalate` to the managers, or `fail` the attempt.",
            choices=ON_EXPIRY,
        ),
        Text(
            name="dedupe_key",
            label="Key",
            help="Asking again with the same key about the task gives the questions that were asked with it.",
            most=200,
        ),
        Whole(
            name="version",
            label="Version",
            help="The task's version that they are about; once the task is edited, an answer is refused as superseded.",
            least=1,
        ),
        Text(
            name="artifact",
            label="Artifact",
            help="SHA-256 of the artifact that they are about; once replaced, an answer is refused as superseded.",
            most=64,
        ),
        Flag(name="park", label="Park", help="Whether to end the run and wait for the answers.", default=False),
        JsonObject(name="checkpoint", label="Checkpoint", help="What the next run needs."),
        ACKNOWLEDGED,
    ),
    doors=frozenset({Door.API}),
    icon="waiting",
    tag="questions",
    answer=Answer.ASKED,
    example={
        "prompt": "Which key may I rotate first?",
        "kind": "choice",
        "options": [
            {"label": "Staging", "description": "Nobody notices.", "recommended": True},
            {"label": "Production"},
        ],
        "to": "manager",
        "park": True,
        "checkpoint": {"step": 3},
    },
)
_VALUE = Json(
    name="value",
    label="Answer",
    help="Text; of a choice the label, with `multi` a list of labels; of confirm true or false; of a form an object.",
    required=True,
    missing="Give an answer.",
)
_ANSWER_NOTE = note("What else the agent should know.", most=2_000)
ANSWER = Verb(
    name="answer",
    label="Answer",
    doing="Answer {}",
    done="Answered {}",
    passive="answered",
    help="The first answer wins; the same one again is no second answer.",
    in_api="People whom the question is for, and managers; an LLM agent only what is addressed to it by name. "
    "Nobody answers their own question.",
    on=On.QUESTION,
    row="answer",
    fields=(_VALUE, _ANSWER_NOTE),
    doors=frozenset({Door.API}),
    icon="check",
    tag="questions",
    answer=Answer.QUESTION,
    regular=False,
    example={"value": "Staging", "note": "Production on Monday."},
)
ANSWER_MANY = Verb(
    name="answer_many",
    label="Answer",
    doing="Answer {}",
    done="Answered {}",
    passive="answered",
    help="Each independently: a refused one carries its `problem`, the others are answered.",
    on=On.MANY,
    row="answer",
    doors=frozenset({Door.API}),
    icon="check",
    tag="questions",
    regular=False,
)
WITHDRAW_QUESTION = Verb(
    name="withdraw",
    label="Withdraw",
    doing="Withdraw {}",
    done="Withdrew {}",
    passive="continued without an answer",
    help="Nobody needs to answer it any more. A task that waited for it alone can be claimed again.",
    in_api="The agent that asked, and managers.",
    on=On.QUESTION,
    row="withdraw",
    fields=(note("Why.", most=2_000),),
    doors=frozenset({Door.API}),
    icon="back",
    tag="questions",
    answer=Answer.QUESTION,
    regular=False,
    operation="withdraw_question",
)
#: The statuses in which a question may be open.
ASKED_IN: Final = frozenset({Status.NOT_STARTED, Status.IN_PROGRESS, Status.WAITING})
