"""The Merkle tree of RFC 6962: root, inclusion and consistency proofs, and their verification.

A leaf is hashed with prefix 0, a node with prefix 1, so that no node passes for a leaf.  ``entries`` below are the
bytes that a leaf stands for; all hashes are SHA-256, 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()

Peaks = tuple[bytes, ...]
"""Roots of the complete subtrees of a tree of known size, the largest first: one for every 1 in the binary size."""


def leaf_hash(entry: bytes) -> bytes:
    """MTH({d}) of RFC 6962, section 2.1."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(entries: Sequence[bytes]) -> bytes:
    """MTH(D) of RFC 6962, section 2.1."""
    peaks: Peaks = ()
    for size, entry in enumerate(entries):
        peaks = grown(peaks, size, entry)
    return root_of_peaks(peaks)


def grown(peaks: Peaks, size: int, entry: bytes) -> Peaks:
    """The peaks after one more entry behind ``size`` others: as many merge as the size has trailing ones."""
    new = leaf_hash(entry)
    while size & 1:
        new, peaks, size = node_hash(peaks[-1], new), peaks[:-1], size >> 1
    return (*peaks, new)


def root_of_peaks(peaks: Peaks) -> bytes:
    """The root over the peaks, from the right."""
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def inclusion_proof(entries: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """PATH(m, D[n]) of section 2.1.1, from the leaf to the root."""
    if not 0 <= index < len(entries):
        raise IndexError(index)
    if len(entries) == 1:
        return ()
    k = _split(len(entries))
    if index < k:
        return (*inclusion_proof(entries[:k], index), root_of(entries[k:]))
    return (*inclusion_proof(entries[k:], index - k), root_of(entries[:k]))


def consistency_proof(entries: Sequence[bytes], first: int) -> tuple[bytes, ...]:
    """PROOF(m, D[n]) of section 2.1.2: that the tree of ``first`` entries is the beginning of this one."""
    if not 0 < first <= len(entries):
        raise IndexError(first)
    return _subproof(entries, first, whole=True)


def _subproof(entries: Sequence[bytes], first: int, whole: bool) -> tuple[bytes, ...]:
    if first == len(entries):
        return () if whole else (root_of(entries),)
    k = _split(len(entries))
    if first <= k:
        return (*_subproof(entries[:k], first, whole), root_of(entries[k:]))
    return (*_subproof(entries[k:], first - k, False), root_of(entries[:k]))


def is_included(entry: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """True if ``proof`` shows ``entry`` at ``index`` of the tree of ``size`` entries with that ``root``."""
    if not 0 <= index < size:
        return False
    node, last, hash_ = index, size - 1, leaf_hash(entry)
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            hash_ = node_hash(sibling, hash_)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and hash_ == root


def is_consistent(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """True if ``proof`` shows that the tree of ``first`` entries begins the one of ``second`` (RFC 9162, 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
