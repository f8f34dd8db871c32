"""Writing the log of files. Each export and import is also in the operators' log."""

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import transaction

from shop.accounts.models import User
from shop.operators_log import log
from shop.transfers.models import Transfer


@transaction.atomic
def export_begin(*, operator: User, what: str, file_format: str, asked: str) -> Transfer:
    """Logs that `operator` takes `what` out of the shop, before the first row has left it."""
    begun = Transfer.objects.create(
        operator=operator,
        direction=Transfer.Direction.EXPORT,
        what=what,
        file_format=file_format,
        asked=asked,
    )
    log(operator, [begun], ADDITION, f"Export of {what} as {file_format}: {asked}")
    return begun


@transaction.atomic
def export_end(export: Transfer, *, rows: int, is_whole: bool) -> None:
    """Logs how many rows have left, and whether those were all."""
    export.rows = rows
    export.state = Transfer.State.DONE if is_whole else Transfer.State.BROKEN
    export.save(update_fields=["rows", "state"])
    said = "done" if is_whole else "broken off"
    log(export.operator, [export], CHANGE, f"Export of {export.what} {said}: {rows} rows")


def import_log(*, operator: User, what: str, file_format: str, asked: str, rows: int) -> Transfer:
    """Logs an import, in the transaction that carries it out."""
    done = Transfer.objects.create(
        operator=operator,
        direction=Transfer.Direction.IMPORT,
        what=what,
        file_format=file_format,
        asked=asked,
        rows=rows,
        state=Transfer.State.DONE,
    )
    log(operator, [done], ADDITION, f"Import of {what} from {asked}: {rows} rows changed")
    return done
