"""What a POST that created something is answered with, whoever carries it to the client."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Placed:
    """`data` as the renderer takes it, the status and the headers beside it."""

    data: Any
    status: int
    headers: Mapping[str, str]
