"""The tree is RFC 9162's: reference roots, a naive definition, and proofs that cannot be bent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from finslm.audit import merkle

# The leaves and roots of the reference tests of Certificate Transparency (RFC 6962).
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def build(leaves: list[bytes]) -> tuple[merkle.Frontier, list[bytes]]:
    """Append all; return the frontier and the stored nodes."""
    frontier, nodes = merkle.Frontier(), list[bytes]()
    for leaf in leaves:
        nodes += frontier.append(leaf)
    return frontier, nodes


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, word for word (over leaf hashes)."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return merkle.node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: list[bytes], known: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 9162 section 2.1.4.1, word for word."""
    if m == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, leaves[:k], known), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], False), naive_root(leaves[:k])]


def test_reference_roots() -> None:
    """The eight leaves of the reference implementation give its eight roots; no leaf gives SHA-256 of nothing."""
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    for size, want in enumerate(ROOTS, 1):
        frontier, nodes = build(leaves[:size])
        assert frontier.root().hex() == want
        assert merkle.root(size, nodes.__getitem__).hex() == want
    assert merkle.Frontier().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


LEAF_LISTS = st.integers(1, 70).map(lambda n: [merkle.leaf_hash(bytes([i])) for i in range(n)])


@given(LEAF_LISTS, st.data())
def test_roots_and_proofs_are_those_of_the_definition(leaves: list[bytes], data: st.DataObject) -> None:
    """For any size and any past size: root, inclusion and consistency proof equal the naive recursion's."""
    _, nodes = build(leaves)
    assert len(nodes) == merkle.node_count(len(leaves))
    size = data.draw(st.integers(1, len(leaves)))
    old = data.draw(st.integers(1, size))
    read = nodes.__getitem__
    assert merkle.root(old, read) == naive_root(leaves[:old])
    assert merkle.inclusion_proof(old - 1, size, read) == naive_path(old - 1, leaves[:size])
    assert merkle.consistency_proof(old, size, read) == naive_subproof(old, leaves[:size])


@given(LEAF_LISTS, st.data())
def test_proofs_verify_and_nothing_else_does(leaves: list[bytes], data: st.DataObject) -> None:
    """A right proof verifies; with any part of the claim or the proof changed, it does not."""
    _, nodes = build(leaves)
    size, root = len(leaves), naive_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_proof(index, size, nodes.__getitem__)
    assert merkle.verify_inclusion(index, size, leaves[index], root, path)
    assert not merkle.verify_inclusion(index, size, merkle.leaf_hash(b"other"), root, path)
    assert not merkle.verify_inclusion(index, size, leaves[index], merkle.EMPTY_ROOT, path)
    assert not merkle.verify_inclusion(index, size, leaves[index], root, [*path, root])
    assert not merkle.verify_inclusion(size, size, leaves[index], root, path)
    for at in range(len(path)):
        assert not merkle.verify_inclusion(index, size, leaves[index], root, path[:at] + path[at + 1 :])
        assert not merkle.verify_inclusion(index, size, leaves[index], root, [*path[:at], root, *path[at + 1 :]])
    for other in range(size):
        assert other == index or not merkle.verify_inclusion(other, size, leaves[index], root, path)


@given(LEAF_LISTS, st.data())
def test_consistency_verifies_and_a_rewritten_past_does_not(leaves: list[bytes], data: st.DataObject) -> None:
    """A tree is consistent with its own past, and not with a past in which one leaf was another."""
    _, nodes = build(leaves)
    new, old = len(leaves), data.draw(st.integers(0, len(leaves)))
    proof = merkle.consistency_proof(old, new, nodes.__getitem__)
    old_root, root = naive_root(leaves[:old]), naive_root(leaves)
    assert merkle.verify_consistency(old, new, old_root, root, proof)
    assert not merkle.verify_consistency(old, new, old_root, root, [*proof, root])
    assert not merkle.verify_consistency(new + 1, new, old_root, root, proof)
    if old:
        forged = [merkle.leaf_hash(b"forged"), *leaves[1:old]]
        assert not merkle.verify_consistency(old, new, naive_root(forged), root, proof)
        _, forged_nodes = build([*forged, *leaves[old:]])
        forged_proof = merkle.consistency_proof(old, new, forged_nodes.__getitem__)
        assert not merkle.verify_consistency(old, new, naive_root(forged), root, forged_proof)
    for at in range(len(proof)):
        assert not merkle.verify_consistency(old, new, old_root, root, proof[:at] + proof[at + 1 :])
