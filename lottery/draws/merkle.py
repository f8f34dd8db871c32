"""Merkle trees as RFC 6962, section 2.1, defines them: one root stands for all entries, in order.

Leaves and nodes are hashed apart (0x00, 0x01), so no node passes for a leaf; a tree of n leaves is
split at the largest power of two below n, so no two lists of leaves have one root.
"""

import hashlib
from collections.abc import Iterable, Sequence


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over `leaves`, read once; remembers at most one hash for each level.

    The root of no leaves is SHA-256 of nothing.
    """
    # Complete subtrees, the largest first: their sizes are the bits of `count`.
    complete: list[bytes] = []
    for count, leaf in enumerate(leaves, start=1):
        top = leaf_hash(leaf)
        while count % 2 == 0:
            top = node_hash(complete.pop(), top)
            count //= 2
        complete.append(top)
    if not complete:
        return hashlib.sha256().digest()
    top = complete.pop()
    while complete:
        top = node_hash(complete.pop(), top)
    return top


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """What proves that leaf `index` is under the root: its siblings, from the leaf upwards."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} of {len(leaves)}")
    level = [leaf_hash(leaf) for leaf in leaves]
    siblings: list[bytes] = []
    while len(level) > 1:
        if index ^ 1 < len(level):
            siblings.append(level[index ^ 1])
        # The last of an odd number has no sibling and moves up as it is.
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [node_hash(left, right) for left, right in pairs] + odd
        index //= 2
    return siblings


def is_under(
    root_hash: bytes, *, leaf: bytes, index: int, size: int, siblings: Sequence[bytes]
) -> bool:
    """Whether `siblings` prove that `leaf` is number `index` of `size` leaves under the root."""
    if not 0 <= index < size:
        return False
    last, top = size - 1, leaf_hash(leaf)
    for sibling in siblings:
        if last == 0:
            return False
        if index % 2 or index == last:
            top = node_hash(sibling, top)
            while index % 2 == 0:
                index, last = index // 2, last // 2
        else:
            top = node_hash(top, sibling)
        index, last = index // 2, last // 2
    return last == 0 and top == root_hash
