"""The API of events and notifications."""
