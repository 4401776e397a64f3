"""The project's settings with one more view: the yardstick of the reads, under the same middleware and server."""

from taskproject.settings import *  # noqa: F403

ROOT_URLCONF = "bench.bare_urls"
