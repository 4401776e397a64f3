"""What several migrations do with indexes."""

from django.db import migrations


class WithoutIndex(migrations.AlterField):
    """Drop the index of a foreign key, and nothing else.

    Django would copy the whole table for that on SQLite, and on PostgreSQL drop every index over that column alone that
    is not among the model's ``indexes``: those of conditional unique constraints too.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.name)
        if field.db_index:
            schema_editor.execute(schema_editor._create_index_sql(model, fields=[field]))
        else:
            name = schema_editor._create_index_name(model._meta.db_table, [field.column])
            schema_editor.execute(f"DROP INDEX IF EXISTS {schema_editor.quote_name(name)}")
