"""A MariaDB and a Redis of our own: data in a folder, a private port, a random password.

They read no configuration of the machine and write nothing outside their folder. Tests, benchmark
and `make stack` share them. `kill` and `start` bring a server back on the same data and port, which
is what tests of faults are made of. Whether the programs exist is `ensure_installed`'s business,
what is stored in them the caller's.
"""

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import packages
from deploy.local.processes import (
    Child,
    LocalError,
    free_port,
    private_directory,
    write_private,
)

HOST = "127.0.0.1"
START_SECONDS = 180.0
STOP_SECONDS = 30.0


def ensure_installed() -> None:
    """Sees that the programs are there, installing them where that is possible.

    Raises LocalError, saying what to install, where it is not.
    """
    packages.ensure(packages.SERVERS)


class Server:
    """One server process with its folder. A context manager: started inside, stopped after.

    `port` is chosen when the object is made and stays; `directory` may be of an earlier run.
    """

    name: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.password = ""
        self.process: Child | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id. Raises LocalError when it has not been started."""
        if self.process is None:
            raise LocalError(f"{self.name} has not been started.")
        return self.process.pid

    def exit_code(self) -> int | None:
        """None while it runs (or before it was started); negative: the signal that ended it."""
        return self.process.exit_code() if self.process else None

    def start(self) -> None:
        """Starts it, making its data first if there is none, and waits until it answers.

        Raises LocalError, with the end of its log, when it does not.
        """
        private_directory(self.directory)
        self.password = self._password()
        self.process = Child(
            self.name,
            self._prepare(),
            log=self.directory / "server.log",
            cwd=self.directory,
        )
        self.process.start()
        try:
            self.process.wait_until(lambda: self.version() is not None, seconds=START_SECONDS)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stops it in good order."""
        if self.process:
            self.process.stop(seconds=STOP_SECONDS)

    def kill(self) -> None:
        """Ends it as a power cut would: SIGKILL, nothing written down."""
        if self.process:
            self.process.kill()

    def env(self) -> Mapping[str, str]:
        """Where it is and how to get in, for the shop's settings."""
        raise NotImplementedError

    def version(self) -> str | None:
        """The version it reports of itself; None when it does not answer."""
        raise NotImplementedError

    def served(self) -> int:
        """Statements or commands it has carried out since its start."""
        raise NotImplementedError

    def _prepare(self) -> list[str | Path]:
        raise NotImplementedError

    def _password(self) -> str:
        file = self.directory / "password"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24))
        return file.read_text()


class MariaDB(Server):
    """MariaDB, durable (every COMMIT is on disk before it is answered).

    The shop's user may do everything: the server is its own.
    """

    name = "MariaDB"
    user = "scarce"
    database = "scarce"

    def env(self) -> Mapping[str, str]:
        return {
            "MYSQL_HOST": HOST,
            "MYSQL_PORT": str(self.port),
            "MYSQL_USER": self.user,
            "MYSQL_PASSWORD": self.password,
            "MYSQL_DATABASE": self.database,
        }

    def version(self) -> str | None:
        # A server that takes connections speaks first: packet header, protocol 10, its version.
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                greeting = connection.recv(128)
        except OSError:
            return None
        if len(greeting) < 6 or greeting[4] != 10:
            return None
        version = greeting[5:].partition(b"\0")[0].decode()
        # Older clients expect 5.5.5- in front of a version of two digits.
        return version.removeprefix("5.5.5-").partition("-")[0]

    def served(self) -> int:
        return int(self.query("SHOW GLOBAL STATUS LIKE 'Questions'").split()[-1])

    def query(self, sql: str) -> str:
        """Runs SQL as the shop's user; the rows, tabs between the columns.

        Raises LocalError with the server's words when it refuses.
        """
        client = [
            *(_program("mariadb"), "--no-defaults", "--batch", "--skip-column-names"),
            *(f"--host={HOST}", f"--port={self.port}", f"--user={self.user}"),
        ]
        env = {**os.environ, "MYSQL_PWD": self.password}
        done = subprocess.run(
            client, input=sql, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise LocalError(f"MariaDB refused: {done.stderr.strip()}")
        return done.stdout

    @property
    def data(self) -> Path:
        """The folder of its tables."""
        return self.directory / "data"

    @property
    def _temporary(self) -> Path:
        # Of its own: in a shared one, a server that starts removes the temporary tables of others.
        return self.directory / "tmp"

    def _prepare(self) -> list[str | Path]:
        private_directory(self._temporary)
        if not self.data.exists():
            self._create_data()
        # Carried out at each start, before the first connection is taken.
        write_private(
            self.directory / "init.sql",
            f"CREATE DATABASE IF NOT EXISTS {self.database}"
            " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n"
            f"CREATE OR REPLACE USER {self.user}@'{HOST}'"
            f" IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {self.user}@'{HOST}';\n",
        )
        return [
            _program("mariadbd"),
            "--no-defaults",
            *_as_ourselves(),
            f"--datadir={self.data}",
            f"--init-file={self.directory / 'init.sql'}",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            "--socket=server.sock",
            f"--pid-file={self.directory / 'pid'}",
            f"--tmpdir={self._temporary}",
            f"--secure-file-priv={self.data}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--innodb-flush-log-at-trx-commit=1",
            "--max-connections=500",
        ]

    def _create_data(self) -> None:
        # Half-made data never carries the final name.
        draft = self.directory / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        command = [
            _program("mariadb-install-db"),
            "--no-defaults",
            *_as_ourselves(),
            f"--datadir={draft}",
            "--auth-root-authentication-method=socket",
            "--skip-name-resolve",
            "--skip-test-db",
        ]
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={
                **os.environ,
                "PATH": packages.SEARCH_PATH,
                "TMPDIR": str(self._temporary),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LocalError(f"mariadb-install-db failed:\n{done.stdout[-2000:]}{done.stderr}")
        draft.rename(self.data)


class Redis(Server):
    """Redis that keeps nothing on disk and evicts nothing: after a kill it comes back empty."""

    name = "Redis"

    def env(self) -> Mapping[str, str]:
        server = f"redis://:{self.password}@{HOST}:{self.port}"
        return {"REDIS_URL": f"{server}/0", "GATE_REDIS_URL": f"{server}/1"}

    def version(self) -> str | None:
        return self._info("server").get("redis_version")

    def served(self) -> int:
        return int(self._info("stats").get("total_commands_processed", "0"))

    def _prepare(self) -> list[str | Path]:
        # In a file, where `ps` does not show the password.
        write_private(
            self.directory / "redis.conf",
            f"bind {HOST}\nport {self.port}\nrequirepass {self.password}\ndir ./\n"
            'save ""\nappendonly no\nmaxmemory-policy noeviction\ndaemonize no\nlogfile ""\n',
        )
        return [_program("redis-server"), "./redis.conf"]

    def _info(self, section: str) -> dict[str, str]:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nINFO {section}\r\nQUIT\r\n".encode())
                answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError:
            return {}
        return dict(line.split(":", 1) for line in answer.splitlines() if ":" in line)


def _program(name: str) -> str:
    path = packages.find(name)
    if path is None:
        raise LocalError(f"{name} is not installed.")
    return path


def _as_ourselves() -> list[str]:
    # mariadbd becomes root only when told so; a user of its own could not read this folder where
    # the project stands in a home directory.
    return ["--user=root"] if os.geteuid() == 0 else []
