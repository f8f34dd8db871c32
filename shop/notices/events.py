"""What may be told: each app registers its own events, in a module named `notices`.

An event names its facts, and nothing else of it is ever written down or sent. No fact says who
somebody is: the row names its user, and a channel looks up what it needs when it sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.utils.functional import Promise

# What every notice has without its event's naming it: when it was written.
TIME = "time"


@dataclass(frozen=True, slots=True)
class Event:
    """`facts`: names of what is told; one that ends in `_fen` is money."""

    name: str
    title: "str | Promise"
    facts: frozenset[str]


_events: dict[str, Event] = {}
EVENTS: Mapping[str, Event] = MappingProxyType(_events)


def register(event: Event) -> Event:
    """Makes an event known to settings, checks and operators; returns it."""
    _events[event.name] = event
    return event
