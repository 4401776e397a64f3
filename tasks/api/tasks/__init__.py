"""Tasks as resources, and the verbs that are used on one task."""
