"""One shop in a folder, its data are its owner's, and its workers give way to the web."""

import os
import stat
import sys
from pathlib import Path

import pytest
from django.db import connection

from deploy.local import running
from deploy.local.processes import Child, LocalError
from tests.kit.marks import on_mariadb
from tests.ops.processes import run_python


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


@pytest.mark.parametrize("nice", [0, 5])
def test_a_process_gives_way_as_it_is_told_each_time_that_it_is_started(tmp_path, nice):
    command = [sys.executable, "-c", "import time; time.sleep(3600)"]
    child = Child("one", command, log=tmp_path / "one.log", nice=nice)
    try:
        for _ in range(2):
            child.start()
            assert os.getpriority(os.PRIO_PROCESS, child.pid) == nice
            group = Path(f"/proc/{child.pid}/autogroup")
            # Only where Linux shares the processor among sessions.
            assert not group.exists() or group.read_text().endswith(f" nice {nice}\n")
            child.kill()
    finally:
        child.kill()


def test_threads_of_the_web_change_sooner_than_python_has_them():
    code = "import sys, shop.wsgi; print(sys.getswitchinterval())"
    assert float(run_python(code).stdout) == 0.001


class TestMariaDB:
    pytestmark = on_mariadb

    def test_its_temporary_tables_are_in_its_own_folder(self):
        """In one that servers share, each that starts removes those of all others."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@datadir, @@tmpdir")
            [(data, temporary)] = cursor.fetchall()

        assert Path(temporary) == Path(data).parent / "tmp"
