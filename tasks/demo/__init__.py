"""The demo: a project with a plan, and agents that work on it as real clients of the API.

``client`` and ``worker`` import nothing from Django or this project: like any agent, they know only a URL and a token.
"""
