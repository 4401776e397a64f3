"""Tasks as resources, and the verbs on a single task."""
