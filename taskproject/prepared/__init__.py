"""Statements that the ORM compiles only once, run as prepared statements.

A function that builds a queryset from named parameters becomes a statement (``querysets.prepared``)::

    @prepared
    def pool(project, now, *, most):
        return Task.objects.ready(now).filter(project=project)[:most]

    pool.all(project=7, now=now, most=3)

The first call runs the function with placeholders; its SQL and what turns rows into instances are kept. So the ORM
stays the only definition of *ready* or *active*, and most calls cost neither compiling nor, on PostgreSQL, planning.
``together`` lets the writes of a transaction wait for each other and go as one statement.
"""
