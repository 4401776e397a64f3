"""Notifications: for one person or agent, made from events by rules, never twice, never lost."""
