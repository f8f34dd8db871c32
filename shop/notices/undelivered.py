"""Why a channel did not send a notice, and what that means for the next attempt."""

from enum import Enum, auto


class Fate(Enum):
    UNWANTED = auto()  # whoever it is for does not want it, or can't be reached that way: over
    HOPELESS = auto()  # it will never be taken as it is: somebody must mend something
    LATER = auto()  # perhaps the next time
    RESTING = auto()  # the channel asks nobody for a while: no attempt was made


class Undelivered(Exception):
    """`why`: a word and a number for operators; nothing of the notice or its person."""

    def __init__(self, fate: Fate, why: str) -> None:
        super().__init__(why)
        self.fate = fate
        self.why = why
