"""The live stream: one reader of the events per process, and everyone who follows it over sockets or SSE."""
