"""`manage.py doctor` finds what is planted, says what to do about it, and shows no secret."""

import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.functions import Now
from django.test import override_settings
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings

from deploy.local.processes import Child
from lottery import doctor as draws
from orders.models import Order
from orders.payments.oversight import doctor as money
from orders.payments.oversight.alarms import alarm_raise
from orders.payments.oversight.models import PaymentAlarm
from shop import demo
from shop.accounts.models import User
from shop.notices.models import Notice
from shop.ops import examining
from shop.ops.doctor import database, servers, setup, work
from shop.ops.examining import Line, Verdict
from shop.ops.models import Ring
from shop.ops.rings import queues, ring_hear, silence
from shop.ops.tasks import hear
from shop.pools import gate
from shop.pools.models import Queue
from tests.factories import make_sale, make_sku, make_user, overdue, place
from tests.faults.shop import CELERY, START_SECONDS, wait_until
from tests.kit.marks import on_mariadb
from tests.ops.processes import closed_port, run_python

PROBLEM, WARNING, OK = Verdict.PROBLEM, Verdict.WARNING, Verdict.OK


def verdicts(lines: Iterable[Line]) -> dict[str, Verdict]:
    return {line.name: line.verdict for line in lines}


def found(name: str, lines: Iterable[Line]) -> Line:
    [line] = [line for line in lines if line.name == name]
    return line


def doctor(**options: Any) -> tuple[str, int]:
    """What it prints, and its exit code."""
    out = io.StringIO()
    try:
        call_command("doctor", stdout=out, **options)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


# --- the command


@pytest.mark.django_db(transaction=True)
def test_a_set_up_that_is_well_has_no_problem_and_each_other_line_says_what_to_do() -> None:
    for queue in queues():
        ring_hear(queue)

    text, code = doctor(json=True)

    document = json.loads(text)
    problems = {line["name"] for line in document["lines"] if line["verdict"] == "problem"}
    assert (problems, document["ok"], code) == (set(), True, 0)
    for line in document["lines"]:
        assert line["says"].endswith("."), line
        assert bool(line["do"]) == (line["verdict"] != "ok"), line
    names = [line["name"] for line in document["lines"]]
    assert len(set(names)) == len(names)
    groups = {"database", "redis", "broker", "beat", "settings", "files", "work", "payments"}
    assert groups | {"lottery", "demo"} <= {name.partition(".")[0] for name in names}


@pytest.mark.django_db
def test_people_read_each_line_with_what_to_do_and_a_count(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 9

    text, code = doctor()

    assert code == 1
    assert "PROBLEM  settings.proxies: TRUSTED_PROXIES is 9: shoppers could say" in text
    assert "\n         -> Count the proxies in front, usually 1.\n" in text
    assert "ok       database.reachable: " in text
    assert text.strip().splitlines()[-1].startswith("Problems: ")


def test_an_examination_that_breaks_is_a_line_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks() -> Iterator[Line]:
        yield examining.ok("broken.before", "So far.")
        raise ConnectionError("hunter2 at db.internal")

    monkeypatch.setattr(examining, "_examinations", {})
    examining.examination("broken")(breaks)

    lines = examining.examine()

    line = found("broken", lines)
    assert (line.verdict, "ConnectionError" in line.says) == (PROBLEM, True)
    assert found("broken.before", lines).verdict == OK
    assert "hunter2" not in str(lines)


def test_where_no_server_is_there_each_is_named_by_what_it_is_for(tmp_path: Path) -> None:
    port = str(closed_port())
    done = run_python(
        "from django.core.management import call_command\n"
        "try: call_command('doctor', json=True)\n"
        "except SystemExit as end: print(end.code)\n",
        DJANGO_SETTINGS_MODULE="settings.stack",
        SCARCE_VAR=str(tmp_path),
        MYSQL_HOST="127.0.0.1",
        MYSQL_PORT=port,
        MYSQL_PASSWORD="hunter2-hunter2",
        REDIS_URL=f"redis://:hunter2-hunter2@127.0.0.1:{port}/0",
    )
    text, code = done.stdout.splitlines()
    lines = {line["name"]: line for line in json.loads(text)["lines"]}

    assert code == "1"
    broken = {"database.reachable", "broker", "redis.gates", "redis.broker"}
    assert lines["redis.cache"]["verdict"] == "warning"
    assert broken <= {name for name, line in lines.items() if line["verdict"] == "problem"}
    assert "beat" in lines["database.unseen"]["says"]
    assert "hunter2" not in done.stdout


# --- the database


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_named_and_tables_are_left_alone() -> None:
    MigrationRecorder.Migration.objects.filter(app="ops").delete()

    text, code = doctor(json=True)

    lines = {line["name"]: line for line in json.loads(text)["lines"]}
    assert code == 1
    assert "ops.0001_rings" in lines["database.migrations"]["says"]
    assert "migrations are missing: beat, demo" in lines["database.unseen"]["says"]
    assert not [name for name in lines if name.startswith(("beat.", "work."))]


@pytest.mark.django_db
def test_a_database_that_keeps_what_it_is_told_is_well() -> None:
    looks = (database.clock, database.storage, database.mode, database.abilities)
    lines = [line for look in looks for line in look()]

    lax = {line.name for line in lines if line.verdict != OK}
    # The tests' databases wait for no disk, and MariaDB's has no table of time zones.
    assert lax <= {"database.durability", "database.zones"}
    assert found("database.returning", lines).verdict == OK


@pytest.fixture
def session() -> Iterator[Callable[[str], None]]:
    """Runs a statement in this session, which ends with the test."""

    def run(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    yield run
    connection.close()


class TestMariaDB:
    pytestmark = on_mariadb

    @pytest.mark.parametrize(
        ("statement", "look", "name"),
        [
            (
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                database.mode,
                "database.isolation",
            ),
            ("SET SESSION sql_mode = ''", database.mode, "database.sql_mode"),
            ("SET SESSION timestamp = UNIX_TIMESTAMP() + 600", database.clock, "database.clock"),
        ],
    )
    def test_a_session_that_is_not_as_the_shop_needs_it_is_a_problem(
        self, session: Any, statement: str, look: Any, name: str
    ) -> None:
        assert found(name, look()).verdict == OK

        session(statement)

        assert found(name, look()).verdict == PROBLEM

    def test_a_table_without_row_locks_is_named(self, session: Any) -> None:
        session("CREATE TABLE planted (id INT) ENGINE=MyISAM")
        try:
            line = found("database.engine", database.storage())
        finally:
            session("DROP TABLE planted")

        assert (line.verdict, "planted (MyISAM)" in line.says) == (PROBLEM, True)
        assert found("database.engine", database.storage()).verdict == OK

    def test_a_redis_that_forgets_gates_is_a_problem_and_so_is_one_that_can_t_save(self) -> None:
        redis = get_redis_connection("gates")
        well = verdicts(servers.redis())
        redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            line = found("redis.gates.eviction", servers.redis())
        finally:
            redis.config_set("maxmemory-policy", "noeviction")

        assert line.verdict == PROBLEM
        assert "allkeys-lru" in line.says
        assert well["redis.gates.eviction"] == well["redis.broker.eviction"] == OK
        failed = {"rdb_last_bgsave_status": "err"}
        assert servers._persistence("gates", failed).verdict == PROBLEM

    @pytest.mark.usefixtures("empty_gates")
    def test_a_gate_that_is_cold_and_one_that_stays_wrong_are_told_apart(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool = make_sale(total=5, gated=True).pool
        assert verdicts(work.gates()) == {"gates": OK}
        redis = get_redis_connection("gates")
        monkeypatch.setattr(work, "DRIFT_SECONDS", -1)
        redis.hincrby(gate.names(pool.pk)[0], "remaining", 3)

        assert found("gates.drift", work.gates()).says.endswith(f"pools [{pool.pk}].")
        redis.flushdb()
        assert verdicts(work.gates()) == {"gates.cold": WARNING}

    def test_a_worker_serves_its_queue_and_hears_the_ring(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        assert list(servers.workers()) == []
        settings.CELERY_WORKER_ENABLE_REMOTE_CONTROL = True
        assert set(verdicts(servers.workers()).values()) == {PROBLEM}
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.ops.answering",
            "MYSQL_DATABASE": str(connection.settings_dict["NAME"]),
        }
        command = [*CELERY, "worker", "--queues", "celery", "--pool", "solo"]
        worker = Child("worker", command, log=tmp_path / "worker.log", env=env)
        worker.start()
        try:
            hear.apply_async(args=("celery",), queue="celery")
            wait_until(
                lambda: silence()["celery"] is not None,
                "the ring is heard",
                seconds=START_SECONDS,
            )
            served = {
                "workers.celery": OK,
                "workers.drains": PROBLEM,
                "workers.sweepers": PROBLEM,
            }
            # A worker that is only slow may be asked in vain.
            wait_until(
                lambda: verdicts(servers.workers()) == served,
                "it says what it serves",
                seconds=START_SECONDS,
            )
        finally:
            worker.kill()

        assert found("beat.celery", servers.beat()).verdict == OK


# --- beat


@pytest.mark.django_db
def test_a_queue_that_heard_no_ring_for_long_or_ever_is_a_problem() -> None:
    ring_hear("drains")
    ring_hear("sweepers")
    ring_hear("sweepers")
    Ring.objects.filter(queue="sweepers").update(heard_at=Now() - timedelta(seconds=90))

    lines = list(servers.beat())

    assert verdicts(lines) == {
        "beat.celery": PROBLEM,
        "beat.drains": OK,
        "beat.sweepers": PROBLEM,
    }
    assert "never been heard" in found("beat.celery", lines).says
    assert "started in the last minute, ask again" in found("beat.celery", lines).do
    assert "ask again" not in found("beat.sweepers", lines).do
    told = re.search(r"last heard (\d+) s ago", found("beat.sweepers", lines).says)
    assert told and int(told[1]) >= 90


def test_beat_rings_every_queue_that_tasks_are_sent_to(settings: Settings) -> None:
    rung = {
        one["options"]["queue"]: one["args"]
        for one in settings.CELERY_BEAT_SCHEDULE.values()
        if one["task"] == hear.name
    }
    assert rung == {queue: (queue,) for queue in queues()}


# --- settings and folders


@pytest.mark.parametrize(
    ("changes", "look", "name", "verdict"),
    [
        ({"SECRET_KEY": "short"}, setup.secrets, "settings.secret_key", PROBLEM),
        (
            {"SECRET_KEY": "django-insecure-" + "abcdef" * 9},
            setup.secrets,
            "settings.secret_key",
            PROBLEM,
        ),
        ({"METRICS_TOKEN": "tiny"}, setup.secrets, "settings.metrics_token", PROBLEM),
        ({"WECHAT_APPS": {"wx1": ""}}, setup.secrets, "settings.wechat_apps", PROBLEM),
        ({"DEBUG": True}, setup.front, "settings.debug", PROBLEM),
        ({"ALLOWED_HOSTS": ["*"]}, setup.front, "settings.hosts", PROBLEM),
        ({"ALLOWED_HOSTS": []}, setup.front, "settings.hosts", PROBLEM),
        ({"TRUSTED_PROXIES": 0}, setup.front, "settings.proxies", WARNING),
        ({"TRUSTED_PROXIES": -1}, setup.front, "settings.proxies", PROBLEM),
        (
            {"WECHAT_PAY_MCHID": "1230000109"},
            setup.checks,
            "settings.checks.payments.E001",
            PROBLEM,
        ),
        ({"SANDBOX_PAYMENTS": True}, money.offered, "payments.providers", PROBLEM),
        ({"SANDBOX_PAYMENTS": False}, money.offered, "payments.providers", WARNING),
    ],
)
def test_in_production_a_setting_that_is_weak_or_half_is_found(
    settings: Settings, changes: dict[str, Any], look: Any, name: str, verdict: Verdict
) -> None:
    for setting, value in {"FAILPOINTS_ALLOWED": False, **changes}.items():
        setattr(settings, setting, value)

    assert found(name, look()).verdict == verdict


@pytest.mark.django_db
def test_draws_by_the_shop_s_own_beacon_are_told_of_in_production_only(settings: Settings) -> None:
    assert verdicts(draws.beacon()) == {"lottery.beacon": OK}

    settings.FAILPOINTS_ALLOWED = False
    assert verdicts(draws.beacon()) == {"lottery.beacon": WARNING}
    settings.LOTTERY_BEACON = "drand"
    assert verdicts(draws.beacon()) == {"lottery.beacon": OK}


@pytest.mark.django_db
@pytest.mark.parametrize("login", [demo.SHOPPER, demo.OPERATOR, demo.OWNER], ids=itemgetter(0))
def test_the_demo_s_public_passwords_are_found_where_there_is_no_demo(
    settings: Settings, login: tuple[str, str]
) -> None:
    name, password = login
    operator = User.objects.create_superuser(name, password=password)
    assert found("demo", work.demo()).verdict == OK

    settings.DEMO_GUIDE = settings.FAILPOINTS_ALLOWED = False
    line = found("demo", work.demo())
    assert (line.verdict, password in line.says) == (PROBLEM, False)
    operator.set_password("another-one-7")
    operator.save()
    assert found("demo", work.demo()).verdict == OK


def test_files_that_are_not_collected_and_a_folder_that_can_t_be_written_are_found(
    settings: Settings, tmp_path: Path
) -> None:
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "shop.storefront.assets.HashedStorage"},
    }
    (tmp_path / "file").write_text("in the way")
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    with override_settings(STATIC_ROOT=tmp_path / "static", STORAGES=storages):
        assert verdicts(setup.files()) == {"files.static": PROBLEM, "files.media": PROBLEM}
    settings.MEDIA_ROOT = tmp_path / "media"
    assert verdicts(setup.files()) == {"files.static": OK, "files.media": OK}
    assert not settings.MEDIA_ROOT.exists()


# --- what waits


@pytest.mark.django_db(transaction=True)
def test_work_that_waits_for_too_long_is_told_with_its_age() -> None:
    assert set(verdicts(work.work()).values()) == {OK}
    user, sku = make_user(), make_sku()
    queue = Queue.objects.create(kind="orders", name="queue")
    pending = place(user, {sku: 1})
    Order.objects.filter(pk=pending.pk).update(
        status="pending", created_at=Now() - timedelta(minutes=2), expires_at=None, queue=queue
    )
    overdue(place(user, {sku: 1}))
    Order.objects.filter(status="unpaid").update(expires_at=Now() - timedelta(minutes=5))
    Notice.objects.create(
        channel="log",
        event="paid",
        subject="1",
        user=user,
        facts={},
        state=Notice.State.DEAD,
        created_at=Now(),
        due_at=Now(),
    )

    lines = list(work.work())

    late = {line.name for line in lines if line.verdict == WARNING}
    waiting = {"work.orders.oldest_pending_seconds", "work.orders.oldest_overdue_seconds"}
    assert late == waiting | {"work.notices.dead"}
    assert found("work.notices.dead", lines).says == "1 notices were given up."


@pytest.mark.django_db(transaction=True)
def test_an_alarm_is_a_problem_until_it_is_seen_to() -> None:
    assert found("payments.alarms", money.alarms()).verdict == OK
    alarm = alarm_raise(PaymentAlarm.Kind.AMOUNT, provider="wechat", number="1")
    assert found("payments.alarms", money.alarms()).verdict == PROBLEM

    PaymentAlarm.objects.filter(pk=alarm.pk).update(handled_at=Now())

    assert found("payments.alarms", money.alarms()).verdict == OK
