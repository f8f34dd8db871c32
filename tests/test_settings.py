"""Production settings say what is missing; the defaults suit a machine that has nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "settings.production",
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": "shop.example",
    "MYSQL_PASSWORD": "secret",
    "REDIS_URL": "redis://redis.example/0",
    "CELERY_BROKER_URL": "redis://redis.example/1",
}
SHOW = "import django.conf; s = django.conf.settings; print(repr((s.DEBUG, s.SANDBOX_PAYMENTS)))"


def python(code: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What a new process says of `code` when it knows `env` alone."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_production_starts_with_all_it_needs_and_without_what_is_for_play():
    started = python(SHOW, PRODUCTION)
    assert (started.returncode, started.stdout) == (0, "(False, False)\n"), started.stderr


@pytest.mark.parametrize("missing", sorted(set(PRODUCTION) - {"DJANGO_SETTINGS_MODULE"}))
def test_production_refuses_to_start_without_a_secret_and_names_it(missing):
    env = {name: value for name, value in PRODUCTION.items() if name != missing}
    refused = python(SHOW, env)
    assert refused.returncode != 0
    assert missing in refused.stderr.splitlines()[-1]


def test_a_fail_point_in_the_environment_does_nothing_in_production():
    env = {**PRODUCTION, "FAILPOINT": "commit.after:raise"}
    code = "from shop.failpoints import failpoint; failpoint('commit.after'); print('went on')"
    assert python(code, env).stdout == "went on\n"


def test_a_fail_point_that_does_not_exist_is_a_mistake():
    env = {**PRODUCTION, "FAILPOINT": "comit.after:raise"}
    refused = python("import shop.failpoints", env)
    assert "no fail point named ['comit.after']" in refused.stderr


@pytest.mark.parametrize(
    ("answers", "rings"),
    [
        ({}, False),
        ({"ORDER_AUTO_ACCEPT": "on"}, True),
        ({"ORDER_REFUSE_SECONDS": "600"}, True),
    ],
)
def test_the_bell_for_orders_without_an_answer_rings_only_where_the_shop_answers(answers, rings):
    code = (
        "from django.conf import settings; print('answer-orders' in settings.CELERY_BEAT_SCHEDULE)"
    )
    assert python(code, PRODUCTION | answers).stdout == f"{rings}\n"
