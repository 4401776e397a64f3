"""The live stream: one reader of the events in each process, and everyone who follows it over sockets or SSE."""
