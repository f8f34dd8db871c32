"""Merkle trees of RFC 6962: reference vectors, a second implementation, what paths prove."""

import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery.draws import merkle
from lottery.verify_draw import merkle_root

# The vectors of certificate transparency's reference implementation (transparency-dev/merkle,
# testonly/constants.go and reference_test.go): leaves, the roots over the first n of them, paths.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 1): [],
    (0, 2): ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"],
    (1, 2): ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}

lists = st.lists(st.binary(max_size=40), max_size=70)


def sha256(data):
    return hashlib.sha256(data).digest()


def by_definition(leaves):
    """The root as the RFC writes it down, recursively."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0])
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference(size):
    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size]
    assert by_definition(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_paths_are_those_of_the_reference(index, size):
    siblings = merkle.path(LEAVES[:size], index)
    assert [sibling.hex() for sibling in siblings] == PATHS[index, size]


@given(lists)
def test_the_root_is_the_definitions(leaves):
    assert merkle.root(iter(leaves)) == by_definition(leaves)


@given(lists.filter(bool))
def test_the_verifier_of_transcripts_finds_the_same_root(leaves):
    assert merkle_root([merkle.leaf_hash(leaf) for leaf in leaves]) == merkle.root(leaves)


@given(lists.filter(bool), st.data())
def test_a_path_proves_its_leaf_and_no_other(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, siblings = merkle.root(leaves), merkle.path(leaves, index)
    proof = {"index": index, "size": len(leaves), "siblings": siblings}
    assert merkle.is_under(root, leaf=leaves[index], **proof)
    assert not merkle.is_under(root, leaf=leaves[index] + b"x", **proof)
    assert not merkle.is_under(sha256(root), leaf=leaves[index], **proof)


def test_a_path_proves_one_place_only():
    leaves = [bytes([number]) for number in range(23)]
    root = merkle.root(leaves)
    for index, leaf in enumerate(leaves):
        siblings = merkle.path(leaves, index)
        places = [
            place
            for place in range(-1, 30)
            if merkle.is_under(root, leaf=leaf, index=place, size=23, siblings=siblings)
        ]
        assert places == [index]


def test_a_path_with_a_part_changed_missing_or_added_proves_nothing():
    leaves = [bytes([number]) for number in range(23)]
    root = merkle.root(leaves)
    for index, leaf in enumerate(leaves):
        good = merkle.path(leaves, index)
        others = [[*good[:at], sha256(part), *good[at + 1 :]] for at, part in enumerate(good)]
        for siblings in [*others, good[:-1], good[1:], [*good, root], good[::-1]]:
            assert siblings == good or not merkle.is_under(
                root, leaf=leaf, index=index, size=23, siblings=siblings
            )


def test_a_node_is_no_leaf():
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    assert merkle.root([b"a", b"b"]) == merkle.node_hash(left, right)
    assert merkle.root([left + right]) != merkle.root([b"a", b"b"])


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_path_to_a_leaf_that_is_not_there(index):
    with pytest.raises(ValueError, match="of 3"):
        merkle.path([b"a", b"b", b"c"], index)


def test_a_root_over_many_leaves_remembers_few_of_them():
    tracemalloc.start()
    merkle.root(number.to_bytes(1_000, "big") for number in range(10_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000
