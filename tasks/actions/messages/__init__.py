"""What people and agents say to each other."""

from tasks.actions.messages.answering import ack_message, withdraw_message
from tasks.actions.messages.editing import edit_message, react, take_back_reaction
from tasks.actions.messages.elsewhere import post_direct, post_in_channel
from tasks.actions.messages.posting import post_message

__all__ = [
    "ack_message",
    "edit_message",
    "post_direct",
    "post_in_channel",
    "post_message",
    "react",
    "take_back_reaction",
    "withdraw_message",
]
