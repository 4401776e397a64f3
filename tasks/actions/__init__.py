"""The verbs: one function each, called by every door. The only writers of task state.

Each opens a transaction, loads what it needs, asks ``may``, asks the table, changes rows by conditional UPDATE,
records events and rings the bell on commit. Lock order, so that verbs never wait for each other in a circle:
agent, project, run, task (by id), everything else.
"""
