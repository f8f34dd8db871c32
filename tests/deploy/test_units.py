"""The systemd units: taken by systemd, shut in, and their commands run, stop and are compose's."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import packages
from deploy.local.processes import Child
from deploy.local.servers import Redis
from settings.base import CELERY_TASK_ROUTES
from tests.deploy.conftest import Shop
from tests.deploy.units import FOLDER, PROCESSES, Unit
from tests.ops.processes import ROOT

WORKERS = ["scarce-worker-drains.service", "scarce-worker-sweepers.service"]
BEAT = "scarce-beat.service"
# systemd's own measure, 0 to 10; its plain service has 9.2.
EXPOSURE = 1.5


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as on a machine, but of this checkout: systemd looks whether programs exist."""
    folder = tmp_path / "system"
    shutil.copytree(FOLDER, folder)
    for file in folder.rglob("*"):
        if file.is_file():
            text = file.read_text().replace("/opt/scarce/.venv", str(Path(sys.prefix)))
            file.write_text(text.replace("/opt/scarce", str(ROOT)))
    return folder


def systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = packages.find("systemd-analyze")
    if program is None:
        pytest.skip("this machine has no systemd-analyze")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this machine's systemd-analyze is too old")
    return done


def test_systemd_takes_every_unit_without_a_warning(installed: Path) -> None:
    verified = systemd_analyze("verify", *sorted(installed.glob("*.service")))
    about_us = [line for line in verified.stderr.splitlines() if "scarce" in line]
    assert (verified.returncode, about_us) == (0, [])


def test_every_process_is_shut_in(installed: Path) -> None:
    for name in PROCESSES:
        judged = systemd_analyze("security", "--offline=true", installed / name)
        found = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)
        assert found, judged.stderr
        assert float(found[1]) <= EXPOSURE, name


def test_every_process_comes_back_and_goes_with_the_shop() -> None:
    wanted = Unit.read("scarce.service").values("Wants")[0].split()
    assert sorted(wanted) == sorted(PROCESSES)
    assert sorted(path.name for path in FOLDER.glob("scarce-*.service")) == sorted(PROCESSES)
    for name in PROCESSES:
        unit = Unit.read(name)
        assert unit.values("PartOf") == unit.values("Requires") == ["scarce.service"]
        assert unit.values("Restart") == ["always"]
        assert unit.values("StartLimitIntervalSec") == ["0"]
        assert unit.values("EnvironmentFile") == ["/etc/scarce/scarce.env"]


def test_every_queue_that_tasks_go_to_has_a_worker_and_only_one() -> None:
    lines = [Unit.read(name).line() for name in WORKERS]
    heard = [queue for line in lines for queue in line[line.index("--queues") + 1].split(",")]
    routed = {str(route["queue"]) for route in CELERY_TASK_ROUTES.values()}
    assert sorted(heard) == sorted(routed | {"celery"})


def test_workers_hear_beat_and_all_of_them_finish_when_they_are_asked(
    shop: Shop, tmp_path: Path
) -> None:
    if missing := packages.SERVERS.missing():
        pytest.skip(f"not found: {', '.join(missing)}")
    with Redis(tmp_path / "redis") as redis, ExitStack() as stack:
        env = {
            **shop.variables,
            "CELERY_BROKER_URL": redis.env()["REDIS_URL"],
            "LOG_LEVEL": "DEBUG",  # a line a task
        }

        def start(name: str) -> Child:
            child = Child(name, Unit.read(name).command(), log=tmp_path / f"{name}.log", env=env)
            child.start()
            stack.callback(child.kill)
            return child

        def says(child: Child, words: str) -> None:
            child.wait_until(lambda: words in child.log.read_text(), seconds=120)

        drains, sweepers, beat = children = [start(name) for name in (*WORKERS, BEAT)]
        says(drains, "ready.")
        says(sweepers, "orders.tasks.expire_orders")
        says(beat, "orders.tasks.expire_orders sent")
        for child in children:
            os.kill(child.pid, signal.SIGTERM)
        for child in children:
            child.finish(seconds=120)
            assert child.exit_code() == 0, child.name  # not -9
    # Drains are apart: nothing else is heard there.
    assert "orders.tasks" not in drains.log.read_text().partition("ready.")[2]
