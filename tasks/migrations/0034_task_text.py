"""The words of tasks for full-text search, the index over them, and the words of the tasks that there are.

FTS5's tokenizer ``ascii`` splits at the spaces that we have put, and takes every other character as it is: the words
are made alike for all databases by ``tasks.search.words``, without case and accents.
"""

import django.db.models.deletion
from django.db import migrations, models

from tasks.batches import batches
from tasks.search.keeping import BATCH, rebuild

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


def fill(apps, schema_editor):
    task, text = apps.get_model("tasks", "Task"), apps.get_model("tasks", "TaskText")
    for ids in batches(task._default_manager.order_by("pk").values_list("pk", flat=True), BATCH):
        rebuild(ids, task=task, text=text)


class Migration(migrations.Migration):
    dependencies = [("tasks", "0033_invitation_links")]

    operations = [
        migrations.CreateModel(
            name="TaskText",
            fields=[
                (
                    "task",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="text",
                        serialize=False,
                        to="tasks.task",
                    ),
                ),
                ("words", models.TextField(help_text="See `tasks.search.words.kept_words`.")),
            ],
        ),
        migrations.RunPython(make_index, drop_index),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
