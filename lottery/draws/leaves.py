"""An entry as it stands under the root, and the receipt its buyer gets for it.

A receipt says nothing about the entry to whoever does not know its nonce, and nobody can find
another entry with the same receipt.
"""

import secrets
from dataclasses import dataclass

from lottery.draws.merkle import leaf_hash
from lottery.draws.terms import MAX_SHARES

NONCE_BYTES = 16
LONGEST_ENTRY_NO = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """Entry `entry_no` (1 to 64 printable ASCII characters) bought the shares with the indices
    `first` to `first + count - 1`. `nonce`: 16 random bytes of its own."""

    entry_no: str
    first: int
    count: int
    nonce: bytes

    def __post_init__(self) -> None:
        no = self.entry_no
        if not (1 <= len(no) <= LONGEST_ENTRY_NO and no.isascii() and no.isprintable()):
            raise ValueError(f"not an entry's number: {no!r}")
        if not (self.first >= 0 and 1 <= self.count <= MAX_SHARES - self.first):
            raise ValueError(f"no {self.count} shares from {self.first} on")
        if len(self.nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce is {NONCE_BYTES} bytes")

    def encode(self) -> bytes:
        """length of entry_no, one byte || entry_no || first || count || nonce; the two integers are
        8 bytes each, the most significant first."""
        no = self.entry_no.encode("ascii")
        shares = self.first.to_bytes(8, "big") + self.count.to_bytes(8, "big")
        return bytes([len(no)]) + no + shares + self.nonce

    @property
    def receipt(self) -> str:
        """64 hex digits: the leaf's hash."""
        return leaf_hash(self.encode()).hex()


def new_nonce() -> bytes:
    """16 bytes from the operating system."""
    return secrets.token_bytes(NONCE_BYTES)
