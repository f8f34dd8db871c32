"""Carrying out a file: what was shown, all of it or nothing, through `goods.services`."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _

from goods import services
from goods.imports.planning import Change, Plan, Row, goods_of, plan_of
from goods.imports.reading import Line
from goods.models import Category, Goods, Sku
from goods.services import NewSku
from shop.accounts.models import User
from shop.errors import Refusal
from shop.transactions import is_duplicate, run
from shop.transfers.services import import_log


class NotAsShown(Refusal):
    """What the file would change now is not what was shown."""

    status, code = 409, "not_as_shown"
    detail = _("The shop has changed since this was shown. Nothing was imported: look again.")


@dataclass(frozen=True, slots=True)
class File:
    """A file that was read, and who it is in the log."""

    lines: list[Line]
    name: str
    sha256: str
    file_format: str


@dataclass(frozen=True, slots=True)
class Imported:
    """Lines that made or changed something; none: the shop was as the file says already."""

    new: int
    changed: int


def import_carry_out(*, file: File, shown: str, operator: User) -> Imported:
    """Does what the plan with the digest `shown` says, in one transaction. A second time, it finds
    nothing to do. Raises NotAsShown, Busy, Unavailable."""

    def work() -> Imported:
        plan = plan_of(file.lines)
        if plan.is_nothing:  # also when an earlier try of ours was committed, and nobody heard it
            return Imported(0, 0)
        _require(plan, shown)  # or what is locked would be something else
        _lock(plan)
        plan = plan_of(file.lines)
        _require(plan, shown)
        done = Imported(len(plan.new), len(plan.changed))
        import_log(
            operator=operator,
            what="catalogue",
            file_format=file.file_format,
            asked=f"{file.name} sha256={file.sha256}",
            rows=done.new + done.changed,
        )
        _write(plan, operator=operator, source=file.name)
        return done

    try:
        return run(work)
    except IntegrityError as error:
        if is_duplicate(error):  # a code that somebody else has just given
            raise NotAsShown from error
        raise


def _require(plan: Plan, shown: str) -> None:
    if plan.faulty or plan.digest() != shown:
        raise NotAsShown


def _lock(plan: Plan) -> None:
    """Nobody changes these goods or their SKUs meanwhile, nor brings new goods of the same file."""
    wanted = {target.goods.category_id for target in plan.targets if target.is_new}
    list(Category.objects.select_for_update().filter(pk__in=wanted).order_by("pk"))
    services.goods_lock({target.goods.pk for target in plan.targets if not target.is_new})


def _write(plan: Plan, *, operator: User, source: str) -> None:
    targets = list(goods_of(plan))
    services.goods_create([target.goods for target in targets if target.is_new])
    services.goods_update_many(
        [(target.goods, target.fields) for target in targets if not target.is_new]
    )
    new = [row for row in plan.rows if row.makes_sku]
    made = services.skus_create([_new_sku(row) for row in new], operator=operator)
    for row, sku in zip(new, made, strict=True):
        row.sku = sku
    _log(plan, operator=operator, source=source)
    # Last: from here to the commit, orders that name one of these wait.
    services.skus_update(
        [(row.sku, row.fields) for row in plan.rows if row.sku and not row.makes_sku and row.fields]
    )


def _new_sku(row: Row) -> NewSku:
    assert row.target and row.sku  # noqa: S101  for the type: rows without either are no SKUs
    said = {name: getattr(row.sku, name) for name in row.fields}
    return NewSku(goods_id=row.target.goods.pk, code=row.sku.code, **said)


def _log(plan: Plan, *, operator: User, source: str) -> None:
    """In the operators' log, at each goods and SKU, what became of it."""
    entries = []
    for row in [*plan.new, *plan.changed]:
        goods = row.target.goods if row.target else None
        for about, is_new, changes in (
            (goods, row.makes_goods, row.goods_changes),
            (row.sku, row.makes_sku, row.sku_changes),
        ):
            if about is not None and changes:
                said = f"Imported from {source}, row {row.line.row}: {_in_words(changes)}"
                entries.append(_entry(about, is_new, said, operator))
    LogEntry.objects.bulk_create(entries, batch_size=500)


def _entry(about: Goods | Sku, is_new: bool, said: str, operator: User) -> LogEntry:
    return LogEntry(
        user_id=operator.pk,
        content_type_id=ContentType.objects.get_for_model(about).pk,
        object_id=str(about.pk),
        object_repr=str(about)[:200],
        action_flag=ADDITION if is_new else CHANGE,
        change_message=said,
    )


def _in_words(changes: Sequence[Change]) -> str:
    return ", ".join(
        f"{change.column}: {change.before[:80]} -> {change.after[:80]}" for change in changes
    )
