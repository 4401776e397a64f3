"""The door for agents: REST over the verbs. Views load what is addressed, call one verb and show its result."""
