"""The standing cast is at hand in the tests of every app."""

pytest_plugins = ["tasks.tests.cast"]
