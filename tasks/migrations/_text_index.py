"""The full-text index over the words of tasks.

FTS5's tokenizer ``ascii`` splits at the spaces that we have put, and takes every other character as it is: the words
are made alike for all databases by ``tasks.search.words``, without case and accents.
"""

# detail and columnsize: only which words a task has is asked; prefix: words that are not finished.
SQLITE = (
    """
    CREATE VIRTUAL TABLE tasks_text_index USING fts5(
        words, content='tasks_tasktext', content_rowid='task_id',
        tokenize='ascii', prefix='1 2 3', detail='none', columnsize=0
    )
    """,
    """
    CREATE TRIGGER tasks_text_added AFTER INSERT ON tasks_tasktext BEGIN
        INSERT INTO tasks_text_index(rowid, words) VALUES (new.task_id, new.words);
    END
    """,
    """
    CREATE TRIGGER tasks_text_removed AFTER DELETE ON tasks_tasktext BEGIN
        INSERT INTO tasks_text_index(tasks_text_index, rowid, words) VALUES ('delete', old.task_id, old.words);
    END
    """,
    """
    CREATE TRIGGER tasks_text_changed AFTER UPDATE ON tasks_tasktext BEGIN
        INSERT INTO tasks_text_index(tasks_text_index, rowid, words) VALUES ('delete', old.task_id, old.words);
        INSERT INTO tasks_text_index(rowid, words) VALUES (new.task_id, new.words);
    END
    """,
)
# The same words; what stands between texts is none.
POSTGRESQL = (
    """
    ALTER TABLE tasks_tasktext ADD COLUMN vector tsvector NOT NULL
        GENERATED ALWAYS AS (array_to_tsvector(string_to_array(btrim(replace(words, ' |', '')), ' '))) STORED
    """,
    "CREATE INDEX tasks_text_index ON tasks_tasktext USING gin (vector)",
)


def make_index(apps, schema_editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TABLE tasks_text_index")
