"""The catalogue of verbs: each verb's names, input and doors. Every door is made from it.

A verb is defined in three places: its move in ``tasks.transitions`` (if it moves a status), its declaration in
``catalogue``, and its function in ``tasks.actions``, bound to the declaration by ``@verb(catalogue.APPROVE)``. The
binding checks the function's input, so that every door refuses the same input in the same words.

Imports nothing from this project but the table and the errors.
"""

from tasks.verbs.declaration import Answer, Door, Need, On, Verb

__all__ = ["Answer", "Door", "Need", "On", "Verb"]
