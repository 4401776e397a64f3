"""The conventions that every endpoint keeps: JSON, errors, pages, limits, one effect per key. Imports no app."""
