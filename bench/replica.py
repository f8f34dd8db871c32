"""Commits that are made slower in a real way: a semi-synchronous replica that is some milliseconds
away.

A transaction of the primary is committed, and its locks are let go, when the replica has said that
it has received it (AFTER_SYNC, which MySQL calls lossless). The replica only receives: what it does
with it later would take processor time from what is measured, and nobody waits for that.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.relay import Relay
from deploy.local import servers
from deploy.local.processes import LocalError

CONNECT_SECONDS = 30.0


class MariaDB(servers.MariaDB):
    """With further options, which hold from its next start."""

    options: Sequence[str] = ()

    def _prepare(self) -> list[str | Path]:
        return [*super()._prepare(), *self.options]


class Replica(MariaDB):
    """What only receives."""

    name = "Replica"
    options = ("--server-id=2", "--rpl-semi-sync-slave-enabled=ON")


@contextmanager
def far_away(primary: MariaDB, folder: Path, *, milliseconds: float) -> Iterator[MariaDB]:
    """Restarts `primary`, on its data and port, with a replica whose word takes so long to arrive;
    yields the replica.

    Raises LocalError when the replica does not come.
    """
    primary.stop()
    primary.options = (
        "--server-id=1",
        "--log-bin=binlog",
        "--rpl-semi-sync-master-enabled=ON",
        "--rpl-semi-sync-master-wait-point=AFTER_SYNC",
        # Else the first statements would wait for the replica that is not there yet.
        "--rpl-semi-sync-master-wait-no-slave=OFF",
    )
    replica = Replica(folder)
    primary.start()
    with (
        Relay(host=servers.HOST, port=primary.port, delay_seconds=milliseconds / 1000) as relay,
        replica,
    ):
        replica.query(
            f"CHANGE MASTER TO MASTER_HOST='{servers.HOST}', MASTER_PORT={relay.port},"
            f" MASTER_USER='{primary.user}', MASTER_PASSWORD='{primary.password}';"
            " START SLAVE IO_THREAD;"
        )
        _wait_for_replica(primary, replica)
        yield replica


def _wait_for_replica(primary: MariaDB, replica: MariaDB) -> None:
    deadline = time.monotonic() + CONNECT_SECONDS
    while (
        _status(primary, "Rpl_semi_sync_master_clients") != "1"
        or _status(primary, "Rpl_semi_sync_master_status") != "ON"
    ):
        if time.monotonic() > deadline:
            state = replica.query("SHOW SLAVE STATUS")
            raise LocalError(f"The replica did not connect: {state}")
        time.sleep(0.05)


def _status(server: MariaDB, name: str) -> str:
    return server.query(f"SHOW GLOBAL STATUS LIKE '{name}'").split()[-1]
