"""The Merkle tree against RFC 6962 (T-A01, T-A03): roots, every proof up to size 70, and corrupted proofs."""

from __future__ import annotations

import hashlib
import random

import pytest

from planner.security.merkle import (
    EMPTY,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    root_of,
)

# The test tree of the Certificate Transparency reference code: its eight entries and the roots of its beginnings.
ENTRIES = [
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
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
SIZES = range(1, 71)
MANY = [n.to_bytes(2, "big") for n in range(70)]


def recursive_root(entries: list[bytes]) -> bytes:
    """MTH as section 2.1 writes it: a second way to the root."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return hashlib.sha256(b"\1" + recursive_root(entries[:k]) + recursive_root(entries[k:])).digest()


def test_T_A01_known_roots() -> None:
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" == root_of([]).hex()
    assert [root_of(ENTRIES[:n]).hex() for n in range(1, 9)] == list(ROOTS)
    assert all(root_of(MANY[:n]) == recursive_root(MANY[:n]) for n in SIZES)


def test_T_A01_every_inclusion_proof_to_size_70() -> None:
    for size in SIZES:
        root = root_of(MANY[:size])
        for index in range(size):
            proof = inclusion_proof(MANY[:size], index)
            assert is_included(MANY[index], index, size, proof, root)
            assert not is_included(MANY[index] + b"x", index, size, proof, root)
            for other in {index - 1, index + 1} & set(range(size)):
                assert not is_included(MANY[index], other, size, proof, root)


def test_T_A01_every_consistency_proof_to_size_70() -> None:
    roots = [root_of(MANY[:size]) for size in range(71)]
    for second in SIZES:
        for first in range(1, second + 1):
            proof = consistency_proof(MANY[:second], first)
            assert is_consistent(first, roots[first], second, roots[second], proof)
            assert not is_consistent(first, roots[first - 1], second, roots[second], proof)
            assert not is_consistent(first, roots[first], second, roots[second - 1], proof)


def corrupted(proof: tuple[bytes, ...], rng: random.Random) -> tuple[bytes, ...]:
    """One node flipped, dropped, doubled or exchanged with its neighbour."""
    nodes, at = list(proof), rng.randrange(len(proof))
    kind = rng.randrange(4)
    if kind == 0:
        nodes[at] = bytes([nodes[at][0] ^ 1]) + nodes[at][1:]
    elif kind == 1:
        del nodes[at]
    elif kind == 2:
        nodes.insert(at, nodes[at])
    else:
        nodes[at], nodes[at - 1] = nodes[at - 1], nodes[at]
    return tuple(nodes)


def test_T_A01_no_corrupted_proof_is_accepted() -> None:
    rng, tried = random.Random(6962), 0
    for _ in range(4000):
        size = rng.randrange(2, 71)
        root, at = root_of(MANY[:size]), rng.randrange(size)
        proof = inclusion_proof(MANY[:size], at)
        bad = corrupted(proof, rng)
        if bad != proof:
            assert not is_included(MANY[at], at, size, bad, root)
            tried += 1
        first = rng.randrange(1, size)
        proof = consistency_proof(MANY[:size], first)
        if proof and (bad := corrupted(proof, rng)) != proof:
            assert not is_consistent(first, root_of(MANY[:first]), size, root, bad)
            tried += 1
    assert tried > 6000


def test_T_A03_a_node_is_no_leaf() -> None:
    """A second preimage: two leaves' hashes side by side, offered as one entry of a smaller tree."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    root = root_of([b"a", b"b"])
    assert node_hash(left, right) == root
    assert not is_included(left + right, 0, 1, (), root)
    assert root_of([left + right]) != root


@pytest.mark.parametrize("index", [-1, 2, 99])
def test_indices_outside_the_tree(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof([b"a", b"b"], index)
    assert not is_included(b"a", index, 2, (), root_of([b"a", b"b"]))
    assert not is_consistent(0, EMPTY, 2, root_of([b"a", b"b"]), ())
    with pytest.raises(IndexError):
        consistency_proof([b"a"], 0)
