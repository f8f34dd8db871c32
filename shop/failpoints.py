"""Named places where a crash or a delay would hurt, so that tests can make it happen there.

`FAILPOINT=name:action[,name:action]` in the environment arms them; actions are `kill` (SIGKILL to
this process), `raise` (RuntimeError) and the path of a file (stay for as long as it is there, at
most 20 seconds). Inert unless the settings allow it, which production never does.
"""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

# Every name in use, with where it stands; a typo in FAILPOINT is an error, not a test that passes.
NAMES = {
    "commit.before": "all of a transaction's work is done, nothing is committed",
    "commit.after": "committed, the caller does not know yet",
    "gate.admitted": "the gate has taken units off, nothing is stored",
    "drain.before": "a batch of pending rows is locked, nothing is settled",
    "drain.settled": "a batch is settled, nothing is committed",
    "drain.after": "a batch is committed, its gate and its next bell do not know yet",
    "gate.rebuild": "the database is read, the gate is not in place yet",
    "pool.end": "what waited is settled, the pool is not closed yet",
    "pool.closed": "the pool is closed, nothing is committed",
    "period.freeze": "a closed period's root is computed, nothing is published",
    "period.draw": "a draw's result is computed, nothing is stored",
    "payment.provider.after": "the provider has answered, we have not written it down",
    "refund.provider.after": "the provider has refunded, we have not written it down",
    "notice.sent": "a channel has taken a notice, we have not written it down",
    "sandbox.succeed.after": "the sandbox holds the money, its notification is not sent",
}
# Somebody else may have to come past before what the file waits for can happen.
MOST_SECONDS = 20.0


def parse(text: str) -> Mapping[str, str]:
    """The armed points of a FAILPOINT value. Raises ValueError for a name that does not exist."""
    armed = dict(part.split(":", 1) for part in text.split(",") if part)
    unknown = set(armed) - set(NAMES)
    if unknown:
        raise ValueError(f"no fail point named {sorted(unknown)}; there are {sorted(NAMES)}")
    return armed


_armed = parse(os.environ.get("FAILPOINT", ""))


def failpoint(name: str) -> None:
    """Does what FAILPOINT says for `name`; nothing where it says nothing."""
    if not _armed or not settings.FAILPOINTS_ALLOWED:
        return
    action = _armed.get(name)
    if action is None:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "raise":
        raise RuntimeError(f"fail point {name}")
    leave_at = time.monotonic() + MOST_SECONDS
    while Path(action).exists() and time.monotonic() < leave_at:
        time.sleep(0.02)
