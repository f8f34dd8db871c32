"""How many rows MariaDB looks at to answer what is asked, where there are very many."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from lottery import closing, drawing, selectors
from lottery.models import Entry, Period
from lottery.pending import EntryQueue, PeriodPool
from lottery.proof import leaves
from shop.accounts.models import User
from tests.kit.marks import on_mariadb

pytestmark = on_mariadb

PERIODS, CROWD, USERS = 10_000, 20_000, 5_000
# Twenty of them run; of the rest every fifth was cancelled. The last one has a crowd's entries,
# each of the others two.
MANY = f"""
    INSERT INTO pools_pool (id, kind, available, taken, open, strategy, gated)
    SELECT seq, 'period', IF(seq > {PERIODS - 20}, 10, 0), 10, seq > {PERIODS - 20}, '', 0
    FROM seq_1_to_{PERIODS};
    INSERT INTO pools_queue (id, kind, name)
    SELECT seq, 'entries', CONCAT('period:', seq) FROM seq_1_to_{PERIODS};
    INSERT INTO lottery_entry (id, attempts, idempotency_route, idempotency_key, request_hash,
        first_status, entry_no, status, failure, wanted, allow_partial, nonce, created_at, user_id,
        period_id)
    SELECT seq, 0, 'entries', CONCAT('k', seq), '', 201, LPAD(seq, 24, '0'),
        IF(seq <= {2 * PERIODS} AND CEIL(seq / 2) % 5 = 0, 'refunded', 'confirmed'), '', 5, 0,
        REPEAT('a', 32), '2026-01-01' + INTERVAL seq SECOND, 1 + seq % {USERS},
        LEAST(CEIL(seq / 2), {PERIODS}) FROM seq_1_to_{2 * PERIODS + CROWD};
    INSERT INTO lottery_shares (entry_id, pool_id, first, count, cost, reference, returned)
    SELECT id, period_id, IF(id <= {2 * PERIODS}, 5 * (1 - id % 2), id), 5, 25, entry_no, ''
    FROM lottery_entry
"""  # noqa: S608
PERIOD_ROWS = f"""
    INSERT INTO lottery_period (id, serial, previous_id, reference, pool_id, queue_id, placement,
        prize_title, prize_title_en, prize_image, currency, share_price, total_shares,
        minimum_shares, first_number, auto_renew, scheme, beacon, public_number_source, seed,
        terms, commitment, created_at, status, shares_sold, closed_at, root, beacon_round,
        draw_problem, drawn_at, beacon_value, beacon_signature, number, winner_id, finished)
    SELECT seq, seq, NULLIF(seq - 1, 0), CONCAT('r', seq), seq, seq, 'queued', 't', '', '',
        'points', 5, 20, 1, 1, 1, 'commit-beacon', 'local', '', REPEAT('a', 64), REPEAT('t', 600),
        REPEAT('c', 64), '2026-01-01' + INTERVAL seq SECOND, @status := CASE
            WHEN seq > {PERIODS - 20} THEN 'open' WHEN seq > {PERIODS - 22} THEN 'closed'
            WHEN seq % 5 = 0 THEN 'cancelled' ELSE 'drawn' END,
        IF(@status = 'open', NULL, 10), IF(@status IN ('open', 'closed'), NULL, NOW(6)),
        IF(@status IN ('open', 'closed'), '', REPEAT('r', 64)), 1, '',
        IF(@status = 'drawn', '2026-01-01' + INTERVAL seq SECOND, NULL), '', '', 5, seq * 2,
        seq <= {PERIODS - 25}
    FROM seq_1_to_{PERIODS}
"""  # noqa: S608


def rows_read(work: Callable[[], object]) -> int:
    """What the storage engine handed over, found or looked at."""
    with connection.cursor() as cursor:
        cursor.execute("FLUSH STATUS")
        work()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(count) for _name, count in cursor.fetchall())


def page(rows: QuerySet[Period] | QuerySet[Entry]) -> Callable[[], object]:
    return lambda: list(rows[:21])


@pytest.fixture
def many(transactional_db: None) -> None:
    User.objects.bulk_create(User(pk=pk, username=f"u{pk}") for pk in range(1, USERS + 1))
    with connection.cursor() as cursor:
        for statement in [*MANY.split(";"), PERIOD_ROWS]:
            cursor.execute(statement)
        cursor.execute("ANALYZE TABLE lottery_period, lottery_entry, lottery_shares, pools_pool")


@pytest.mark.usefixtures("many")
def test_no_question_reads_more_than_it_answers() -> None:
    user = User.objects.get(pk=7)
    mine = selectors.entries_of(user, period_id=PERIODS)
    asked: dict[str, Callable[[], object]] = {
        "terms": lambda: selectors.period_terms(PERIODS),
        "terms for a gate": lambda: selectors.gate_terms(PERIODS),
        "one": lambda: selectors.period_get(PERIODS),
        "newest": page(selectors.periods_page()),
        **{f"newest {state}": page(selectors.periods_page(status=state)) for state in Period.State},
        "how many are open": selectors.periods_page(status="open").count,
        "how many are closed": selectors.periods_page(status="closed").count,
        "winners": page(selectors.winners()),
        "mine": page(mine),
        "how many are mine": mine.count,
        "one of mine": lambda: selectors.entry_of(user.pk, "6".rjust(24, "0")),
        "due": lambda: list(Period.objects.filter(closing.is_due())),
        "unfrozen": lambda: list(Period.objects.filter(status="closed", root="")),
        "unrenewed": lambda: list(closing._unrenewed()),
        "owing": lambda: list(closing._owing()),
        "done with": closing._finish,
        "to be drawn": drawing.periods_draw,
        "buy times": lambda: closing._buy_times(timezone.now()),
        "leaves of a small one": lambda: list(leaves(Period.objects.get(pk=5))),
        "what waits": lambda: EntryQueue().waiting(),
        "whether it waits": lambda: EntryQueue().waits(PERIODS, without=()),
        "what a gate counts": lambda: PeriodPool().pending(PERIODS),
        "keys of a small one": lambda: list(PeriodPool().keys(5)),
    }
    read = {name: rows_read(question) for name, question in asked.items()}

    assert {name: rows for name, rows in read.items() if rows > 250} == {}

    a_batch_of_what_is_owed_is_read_without_what_was_returned_before()


def a_batch_of_what_is_owed_is_read_without_what_was_returned_before() -> None:
    period = Period.objects.get(pk=PERIODS)
    Period.objects.filter(pk=PERIODS).update(status="cancelled", shares_sold=10)
    entries = Entry.objects.filter(period=period)
    entries.filter(pk__lte=2 * PERIODS + CROWD // 2).update(status="refunded")
    before = entries.filter(status="refunded").count()

    read = rows_read(lambda: closing.period_refund(period))

    assert entries.filter(status="refunded").count() == before + closing.BATCH
    # Each entry, its shares and its wallet, found a few times.
    assert read < 15 * closing.BATCH
