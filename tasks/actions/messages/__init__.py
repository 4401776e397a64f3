"""What people and agents say to each other."""

from tasks.actions.messages.posting import post_message

__all__ = ["post_message"]
