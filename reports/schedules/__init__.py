"""Saved reports by mail: their times, who keeps them, and the engine that sends them."""
