"""Two servers and two engines on a PostgreSQL and a Redis of their own, killed and restarted at random under load.

Six writers keep a ledger of what was acknowledged, six followers (two sockets, two event streams, two long polls) keep
what they received. In the end the ledger and the followers are compared with the database. ``python -m bench chaos``.
"""
