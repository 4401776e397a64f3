"""The history of tasks, ``StatusInterval`` and ``Episode``: a projection of the events.

``facts`` says what events tell for it, ``telling`` what a single one says, ``line`` what it does to the history of its
task; ``keeping`` writes that in the transaction of the events.
"""
