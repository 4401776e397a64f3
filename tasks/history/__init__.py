"""The history of tasks, ``StatusInterval`` and ``Episode``: a projection of the events.

``facts`` says what events tell for it, ``line`` what an event does to the history of its task, ``keeping`` writes that
in the transaction of the events.
"""
