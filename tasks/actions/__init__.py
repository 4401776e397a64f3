"""The verbs: one function each, called by every door. The only writers of task state.

Each opens a transaction, loads what it needs, asks ``may``, asks the table, changes rows by conditional UPDATE,
records events and rings the bell on commit. Lock order, so that verbs never deadlock:
agent, project, run, task (by id), everything else. Rows are locked ``FOR NO KEY UPDATE``: the stronger lock would
wait for a transaction that inserted a row referring to this one, such as an event, while that one waits for us.
"""
