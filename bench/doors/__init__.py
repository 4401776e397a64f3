"""Yardsticks behind the same door as ours: HTTP, a token, JSON answers with the same fields, facts in the database.

``same_facts`` says how fast these facts can be written at all; ``behind_procrastinate`` what a job queue reaches once
it does what a server for agents has to do. Neither knows rules: no roles, capacity, skills, limits, dependencies.
"""
