"""Dashboards: who keeps them, and what they show."""
