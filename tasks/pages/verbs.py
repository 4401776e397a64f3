"""The buttons of the task page: which verbs the user may use now, each with the form for its input."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from tasks.errors import DomainError, Invalid
from tasks.models import Task
from tasks.using.forms import InputForm
from tasks.using.openness import Scene
from tasks.using.placing import Place, place_card
from tasks.using.posting import posted_verb, press, sentence
from tasks.verbs import Door, On, Verb
from tasks.verbs.fields import LineComments

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass
class Offer:
    """An open verb and its form, filled with the posted input if that was refused."""

    verb: Verb
    form: InputForm
    is_refused: bool = False
    of_run: bool = False

    @property
    def is_of_run(self) -> bool:
        return self.of_run or self.verb.on is On.RUN

    @property
    def takes_comments(self) -> bool:
        """Whether comments on lines of artifacts, which are collected beforehand, go with it."""
        return any(isinstance(field, LineComments) for field in self.verb.fields)

    @property
    def is_simple(self) -> bool:
        """Whether one click is enough."""
        return not self.form.fields and not self.verb.confirm


def offers_of(scene: Scene, refused: Any = None) -> list[Offer]:
    """The buttons for the actor, in the order of the catalogue, those that end something last.

    ``refused``: the posted verb that was refused.
    """
    posted = posted_verb(Door.PAGE, refused.get("verb", ""), refused) if refused else None
    return [
        Offer(verb, _form(verb, scene, refused if verb is posted else None), verb is posted)
        for verb in sorted(scene.open_verbs(Door.PAGE), key=lambda verb: verb.danger)
        if verb.on in (On.TASK, On.RUN)
    ]


def _form(verb: Verb, scene: Scene, data: Any) -> InputForm:
    return InputForm(verb, scene.task, data, people=scene.people if verb.person else ())


def use_posted(user: "User", task: Task, data: Any) -> tuple[bool, str]:
    """Use the posted ``verb``; returns whether it was done, and a sentence about the outcome.

    With a ``group``, a card was dropped in one of the board's lanes: see ``placing``.
    """
    verb = posted_verb(Door.PAGE, data.get("verb", ""), data)
    try:
        if data.get("group"):
            return True, _place(user, task, verb, data)
        return True, press(verb, actor=user, task=task, data=data)
    except DomainError as error:
        return False, sentence(error, verb)


def _place(user: "User", task: Task, verb: Verb | None, data: Any) -> str:
    given = {name: data.get(name, "").strip() for name in ("group", "status", "lane", "came_from", "base")}
    place = Place(**{name: text.replace("\x00", "") for name, text in given.items()})
    if verb is None and (data.get("verb") or not place.is_other_lane):
        raise Invalid({"verb": "There is no such button."})
    return place_card(actor=user, task=task, place=place, verb=verb, data=data, now=timezone.localtime())
