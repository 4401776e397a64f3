"""The demo: a project with a plan, and agents that work on it as real clients of the API.

``client`` and ``worker`` import nothing of Django or of this project: they know a URL and a token, as any agent does.
"""
