"""The data, by concern."""

from tasks.models.agent import Agent, AgentKind, AgentSkill, AgentToken, Availability, Skill
from tasks.models.artifact import Artifact, ArtifactKind, ReviewComment
from tasks.models.decision import AssignmentDecision, DecisionMode
from tasks.models.event import Event
from tasks.models.follow_up import FollowUp, FollowUpState
from tasks.models.history import (
    AskedQuestion,
    AssignmentStep,
    AssignmentStepKind,
    Credit,
    Episode,
    EpisodeEnd,
    LabelOfSet,
    LabelSet,
    StatusInterval,
    TimeSource,
    WaitReason,
)
from tasks.models.invitation import Invitation, InvitationEnd
from tasks.models.invitation_link import InvitationLink
from tasks.models.link import QuestionLink
from tasks.models.message import (
    DIRECTIVES,
    DirectiveState,
    Mention,
    Message,
    MessageEdit,
    MessageKind,
    Reaction,
)
from tasks.models.profile import Profile, Theme
from tasks.models.project import AssignmentMode, Label, Membership, Project, Role
from tasks.models.question import OnExpiry, Question, QuestionKind, QuestionState
from tasks.models.run import Review, Run, RunStatus, Verdict
from tasks.models.saved_view import SavedView, ViewPlace
from tasks.models.search import TaskText
from tasks.models.service import EngineState, ServerState
from tasks.models.task import (
    Assignment,
    AssignmentEnd,
    AssignmentSource,
    Dependency,
    Priority,
    RequiredSkill,
    Task,
    TaskLink,
    counting,
)

__all__ = [
    "DIRECTIVES",
    "Agent",
    "AgentKind",
    "AgentSkill",
    "AgentToken",
    "Artifact",
    "ArtifactKind",
    "AskedQuestion",
    "Assignment",
    "AssignmentDecision",
    "AssignmentEnd",
    "AssignmentMode",
    "AssignmentSource",
    "AssignmentStep",
    "AssignmentStepKind",
    "Availability",
    "Credit",
    "DecisionMode",
    "Dependency",
    "DirectiveState",
    "EngineState",
    "Episode",
    "EpisodeEnd",
    "Event",
    "FollowUp",
    "FollowUpState",
    "Invitation",
    "InvitationEnd",
    "InvitationLink",
    "Label",
    "LabelOfSet",
    "LabelSet",
    "Membership",
    "Mention",
    "Message",
    "MessageEdit",
    "MessageKind",
    "OnExpiry",
    "Priority",
    "Profile",
    "Project",
    "Question",
    "QuestionKind",
    "QuestionLink",
    "QuestionState",
    "Reaction",
    "RequiredSkill",
    "Review",
    "ReviewComment",
    "Role",
    "Run",
    "RunStatus",
    "SavedView",
    "ServerState",
    "Skill",
    "StatusInterval",
    "Task",
    "TaskLink",
    "TaskText",
    "Theme",
    "TimeSource",
    "Verdict",
    "ViewPlace",
    "WaitReason",
    "counting",
]
