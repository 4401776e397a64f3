"""Callers that wait for work to claim or for events to read. They hold no thread; a room keeps their places."""
