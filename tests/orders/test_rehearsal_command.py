"""What `manage.py rehearse` refuses, and how it finds the server."""

import pytest
from django.core.management import CommandError, call_command

from orders.management.commands.rehearse import server_address
from shop.accounts.models import User

NOBODY = "http://127.0.0.1:9"


@pytest.mark.django_db
def test_production_is_not_rehearsed_in_unless_forced(settings):
    settings.FAILPOINTS_ALLOWED = False

    with pytest.raises(CommandError, match="These are production settings"):
        call_command("rehearse", "1", base=NOBODY)
    with pytest.raises(CommandError, match=f"^{NOBODY} does not answer"):
        call_command("rehearse", "1", base=NOBODY, force_production=True)

    assert User.objects.count() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--shoppers", "0"),
        ("--shoppers", "1.5"),
        ("--rate", "0"),
        ("--rate", "nan"),
        ("--rate", "inf"),
        ("--for", "-1"),
        ("--base", "127.0.0.1:8000"),
        ("--base", "ftp://127.0.0.1"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(CommandError):
        call_command("rehearse", "1", *arguments)


@pytest.fixture
def elsewhere(settings, monkeypatch, tmp_path):
    """A checkout where nothing runs."""
    monkeypatch.delenv("PORT", raising=False)
    settings.BASE_DIR = tmp_path
    (tmp_path / "var").mkdir()
    return tmp_path


def test_the_server_is_the_one_that_was_named(elsewhere):
    assert server_address("https://shop.example/") == ("https://shop.example", "--base")


def test_or_the_shop_that_runs_in_this_folder(elsewhere):
    lock = elsewhere / "var" / "shop.lock"
    lock.write_text("a shop on http://127.0.0.1:8123 (process 7)")

    assert server_address(None)[0] == "http://127.0.0.1:8123"


def test_or_where_a_shop_would_run(elsewhere, monkeypatch):
    (elsewhere / "var" / "shop.lock").write_text("")

    assert server_address(None)[0] == "http://127.0.0.1:8000"
    monkeypatch.setenv("PORT", "8005")
    assert server_address(None)[0] == "http://127.0.0.1:8005"
