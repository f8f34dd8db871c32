"""The deeds that a second person may be asked about: each app registers its own, in a module of
this name. What a proposal names is looked up here, and nothing here knows an app."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.functional import Promise

from shop.approvals.deciding import Decide
from shop.approvals.models import Proposal

if TYPE_CHECKING:
    from shop.accounts.models import User

# What there is to know before deciding: (what it is called, what it will be).
Facts = Sequence[tuple["str | Promise", Any]]


@dataclass(frozen=True, slots=True)
class Deed:
    """`name`: "part.verb"; the part is what SECOND_PERSON_FOR names."""

    name: str
    title: "str | Promise"
    # What will change, read now.
    facts: Callable[[Proposal], Facts]
    # Does it: calls `decide` first thing in its transaction (`deciding.approve`).
    carry_out: Callable[[Proposal, "User", Decide], object]
    # The address of the page of what it is about, or of what has come of it; none: "".
    page: Callable[[Proposal], str]

    @property
    def part(self) -> str:
        return self.name.split(".")[0]


DEEDS: dict[str, Deed] = {}


def register(*deeds: Deed) -> None:
    """Makes deeds known, by their names."""
    for deed in deeds:
        DEEDS[deed.name] = deed


def asks_second_person(part: str) -> bool:
    """Whether this shop asks a second person about deeds of that part."""
    return part in settings.SECOND_PERSON_FOR
