"""Paying from a wallet and crediting it, one at a time or in batches of hundreds.

Everything here runs inside the caller's transaction and leaves one `Transaction` whose postings sum
to zero: what a user's account loses, an account of the house gains. It locks users' accounts only,
by ascending id and before any pool; accounts of the house are read and never locked. A reference is
booked once: whoever repeats it gets IntegrityError (a duplicate) and rolls back.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection, transaction

from shop.errors import InsufficientBalance
from shop.statements import insert, insert_values
from shop.wallet import accounts
from shop.wallet.accounts import Locked
from shop.wallet.models import Account, Currency, House, Posting, Transaction

if TYPE_CHECKING:
    from shop.accounts.models import User

POSTING = ("transaction_id", "account_id", "amount", "reference")
# The ids of both accounts, by an index each, without a look of its own.
_PAIR = f"""
    INSERT INTO {Posting._meta.db_table} (transaction_id, account_id, amount, reference)
    SELECT %s, id, %s, %s FROM {Account._meta.db_table} WHERE user_id = %s AND currency = %s
    UNION ALL
    SELECT %s, id, %s, %s FROM {Account._meta.db_table} WHERE house = %s AND currency = %s
"""  # noqa: S608
# Far above any price, and so far below the largest BIGINT that no balance gets there.
MOST_AMOUNT = 10**15


def pay(
    *,
    user_id: int,
    currency: str,
    amount: int,
    house: str,
    reference: str,
    kind: str,
    what: str = "",
    reason: str = "",
    operator: "User | None" = None,
) -> None:
    """Takes `amount` (fen or points) from a user for the house. `reference`: the transaction's own;
    `what`: the order, entry or packet it is for, where that is something else.

    Three statements. Raises InsufficientBalance, and IntegrityError when `reference` is booked.
    """
    _require(amount)
    of = Currency(currency)
    if not accounts.lower(user_id, of, amount):
        # Decided by the row as it is locked now: something may just have come in.
        balance = accounts.locked(user_id, of)
        if balance < amount:
            raise InsufficientBalance(currency=of.value, balance=balance, amount=amount)
        accounts.lower(user_id, of, amount)
    booked = _book(reference, kind, reason=reason, operator=operator)
    _post_pair(booked, user_id, of, House(house), -amount, what or reference)


def credit(
    *,
    user_id: int,
    currency: str,
    amount: int,
    house: str,
    reference: str,
    kind: str,
    what: str = "",
    reason: str = "",
    operator: "User | None" = None,
) -> None:
    """Gives `amount` (fen or points) of the house to a user; as `pay`, the other way round.

    Three statements, and one more to make the user's account. Raises IntegrityError when
    `reference` is booked.
    """
    _require(amount)
    of = Currency(currency)
    accounts.raise_by(user_id, of, amount)
    booked = _book(reference, kind, reason=reason, operator=operator)
    _post_pair(booked, user_id, of, House(house), amount, what or reference)


def lock(*, user_id: int, currency: str) -> int:
    """The balance of a user's account, which is made if need be and locked until the transaction
    ends: for whoever learns the amount only after a pool's counter. One statement, or three."""
    _require_transaction()
    return accounts.locked(user_id, Currency(currency))


class Credit:
    """As `credit`, for whoever learns the amount only after a pool's counter: all that does not
    depend on it is done here, before the pool is locked, and `write` is what is left.

    Three statements, two more to make the user's account, and two in `write`. Raises IntegrityError
    when `reference` is booked.
    """

    def __init__(
        self, *, user_id: int, currency: str, house: str, reference: str, kind: str
    ) -> None:
        _require_transaction()
        self._user_id, self._currency = user_id, Currency(currency)
        accounts.locked(user_id, self._currency)
        self._mine, self._theirs = accounts.ids(user_id, self._currency, House(house))
        self._booked = _book(reference, kind)

    def write(self, amount: int, what: str) -> None:
        """Gives `amount` (fen or points) for what `what` names; once."""
        _require(amount)
        accounts.raise_by(self._user_id, self._currency, amount)
        _post(self._booked, [(self._mine, amount, what), (self._theirs, -amount, what)])


def grant_sign_up(user_id: int) -> None:
    """Gives a new user the points that the shop welcomes people with (SIGNUP_POINTS), once."""
    if settings.SIGNUP_POINTS:
        credit(
            user_id=user_id,
            currency=Currency.POINTS,
            amount=settings.SIGNUP_POINTS,
            house=House.GRANTS,
            reference=f"signup:{user_id}",
            kind="signup",
        )


class Book:
    """A batch of hundreds of debits and credits against one account of the house.

    Lock everybody's account, decide in memory, write once: six statements for a batch of any size.
    Nothing is written before `write`, and nothing at all for an empty book.
    """

    def __init__(self, currency: str, house: str, kind: str) -> None:
        self._currency = Currency(currency)
        self._house = House(house)
        self._kind = kind
        self._accounts: dict[int, Locked] = {}
        self._house_id = 0
        # (user id, signed amount, reference)
        self._entries: list[tuple[int, int, str]] = []

    def lock(self, user_ids: Iterable[int]) -> None:
        """Locks the accounts of all of `user_ids`, by ascending id; those who have none get one.

        Once, for everybody that the batch is about: a second call would lock out of order.
        """
        _require_transaction()
        if self._accounts:
            raise RuntimeError("a book locks its accounts once")
        self._accounts = accounts.locked_all(user_ids, self._currency)
        if self._accounts:
            # Made, if need be, before any pool is locked.
            self._house_id = accounts.house_id(self._house, self._currency)

    def balance(self, user_id: int) -> int:
        """What a locked account has after everything entered so far. Raises KeyError for others."""
        return self._accounts[user_id].balance

    def debit(self, user_id: int, amount: int, reference: str) -> None:
        """Takes `amount` from a user for what `reference` names. Raises InsufficientBalance, and
        then nothing is entered."""
        _require(amount)
        account = self._accounts[user_id]
        if account.balance < amount:
            raise InsufficientBalance(
                currency=self._currency.value, balance=account.balance, amount=amount
            )
        account.balance -= amount
        self._entries.append((user_id, -amount, reference))

    def credit(self, user_id: int, amount: int, reference: str) -> None:
        """Gives `amount` to a user for what `reference` names."""
        _require(amount)
        self._accounts[user_id].balance += amount
        self._entries.append((user_id, amount, reference))

    def write(self, reference: str) -> None:
        """Writes everything entered as one transaction: a posting for each debit and credit, and
        their sum for the house. Raises IntegrityError when `reference` is booked."""
        _require_transaction()
        entries, self._entries = self._entries, []
        if not entries:
            return
        changed = {user_id: self._accounts[user_id] for user_id, _amount, _what in entries}
        accounts.write(changed.values(), self._currency)
        postings = [(changed[user_id].pk, amount, what) for user_id, amount, what in entries]
        total = sum(amount for _user_id, amount, _what in entries)
        if total:
            postings.append((self._house_id, -total, reference))
        _post(_book(reference, self._kind), postings)


def _book(
    reference: str, kind: str, *, reason: str = "", operator: "User | None" = None
) -> Transaction:
    booked = Transaction(reference=reference, kind=kind, reason=reason, operator=operator)
    insert([booked])
    return booked


def _post(booked: Transaction, postings: Iterable[tuple[int, int, str]]) -> None:
    """`postings`: account id, signed amount, what it is for. They sum to zero."""
    insert_values(Posting, POSTING, [(booked.pk, *posting) for posting in postings])


def _post_pair(
    booked: Transaction, user_id: int, currency: Currency, house: House, amount: int, what: str
) -> None:
    """`amount`, signed, for a user's account, which is there, and as much less for the house's."""
    of_user = (booked.pk, amount, what, user_id, currency.value)
    of_house = (booked.pk, -amount, what, house.value, currency.value)
    with connection.cursor() as cursor:
        cursor.execute(_PAIR, of_user + of_house)
        house_is_new = cursor.rowcount == 1
    if house_is_new:
        _post(booked, [(accounts.house_id(house, currency), -amount, what)])


def _require(amount: int) -> None:
    _require_transaction()
    if type(amount) is not int or not 1 <= amount <= MOST_AMOUNT:
        raise ValueError(f"an amount is an integer from 1 to {MOST_AMOUNT}, not {amount!r}")


def _require_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("wallets change inside a transaction only")
