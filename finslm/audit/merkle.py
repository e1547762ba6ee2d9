"""Merkle tree of RFC 9162 section 2.1 (the same hashing as RFC 6962), over stored nodes.

Every complete subtree has one *node*, stored once, in the order in which appends complete them: the
leaf first, then each subtree that it closes. That is the layout of ``golang.org/x/mod/sumdb/tlog``;
with it, a root or a proof of any past size is O(log² n) reads, and an append writes two hashes on average.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

HASH_BYTES: Final = 32
"""SHA-256."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 9162 section 2.1.1)."""

ReadNode = Callable[[int], bytes]
"""Gives the stored node at a position (see :func:`node_position`)."""


def leaf_hash(entry: bytes) -> bytes:
    """``SHA-256(0x00 || entry)``."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """``SHA-256(0x01 || left || right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def node_position(level: int, n: int) -> int:
    """Position of the ``n``-th complete subtree of ``2**level`` leaves among the stored nodes."""
    last_leaf = ((n + 1) << level) - 1
    return node_count(last_leaf) + level


def node_count(size: int) -> int:
    """Nodes stored for a tree of ``size`` leaves: ``2 * size`` less the bits set in ``size``."""
    return 2 * size - size.bit_count()


class Frontier:
    """The roots of the complete subtrees on the right edge: all that an append needs, O(log n)."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, got {len(peaks)}")
        self.size = size
        self._peaks = list(peaks)

    def append(self, leaf: bytes) -> list[bytes]:
        """Add a leaf hash; return the nodes to store, the leaf itself first."""
        nodes = [leaf]
        for _ in range(_trailing_ones(self.size)):
            nodes.append(node_hash(self._peaks.pop(), nodes[-1]))
        self._peaks.append(nodes[-1])
        self.size += 1
        return nodes

    def root(self) -> bytes:
        """Root of the tree as it stands."""
        return _fold(self._peaks) if self._peaks else EMPTY_ROOT

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, the largest first.

        From the smallest up they are the inclusion proof of the leaf that is appended next, in the tree that it ends.
        """
        return tuple(self._peaks)


def root(size: int, read: ReadNode) -> bytes:
    """Root of the first ``size`` leaves."""
    return _range_root(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """PATH(index, D[size]) of RFC 9162 section 2.1.3.1, from the leaf up.

    Raises:
        ValueError: not ``0 <= index < size``.
    """
    if not 0 <= index < size:
        raise ValueError(f"index {index} is not in a tree of {size} leaves")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_root(middle, high, read))
            high = middle
        else:
            path.append(_range_root(low, middle, read))
            low = middle
    return path[::-1]


def consistency_proof(old: int, new: int, read: ReadNode) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 9162 section 2.1.4.1; empty when ``old`` is 0 or equals ``new``.

    Raises:
        ValueError: not ``0 <= old <= new``.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves cannot extend one of {old}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    low, high, known = 0, new, True  # known: the verifier holds the hash of [low, old) as the old root
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_range_root(middle, high, read))
            high = middle
        else:
            proof.append(_range_root(low, middle, read))
            low, known = middle, False
    if not known:
        proof.append(_range_root(low, high, read))
    return proof[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, root_hash: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162 section 2.1.3.2: whether ``leaf`` is at ``index`` of the tree with this size and root."""
    if not 0 <= index < size or not _all_hashes([leaf, root_hash, *proof]):
        return False
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and computed == root_hash


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2: whether the new tree only appends to the old one."""
    if not 0 <= old <= new or not _all_hashes([old_root, new_root, *proof]):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    shift = _trailing_ones(old - 1)
    node, last = (old - 1) >> shift, (new - 1) >> shift
    was = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            now = node_hash(now, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


def _all_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def _range_root(low: int, high: int, read: ReadNode) -> bytes:
    """Root over leaves [low, high), where ``low`` is a multiple of the range's largest power of two."""
    return _fold([read(position) for position in _complete_subtrees(low, high)])


def _complete_subtrees(low: int, high: int) -> Iterator[int]:
    while low < high:
        level = (high - low).bit_length() - 1
        yield node_position(level, low >> level)
        low += 1 << level


def _fold(peaks: Sequence[bytes]) -> bytes:
    computed = peaks[-1]
    for peak in reversed(peaks[:-1]):
        computed = node_hash(peak, computed)
    return computed


def _split(size: int) -> int:
    """Largest power of two below ``size`` (``size`` > 1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _trailing_ones(value: int) -> int:
    return ((value + 1) & -(value + 1)).bit_length() - 1
