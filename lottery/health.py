"""How long entries wait to be settled, and periods for what comes next, as a check of
`shop.ops.health`.

A draw that waits is no reason to take the web away: the check gives ages, and whoever reads them
decides. It fails only when they can't be read.
"""

from lottery.figures import Wait, standings
from lottery.pending import EntryQueue
from shop.ops.health import Figures, register


def backlog() -> Figures:
    """Seconds that the oldest has waited, 0 where none waits.

    `pending`: entries, their shares not taken yet. `unclosed`: periods that are over, and not
    closed with their root. `undrawn`: what decides it is out, and it is not drawn. `unnumbered`:
    classic ones, whose public number two operators have not typed in. `unreturned`: cancelled ones,
    some of whose money is not back.
    """
    waited: dict[Wait, int] = {}
    for _period, standing in standings():
        waited[standing.wait] = max(standing.seconds, waited.get(standing.wait, 0))
    return {
        "oldest_pending_seconds": EntryQueue().waited(),
        "oldest_unclosed_seconds": max(waited.get(Wait.CLOSE, 0), waited.get(Wait.ROOT, 0)),
        "oldest_undrawn_seconds": waited.get(Wait.DRAW, 0),
        "oldest_unnumbered_seconds": waited.get(Wait.NUMBER, 0),
        "oldest_unreturned_seconds": waited.get(Wait.MONEY, 0),
    }


register("lottery", backlog)
