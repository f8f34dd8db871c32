"""What apps tell of their kinds of pool and queue, so that gate, drain and audit know no app."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests in any `seconds`."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class GateTerms:
    """When a gate lets requests through, and how many; None: as many as come."""

    opens_at: datetime
    closes_at: datetime
    paused: bool
    per_user_limit: int | None
    user_rate: Rate | None = None
    address_rate: Rate | None = None
    all_rate: Rate | None = None


class PoolKind(Protocol):
    """How a kind of pool is described to its gate."""

    def gate_terms(self, pool_id: int) -> GateTerms:
        """The terms as they stand in the database."""

    def pending(self, pool_id: int) -> Mapping[int, int]:
        """User -> units of this pool in rows that wait to be settled."""

    def keys(self, pool_id: int) -> Iterable[tuple[int, str]]:
        """(user, idempotency key) of everything ever created for this pool, in every state."""


class Waiting(Protocol):
    """A row that waits in a queue."""

    @property
    def pk(self) -> Any:
        """Its id."""


class QueueKind(Protocol):
    """How a kind of queue is drained. `pending` and `settle` run in a transaction that has locked
    the queue's row, `failed` in one of its own."""

    def waiting(self) -> Sequence[int]:
        """The queues that something waits in."""

    def pending(
        self, queue_id: int, *, most: int, only: Collection[int] | None, without: Collection[int]
    ) -> Sequence[Waiting]:
        """Locks and returns the oldest `most` waiting rows that nobody else has locked.
        `only`, `without`: ids to keep to, ids to leave alone."""

    def waits(self, queue_id: int, *, without: Collection[int]) -> bool:
        """Whether anything waits in the queue, but for the ids `without`; locks nothing."""

    def depth(self, queue_id: int, *, most: int) -> int:
        """How many wait in the queue, counted no further than `most`; by an index alone."""

    def waits_for(self, queue_id: int) -> float:
        """Seconds that the first row of the queue has waited; 0.0 where nothing waits."""

    def settle(self, rows: Sequence[Any]) -> None:
        """Settles what `pending` has just returned: each row gets its units or fails."""

    def failed(self, row_id: int) -> None:
        """Settling this row alone ended in an error of ours: counts it, and gives the row up after
        the attempts that the settings allow."""


pool_kinds: dict[str, PoolKind] = {}
queue_kinds: dict[str, QueueKind] = {}
