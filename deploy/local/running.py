"""What runs in this folder: one shop at a time, and `manage.py` talks to it; one run of the tests.

A lock says whether it runs: the system takes it back from a process however that ended, so nothing
can go stale. `var/running.env` beside it carries the settings to `manage.py`.
"""

import fcntl
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.local.processes import VAR, LocalError, private_directory, write_private

SHOP_LOCK = VAR / "shop.lock"
TESTS_LOCK = VAR / "tests.lock"
ENVIRONMENT = VAR / "running.env"


@contextmanager
def only_one(lock: Path, what: str) -> Iterator[None]:
    """Holds `lock`; `what` tells others by whom. Raises LocalError when another has it."""
    private_directory(VAR)  # the database in it holds people's addresses
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise LocalError(
                f"This folder is in use: {file.read().strip()}. Stop that first."
            ) from error
        file.truncate(0)
        file.write(what)
        file.flush()
        yield
        file.truncate(0)


@contextmanager
def announced(env: Mapping[str, str]) -> Iterator[None]:
    """While inside, `manage.py` in this folder runs with these settings."""
    write_private(ENVIRONMENT, "".join(f"{name}={value}\n" for name, value in env.items()))
    try:
        yield
    finally:
        ENVIRONMENT.unlink(missing_ok=True)


def forget() -> int:
    """`make clean`: deletes the data of this folder's shops and tests, unless one runs."""
    try:
        with only_one(SHOP_LOCK, "make clean"), only_one(TESTS_LOCK, "make clean"):
            shutil.rmtree(VAR, ignore_errors=True)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(forget())
