"""A period, its queue, its gate, its users and its draw, through any sequence of steps and deaths.

A death is SIGKILL's in this process: whatever stands at an armed fail point is left at once, and
nobody tidies up but the database. Beside the database stands plain arithmetic: what each entry
wants, who is before whom, what limit and wallet leave. It knows nothing of movements, postings,
indexes or Redis, so it can't share a mistake with them. After each step every promise holds.
"""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from lottery.closing import periods_sweep
from lottery.drawing import periods_draw
from lottery.models import Entry, Period, Shares
from lottery.proof import period_proof
from lottery.selectors import period_terms_lately
from orders.models import Order
from shop.pools import drain, gate, gatekeeping
from shop.pools.audit import audit
from shop.wallet.models import Account
from tests.factories import enter, give_points, make_sku
from tests.faults.deaths import deaf, dying_at
from tests.faults.model import UNKNOWN
from tests.kit.hows import (
    EVERY,
    How,
    code_of,
    drain_all,
    forget_shoppers,
    in_step,
    spoil_gate,
    wipe,
)
from tests.kit.machines import BATCH, Machine, run_machine
from tests.kit.marks import in_both_forms, on_mariadb
from tests.kit.periods import (
    PRICE,
    crowd,
    end_now,
    let_round_come,
    numbers_given,
    period_of,
)
from tests.kit.units import counters
from tests.lottery.model import TOTAL, Arithmetic, Attempt, Books

pytestmark = on_mariadb

USERS, POINTS = 5, PRICE * 6
IN_ENTERING = ["gate.admitted", "commit.before", "commit.after"]
IN_DRAINING = ["drain.before", "drain.settled", "commit.before", "commit.after", "drain.after"]
IN_SWEEPING = ["pool.end", "period.freeze", "commit.before", "commit.after"]
IN_DRAWING = ["period.draw", "commit.before", "commit.after"]
BEFORE_COMMIT = {"drain.before", "drain.settled", "commit.before"}
NEXT = {
    "open": {"open", "closed", "cancelled"},
    "closed": {"closed", "drawn"},
    "drawn": {"drawn"},
    "cancelled": {"cancelled"},
}
WISH = st.tuples(st.integers(0, USERS - 1), st.sampled_from([1, 1, 1, 2, 2, 3, 5]), st.booleans())
WISHES = st.lists(WISH, min_size=2, max_size=6)


class Lottery(Arithmetic, Machine):
    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Attempt] = []

    @initialize(
        how=st.sampled_from(EVERY),
        limit=st.sampled_from([None, None, 3, 4]),
        has_end=st.booleans(),
        minimum=st.sampled_from([1, TOTAL]),
    )
    def open(self, how: How, limit: int | None, has_end: bool, minimum: int) -> None:
        self.coin = make_sku(stock=1)
        self.how, self.limit, self.minimum = how, limit, minimum
        self.period = period_of(
            how,
            shares=TOTAL,
            sku=self.coin,
            per_user_limit=limit,
            minimum_shares=minimum,
            ends_at=timezone.now() + timedelta(hours=1) if has_end else None,
        )
        self.has_end, self.is_over, self.round_is_out = has_end, False, False
        # Something has happened that the gate may not know, or knows wrongly.
        self.disturbed = False
        self.users = crowd(USERS, points=POINTS)
        self.funds = dict.fromkeys([user.pk for user in self.users], POINTS)
        self.was, self.proof = "open", b""

    # --- what users do

    @rule(wishes=WISHES, lately=st.booleans(), is_settled=st.booleans())
    def a_crowd_enters(
        self, wishes: list[tuple[int, int, bool]], lately: bool, is_settled: bool
    ) -> None:
        for wish in wishes:
            self.enters(*wish, lately=lately)
        if is_settled:
            self.drains()

    @rule(wish=WISH, death=st.sampled_from(IN_ENTERING))
    def one_enters_and_the_server_dies(self, wish: tuple[int, int, bool], death: str) -> None:
        self.enters(*wish, death=death)

    @rule(wish=WISH)
    def one_enters_while_redis_is_away(self, wish: tuple[int, int, bool]) -> None:
        self.enters(*wish, is_deaf=True)

    def enters(
        self,
        who: int,
        shares: int,
        partial: bool,
        *,
        lately: bool = False,
        death: str | None = None,
        is_deaf: bool = False,
    ) -> None:
        key = f"{self.period.pk}-{len(self.attempts)}"
        attempt = Attempt(self.users[who], key, shares, partial)
        self.attempts.append(attempt)
        if not lately:
            period_terms_lately.forget()
        expected = UNKNOWN if lately or death else self.foretold(attempt, is_deaf=is_deaf)
        code = UNKNOWN
        with dying_at(death), deaf(is_deaf):
            code = code_of(lambda: self.asks(attempt))
        self.disturbed |= death is not None
        attempt.is_lost = death is not None and not self.stored(attempt)
        event(f"entered: {code or 'yes'}, foretold: {expected or 'yes'}")
        assert UNKNOWN in (code, expected) or code == expected, (code, expected)
        if code not in ("", UNKNOWN, "unavailable"):
            assert not self.stored(attempt)

    def asks(self, attempt: Attempt) -> None:
        attempt.entry_no = enter(
            attempt.user, self.period, attempt.shares, key=attempt.key, partial=attempt.partial
        ).entry_no

    def stored(self, attempt: Attempt) -> bool:
        return Entry.objects.filter(user=attempt.user, idempotency_key=attempt.key).exists()

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def one_repeats(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        told, was_stored = attempt.entry_no, self.stored(attempt)
        code = code_of(lambda: self.asks(attempt))
        if was_stored:
            assert code == ""
        if told:
            assert attempt.entry_no == told
        if attempt.is_lost and self.stored(attempt):
            # It passed by its key. The shares of its first may have been corrected since then.
            attempt.is_lost, self.disturbed = False, True
            event("a lost request came again")

    @rule(who=st.integers(0, USERS - 1), shares=st.integers(1, 3))
    def one_is_given_points(self, who: int, shares: int) -> None:
        give_points(self.users[who], shares * PRICE)
        self.funds[self.users[who].pk] += shares * PRICE

    # --- what workers do

    @precondition(lambda self: self.books().pending)
    @rule(death=st.sampled_from(IN_DRAINING))
    def a_worker_dies_draining(self, death: str) -> None:
        self.drains(death=death)

    @precondition(lambda self: self.books().pending)
    @rule()
    def a_worker_drains_while_redis_is_away(self) -> None:
        self.drains(is_deaf=True)

    def drains(self, *, death: str | None = None, is_deaf: bool = False) -> None:
        before, expected = self.books(), self.settled_in_order()
        with dying_at(death), deaf(is_deaf):
            drain.drain(self.period.queue_id)
        self.disturbed |= is_deaf or death == "commit.after"
        if death:
            done = 0 if death in BEFORE_COMMIT else BATCH
            expected = dict(list(expected.items())[:done])
        assert self.newly_settled(before) == expected

    def newly_settled(self, before: Books) -> dict[str, str]:
        """What became of those who waited before, where it is decided."""
        fates = self.books().fates()
        return {
            one.entry_no: fates[one.entry_no] for one in before.pending if one.entry_no in fates
        }

    @precondition(lambda self: self.how.gated)
    @rule(force=st.booleans(), dies=st.booleans())
    def a_gate_is_rebuilt(self, force: bool, dies: bool) -> None:
        rebuilt = False
        with dying_at("gate.rebuild" if dies else None):
            rebuilt = gatekeeping.rebuild(self.period.pool_id, force=force)
        if rebuilt:
            self.disturbed = False
            self.keys_are_as_stored()
            assert in_step(self.period)

    @precondition(lambda self: self.how.gated and self.is_open())
    @rule()
    def a_gate_is_set_right(self) -> None:
        """What beat does every few seconds: two looks that agree."""
        gatekeeping.correct(self.period.pool_id)
        gatekeeping.correct(self.period.pool_id)
        self.disturbed = False
        assert in_step(self.period)

    def keys_are_as_stored(self) -> None:
        """The gate knows no key of a request that left nothing behind."""
        for attempt in self.attempts:
            attempt.is_lost = False

    @precondition(lambda self: self.how.gated)
    @rule(how=st.sampled_from(["wiped", "forgets"]), by=st.integers(-4, 4))
    def redis_fails(self, how: str, by: int) -> None:
        self.keys_are_as_stored()
        if how == "wiped":
            wipe(self.period)
            return
        forget_shoppers(self.period)
        self.disturbed = True
        if gate.client().exists(*gate.names(self.period.pool_id)):
            spoil_gate(self.period, by=by)

    # --- the end

    @precondition(lambda self: self.has_end and not self.is_over and len(self.attempts) > 10)
    @rule()
    def time_is_up(self) -> None:
        end_now(self.period)
        self.is_over = True

    @rule(death=st.sampled_from([None, *IN_SWEEPING]), is_deaf=st.booleans())
    def beat_sweeps(self, death: str | None, is_deaf: bool) -> None:
        was, left = self.state(), counters(self.period.pool)[0]
        is_due = was == "open" and (left == 0 or self.is_over)
        before, expected = self.books(), self.settled_in_order()
        with dying_at(death), deaf(is_deaf):
            periods_sweep()
        self.disturbed |= is_deaf or death is not None
        if not death and is_due:
            event("a period was closed")
            assert self.newly_settled(before) == expected
            enough = TOTAL - self.books().left >= self.minimum
            assert self.state() == ("closed" if enough else "cancelled")
        if not death:
            root = Period.objects.get(pk=self.period.pk).root
            assert bool(root) == (self.state() in ("closed", "drawn"))
            if self.state() == "cancelled":
                assert self.books().purse == self.funds

    @precondition(lambda self: self.state() == "closed")
    @rule(death=st.sampled_from([None, None, *IN_DRAWING]))
    def beat_draws(self, death: str | None) -> None:
        period = Period.objects.get(pk=self.period.pk)
        if period.root and not self.round_is_out:
            assert periods_draw() == 0
            let_round_come(period)
            self.round_is_out = True
            event("the round came")
            return
        drawn = 0
        with dying_at(death):
            drawn = periods_draw()
        if not death:
            assert drawn == bool(period.root)
        event(f"drawn: {self.state()}")

    # --- what must hold

    @invariant()
    def shares_are_sold_once_and_paid_for_once(self) -> None:
        if not hasattr(self, "period"):
            return
        numbers, books = numbers_given(self.period), self.books()
        assert len(set(numbers)) == len(numbers) == TOTAL - books.left
        assert counters(self.period.pool) == (books.left, TOTAL - books.left)
        balances = Account.objects.filter(user__in=self.funds).values_list("user_id", "balance")
        assert dict(balances) == books.purse
        assert min(books.purse.values()) >= 0
        assert self.limit is None or max(books.held.values(), default=0) <= self.limit

    @invariant()
    def a_period_goes_forward_and_its_prize_is_somewhere(self) -> None:
        if not hasattr(self, "period"):
            return
        now = self.state()
        assert now in NEXT[self.was] or now in {two for one in NEXT[self.was] for two in NEXT[one]}
        self.was = now
        assert counters(self.coin.pool) == ((1, 0) if now == "cancelled" else (0, 1))
        assert Order.objects.filter(kind="prize", user__in=self.users).count() == (now == "drawn")

    @invariant()
    def a_proof_never_changes(self) -> None:
        if self.__dict__.get("was") == "drawn":
            proof = period_proof(self.period.pk)
            assert self.proof in (b"", proof)
            self.proof = proof

    @invariant()
    def an_undisturbed_gate_is_in_step(self) -> None:
        if hasattr(self, "period") and self.how.gated and self.is_open():
            is_cold = not gate.client().exists(*gate.names(self.period.pool_id))
            assert is_cold or self.disturbed or in_step(self.period)

    @invariant()
    def every_answered_entry_is_stored_once(self) -> None:
        users = getattr(self, "users", [])
        rows = list(Entry.objects.filter(user__in=users).values_list("idempotency_key", "entry_no"))
        stored = dict(rows)
        assert len(stored) == len(rows)
        for attempt in self.attempts:
            assert not attempt.entry_no or stored[attempt.key] == attempt.entry_no

    @invariant()
    def promises_hold(self) -> None:
        assert audit().broken == {}

    def teardown(self) -> None:
        """In the end everybody has what they were promised, or their money."""
        if not hasattr(self, "period"):
            return
        drain_all(self.period)
        left = counters(self.period.pool)[0]
        if self.is_open() and left and not self.is_over:
            if self.has_end:
                end_now(self.period)
            else:
                self.the_rest_is_bought(left)
        for _ in range(3):
            periods_sweep()
        event(f"ended {self.state()}")
        if self.state() == "closed":
            if not self.round_is_out:
                let_round_come(self.period)
            assert periods_draw() == 1
        self.shares_are_paid_or_returned()
        assert audit().broken == {}

    def the_rest_is_bought(self, left: int) -> None:
        if self.how.gated:
            gatekeeping.reopen(self.period.pool_id)
        period_terms_lately.forget()
        for user in crowd(left, points=PRICE):
            self.users.append(user)
            self.funds[user.pk] = PRICE
            enter(user, self.period, 1)
        drain_all(self.period)

    def shares_are_paid_or_returned(self) -> None:
        period = Period.objects.get(pk=self.period.pk)
        shares = Shares.objects.filter(pool=period.pool_id)
        if period.status == "cancelled":
            assert not shares.filter(returned="").exists()
            assert counters(self.coin.pool) == (1, 0)
        else:
            assert period.status == "drawn"
            assert period.number in numbers_given(period)
            assert not shares.exclude(returned="").exists()
        self.shares_are_sold_once_and_paid_for_once()


@in_both_forms("examples", short=4, long=300)
@pytest.mark.usefixtures("deadly")
def test_no_share_is_sold_twice_and_no_point_is_lost_by_any_sequence_of_steps_and_deaths(
    examples: int,
) -> None:
    run_machine(Lottery, examples=examples)
