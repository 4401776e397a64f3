"""Projects, their members, and agents."""

from tasks.events.declaration import FLAG, NUMBER, TEXT, Datum, Kind, Said
from tasks.events.kinds.shared import FIELDS

_MEMBER = Datum(TEXT, "Slug or username of the member.")
_ROLE = Datum(TEXT, "The member's role from now on.")

PROJECT_CREATED = Kind(
    "project.created",
    "A project was created.",
    data={"name": Datum(TEXT, "Its name; untrusted.")},
    says=Said("created the project", "plus"),
    wakes_matching=True,
)
PROJECT_EDITED = Kind(
    "project.edited",
    "Rules of a project changed.",
    data={"fields": FIELDS},
    says=Said("changed {changed} of the project", "edit"),
    brings_work=True,
    wakes_matching=True,
)
AGENT_EDITED = Kind(
    "agent.edited",
    "Fields or skills of an agent changed; recorded in each of its projects.",
    # What it could do at any time in the past is told backwards, from what it can do now.
    data={
        "fields": FIELDS,
        "enabled_before": Datum(FLAG, "If that changed: whether it was enabled.", optional=True),
        "availability_before": Datum(TEXT, "If that changed: `available` or `paused`.", optional=True),
        "max_concurrent_before": Datum(NUMBER, "If that changed: its capacity.", optional=True),
        "working_hours_before": Datum(TEXT, "If they changed: its working hours.", optional=True),
        "time_zone_before": Datum(TEXT, "If that changed: the zone of its working hours.", optional=True),
    },
    says=Said("changed {changed} of {agent}", "edit"),
    brings_work=True,
    wakes_matching=True,
)
AGENT_AVAILABILITY_CHANGED = Kind(
    "agent.availability_changed",
    "An agent was paused or made available again; recorded in each of its projects.",
    data={"availability": Datum(TEXT, "`available` or `paused`.")},
    says=Said("set {agent} to {availability}", "edit"),
    wakes_matching=True,
)
MEMBER_ADDED = Kind(
    "member.added",
    "Somebody became a member of a project.",
    data={"member": _MEMBER, "role": _ROLE},
    says=Said("added {member} as {role}", "person_add"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_INVITED = Kind(
    "member.invited",
    "Somebody was invited to a project; whoever has the name that was written, if anyone.",
    data={
        "member": Datum(TEXT, "The name that was written; untrusted."),
        "role": Datum(TEXT, "The role they would have."),
    },
    says=Said("invited {member} as {role}", "person_add"),
    notifies={"invited": "{who} invites {member} to {project} as {role}."},
)
MEMBER_JOINED = Kind(
    "member.joined",
    "An invitation was accepted: by the person, also by a link, or by whoever owns the LLM agent.",
    data={"member": _MEMBER, "role": _ROLE},
    says=Said("accepted the invitation of {member} as {role}", "person_add"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_INVITATION_DECLINED = Kind(
    "member.invitation_declined",
    "An invitation was declined; not said by whom, since the project need not know who owns an agent.",
    data={"member": Datum(TEXT, "The name that was written; untrusted.")},
    says=Said("The invitation of {member} was declined", "person_add"),
)
MEMBER_INVITATION_WITHDRAWN = Kind(
    "member.invitation_withdrawn",
    "An invitation was withdrawn.",
    data={"member": Datum(TEXT, "The name that was written; untrusted.")},
    says=Said("withdrew the invitation of {member}", "person_add"),
)
MEMBER_LINK_MADE = Kind(
    "member.link_made",
    "A link was made by which whoever has it joins the project.",
    data={"role": Datum(TEXT, "The role they would have."), "once": Datum(FLAG, "Whether it is for one person.")},
    says=Said("made an invitation link for a {role}", "person_add"),
)
MEMBER_LINK_REVOKED = Kind(
    "member.link_revoked",
    "A link to join the project was revoked.",
    data={"role": Datum(TEXT, "The role it would have given.")},
    says=Said("revoked an invitation link for a {role}", "person_add"),
)
MEMBER_ROLE_CHANGED = Kind(
    "member.role_changed",
    "The role of a member changed.",
    data={"member": _MEMBER, "role": _ROLE},
    says=Said("made {member} a {role}", "person_add"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_PAUSED = Kind(
    "member.paused",
    "A manager paused an agent in the project: it keeps what it works on and takes nothing more there.",
    data={"member": _MEMBER},
    says=Said("paused {member} in the project", "pause"),
    wakes_matching=True,
)
MEMBER_RESUMED = Kind(
    "member.resumed",
    "An agent that was paused in the project may take work there again.",
    data={"member": _MEMBER},
    says=Said("let {member} take work again", "play"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_REMOVED = Kind(
    "member.removed",
    "Somebody is no longer a member of a project.",
    # While an agent is in no project, nothing is recorded of what changes.
    data={
        "member": _MEMBER,
        "enabled": Datum(FLAG, "Of an agent: whether it was enabled.", optional=True),
        "availability": Datum(TEXT, "Of an agent: `available` or `paused`.", optional=True),
        "max_concurrent": Datum(NUMBER, "Of an agent: its capacity.", optional=True),
        "working_hours": Datum(TEXT, "Of an agent: its working hours.", optional=True),
        "time_zone": Datum(TEXT, "Of an agent: the zone of its working hours.", optional=True),
    },
    says=Said("removed {member} from the project", "person_add"),
    wakes_matching=True,
)
