"""One shop in a folder, and its data are its owner's."""

import stat
from pathlib import Path

import pytest
from django.db import connection

from deploy.local import running
from deploy.local.processes import LocalError
from tests.kit.marks import on_mariadb


@pytest.fixture
def lock(tmp_path, monkeypatch):
    var = tmp_path / "var"
    monkeypatch.setattr(running, "VAR", var)
    return var / "shop.lock"


def test_a_second_shop_is_told_which_one_is_there(lock):
    with (
        running.only_one(lock, "a shop on port 8000"),
        pytest.raises(LocalError, match="in use: a shop on port 8000"),
        running.only_one(lock, "another"),
    ):
        pass
    with running.only_one(lock, "another"):
        assert lock.read_text() == "another"


def test_nobody_else_on_the_machine_reads_what_the_shop_keeps(lock):
    lock.parent.mkdir(mode=0o755)  # as the settings make it when a command was there first
    with running.only_one(lock, "a shop"):
        assert stat.S_IMODE(lock.parent.stat().st_mode) == 0o700


class TestMariaDB:
    pytestmark = on_mariadb

    def test_its_temporary_tables_are_in_its_own_folder(self):
        """In one that servers share, each that starts removes those of all others."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@datadir, @@tmpdir")
            [(data, temporary)] = cursor.fetchall()

        assert Path(temporary) == Path(data).parent / "tmp"
