"""How somebody likes the board: which columns and lanes are folded, and whether cards are small. Kept with their
profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from taskproject.errors import Invalid
from taskproject.strict_json import unstorable
from tasks.models import Profile
from tasks.pages.board_lanes import LANES
from tasks.pages.returning import way_back
from tasks.transitions import Status

#: Folded unless the reader opens them.
RARELY_OPENED: Final = (Status.FAILED, Status.CANCELLED)
#: Where tasks are added, so it stays open when it is empty.
_NEVER_BY_ITSELF: Final = Status.NOT_STARTED
FOLD, UNFOLD, COMPACT, FULL = "fold", "unfold", "compact", "full"
FOLD_LANE, UNFOLD_LANE = "fold_lane", "unfold_lane"
#: Folded lanes that are remembered, the last ones folded, and characters of one.
MOST_LANES: Final = 200
LONGEST_LANE: Final = 150
#: With this header the choice is answered without a page.
QUIETLY: Final = "choice"


@dataclass(frozen=True)
class BoardChoices:
    """``folded``: of each column that the reader folded or opened by hand, whether it is folded. ``lanes``: those that
    are folded, as ``GROUP:KEY``.
    """

    is_compact: bool = False
    folded: Mapping[str, bool] = field(default_factory=dict)
    lanes: tuple[str, ...] = ()

    def folds(self, status: Status, *, is_empty: bool) -> bool:
        """Whether the column is folded: as chosen, else if it is rarely opened or has nothing to show."""
        if status.value in self.folded:
            return self.folded[status.value]
        return status in RARELY_OPENED or (is_empty and status != _NEVER_BY_ITSELF)


def read_choices(user: User) -> BoardChoices:
    """What ``user`` chose; whatever is not understood counts as not chosen."""
    stored = Profile.objects.filter(user=user).values_list("board", flat=True).first()
    return _understood(stored)


def choose(user: User, choice: str) -> None:
    """Keep one choice: ``compact``, ``full``, ``fold:STATUS``, ``unfold:STATUS``, ``fold_lane:GROUP:KEY`` or
    ``unfold_lane:GROUP:KEY``. Raises ``Invalid``.
    """
    name, _, what = choice.partition(":")
    is_known = (
        (name in (COMPACT, FULL) and not what)
        or (name in (FOLD, UNFOLD) and what in Status.values)
        or (name in (FOLD_LANE, UNFOLD_LANE) and _is_lane(what))
    )
    if not is_known:
        raise Invalid({"choose": "The board has no such choice."})
    with transaction.atomic():
        # Two choices at once are both kept: the row is locked while it is read and written.
        Profile.objects.get_or_create(user=user)
        profile = Profile.objects.select_for_update().get(user=user)
        chosen = _understood(profile.board)
        folded, lanes = dict(chosen.folded), [lane for lane in chosen.lanes if lane != what]
        if name in (FOLD, UNFOLD):
            folded[what] = name == FOLD
        if name == FOLD_LANE:
            lanes.append(what)
        compact = name == COMPACT if not what else chosen.is_compact
        profile.board = {"compact": compact, "folded": folded, "lanes": lanes[-MOST_LANES:]}
        profile.save(update_fields=["board"])


def _is_lane(text: str) -> bool:
    return text.partition(":")[0] in LANES and len(text) <= LONGEST_LANE and not unstorable(text)


def _understood(stored: Any) -> BoardChoices:
    if not isinstance(stored, dict):
        return BoardChoices()
    folded = stored.get("folded")
    known = folded if isinstance(folded, dict) else {}
    lanes = stored.get("lanes")
    return BoardChoices(
        stored.get("compact") is True,
        {name: value for name, value in known.items() if name in Status.values and isinstance(value, bool)},
        tuple(each for each in lanes if isinstance(each, str)) if isinstance(lanes, list) else (),
    )


@require_POST
@login_required
def choose_board(request: HttpRequest) -> HttpResponse:
    """Keep the posted choice for whoever sends it, then lead back to the board; see ``choose``."""
    user: Any = request.user
    try:
        choose(user, request.POST.get("choose", ""))
    except Invalid as mistake:
        return HttpResponse(mistake.sentence, status=400, content_type="text/plain; charset=utf-8")
    if request.headers.get("X-Requested-With") == QUIETLY:
        return HttpResponse(status=204)
    return HttpResponseRedirect(way_back(request) or reverse("board"))
