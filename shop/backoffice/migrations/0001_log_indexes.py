"""Indexes over Django's log of the admin, which is the operators' log: by what was done to which
row, by its name, and by when. The table is Django's, so no model of ours has them."""

from django.db import migrations

TABLE = "django_admin_log"
INDEXES = {
    # Ids are text of any length there: MySQL and MariaDB index so much of it.
    "log_of_row": {
        "mysql": "(content_type_id, object_id(40))",
        "sqlite": "(content_type_id, object_id)",
    },
    "log_by_name": {"mysql": "(object_repr)", "sqlite": "(object_repr)"},
    "log_by_time": {"mysql": "(action_time)", "sqlite": "(action_time)"},
}


def add(_apps, schema_editor):
    """Those that are not there: where DDL can't be rolled back, this may have died in the middle."""
    database = schema_editor.connection
    with database.cursor() as cursor:
        there = database.introspection.get_constraints(cursor, TABLE)
    for name, columns in INDEXES.items():
        if name not in there:
            schema_editor.execute(f"CREATE INDEX {name} ON {TABLE} {columns[database.vendor]}")


def remove(_apps, schema_editor):
    on = ""
    if schema_editor.connection.vendor == "mysql":
        on = f" ON {TABLE}"
        # The foreign key has lost its own index to one of ours that begins with its column.
        schema_editor.execute(f"CREATE INDEX log_of_kind{on} (content_type_id)")
    for name in INDEXES:
        schema_editor.execute(f"DROP INDEX {name}{on}")


class Migration(migrations.Migration):
    initial = True
    dependencies = [("admin", "0003_logentry_add_action_flag_choices")]
    operations = [migrations.RunPython(add, remove, atomic=False)]
