"""The rows of accounts: made by upsert, lowered on a condition, locked by ascending id.

Called by `shop.wallet.services` in the transaction that also writes the postings; without them, a
balance is wrong. Reading an account's id locks nothing, and an account of the house is only ever
read: its row is made once, by whoever needs it first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from shop.statements import Select
from shop.wallet.models import Account, Currency, House

_TABLE = Account._meta.db_table
_INSERT = f"INSERT INTO {_TABLE} (user_id, house, currency, balance) VALUES "  # noqa: S608
# A row that is there is locked and stays as it is.
_KEEP = {
    "mysql": " ON DUPLICATE KEY UPDATE currency = VALUES(currency)",
    "sqlite": " ON CONFLICT DO NOTHING",
}
_ADD = {
    "mysql": " ON DUPLICATE KEY UPDATE balance = balance + VALUES(balance)",
    "sqlite": (
        " ON CONFLICT (user_id, currency) DO UPDATE SET balance = balance + excluded.balance"
    ),
}
# By id: a row that would be new uses up an id of the counter, and none of these is.
_REPLACE = f"INSERT INTO {_TABLE} (id, user_id, currency, balance) VALUES "  # noqa: S608
_REPLACED = {
    "mysql": " ON DUPLICATE KEY UPDATE balance = VALUES(balance)",
    "sqlite": " ON CONFLICT (id) DO UPDATE SET balance = excluded.balance",
}
_RAISE = f"UPDATE {_TABLE} SET balance = balance + %s WHERE user_id = %s AND currency = %s"  # noqa: S608
_LOWER = (
    f"UPDATE {_TABLE} SET balance = balance - %s"  # noqa: S608
    " WHERE user_id = %s AND currency = %s AND balance >= %s"
)
# Two look-ups by index, rather than an OR across indexes.
_IDS = (
    f"SELECT id, 0 FROM {_TABLE} WHERE user_id = %s AND currency = %s"  # noqa: S608
    f" UNION ALL SELECT id, 1 FROM {_TABLE} WHERE house = %s AND currency = %s"
)


@dataclass(slots=True)
class Locked:
    """A user's account whose row is locked, and the balance it is to have."""

    pk: int
    user_id: int
    balance: int


def lower(user_id: int, currency: Currency, amount: int) -> bool:
    """Takes `amount` off a balance; False, and nothing changed, where that is not there."""
    with connection.cursor() as cursor:
        cursor.execute(_LOWER, (amount, user_id, currency.value, amount))
        return bool(cursor.rowcount)


def raise_by(user_id: int, currency: Currency, amount: int) -> None:
    """Adds `amount` to a balance, of an account that is made if need be."""
    with connection.cursor() as cursor:
        # An upsert uses up an id of the counter each time.
        cursor.execute(_RAISE, (amount, user_id, currency.value))
        is_new = cursor.rowcount == 0
    if is_new:
        _make([(user_id, None, currency.value, amount)], _ADD)


def ids(user_id: int, currency: Currency, house: House) -> tuple[int, int]:
    """The ids of a user's account, which is there, and of the house's, made if need be."""
    with connection.cursor() as cursor:
        cursor.execute(_IDS, (user_id, currency.value, house.value, currency.value))
        found = {bool(is_house): account_id for account_id, is_house in cursor.fetchall()}
    return found[False], found.get(True) or house_id(house, currency)


def house_id(house: House, currency: Currency) -> int:
    """The id of the house's account for one purpose, made if need be."""
    found = Account.objects.filter(house=house, currency=currency).values_list("pk", flat=True)
    if (account_id := found.first()) is not None:
        return account_id
    _make([(None, house.value, currency.value, None)], _KEEP)
    return found.get()


def locked(user_id: int, currency: Currency) -> int:
    """The balance of a user's account, made if need be; its row is locked."""
    reading = _reading(currency)
    if not (rows := reading.rows(user_id)):
        _make([(user_id, None, currency.value, 0)], _KEEP)
        rows = reading.rows(user_id)
    [(balance,)] = rows
    return int(balance)


@cache
def _reading(currency: Currency) -> Select:
    return Select(
        lambda user_id: (
            Account.objects.select_for_update()
            .filter(user_id=user_id, currency=currency.value)
            .values_list("balance")
        )
    )


def locked_all(user_ids: Iterable[int], currency: Currency) -> dict[int, Locked]:
    """User id -> account, for all of `user_ids`, made where there was none; their rows are locked.

    Two statements where everybody has an account already.
    """
    wanted = sorted(set(user_ids))
    if not wanted:
        return {}
    mine = Account.objects.filter(user_id__in=wanted, currency=currency)
    # Their ids first, unlocked: a locking read by user would lock in the order of whatever index
    # it takes. By primary key it locks in that one's.
    known = set(mine.values_list("pk", flat=True))
    accounts = _by_user(Account.objects.select_for_update().filter(pk__in=known).order_by("pk"))
    missing = [user_id for user_id in wanted if user_id not in accounts]
    if missing:
        # The newest ids, so the last to be locked.
        _make([(user_id, None, currency.value, 0) for user_id in missing], _KEEP)
        accounts |= _by_user(mine.filter(user_id__in=missing))
    return accounts


def _by_user(rows: QuerySet[Account]) -> dict[int, Locked]:
    columns = rows.values_list("pk", "user_id", "balance")
    return {user_id: Locked(pk, user_id, balance or 0) for pk, user_id, balance in columns}


def write(accounts: Iterable[Locked], currency: Currency) -> None:
    """Writes the balances of accounts, in one statement."""
    rows = [(one.pk, one.user_id, currency.value, one.balance) for one in accounts]
    _execute_many(_REPLACE, sorted(rows), _REPLACED)


def _make(rows: Sequence[tuple[Any, ...]], conflict: Mapping[str, str]) -> None:
    _execute_many(_INSERT, rows, conflict)


def _execute_many(
    insert: str, rows: Sequence[tuple[Any, ...]], conflict: Mapping[str, str]
) -> None:
    slots = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            insert + slots + conflict[connection.vendor], [value for row in rows for value in row]
        )
