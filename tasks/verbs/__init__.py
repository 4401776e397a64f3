"""The catalogue of verbs: what each is called, what it takes, where it may be used. Every door is made from it.

A verb is written in three places: its move in ``tasks.transitions`` (where it moves a status), its declaration in
``catalogue``, and its function in ``tasks.actions``, which ``@verb(catalogue.APPROVE)`` binds to the declaration. The
binding checks what the function is given, so that every door refuses the same input in the same words.

Imports nothing of ours but the table and the errors.
"""

from tasks.verbs.declaration import Answer, Door, Need, On, Verb

__all__ = ["Answer", "Door", "Need", "On", "Verb"]
