"""Model fields that mean the same on every database."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class ExactCharField(models.CharField):  # type: ignore[type-arg]  # not generic at run time
    """Text that is equal only to itself.

    MySQL's usual collations call "a" and "A" (and "é") the same, which a unique index would then
    refuse; SQLite does not. For keys and codes the difference is an oversold or a lost order.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
