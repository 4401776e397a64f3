"""Webhooks: a project's events, signed and sent to addresses outside."""
