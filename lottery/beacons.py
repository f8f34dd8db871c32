"""The beacons that this shop may draw by: which they are, and how long each must be waited for.

What they say is asked for by `lottery.drawing` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lottery.draws.identity import DRAND, LOCAL, LOCAL_SECONDS, QUICKNET, BeaconIdentity


@dataclass(frozen=True, slots=True)
class Choice:
    """A beacon, and the seconds from the moment that a root is public to the round that decides."""

    identity: BeaconIdentity
    delay_seconds: int


CHOICES: Mapping[str, Choice] = {
    DRAND: Choice(QUICKNET, 60),
    # Its values follow from the shop's own secret: it shows how a draw works, and binds nobody.
    LOCAL: Choice(LOCAL_SECONDS, 5),
}
