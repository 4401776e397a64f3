"""The project's settings plus one view: the yardstick for reads, under the same middleware and server."""

from taskproject.settings import *  # noqa: F403

ROOT_URLCONF = "bench.bare_urls"
