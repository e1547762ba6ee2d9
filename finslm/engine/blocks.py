"""Who holds which piece of the key-value cache, and which pieces may be read again. No tensors here.

The cache is cut into blocks of a fixed number of tokens (Kwon et al. 2023, arXiv:2309.06180). A sequence holds a
table of blocks; blocks whose tokens are all known are found again by a chain of digests whose root is a secret
of this process, the tenant, and the digests of model and adapter: nobody else's block and no stale one has the
same name.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

_SECRET_BYTES: Final = 32


@final
class Namespaces:
    """Roots of the digest chains, one for each tenant, model and adapter.

    Args:
        secret: at least 32 random bytes; made here when None. It never leaves the process.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secrets.token_bytes(_SECRET_BYTES) if secret is None else secret
        if len(self._secret) < _SECRET_BYTES:
            raise ValueError(f"the secret has {len(self._secret)} bytes, at least {_SECRET_BYTES} are needed")

    def root(self, tenant: str, model_digest: str, adapter_digest: str = "") -> bytes:
        """HMAC-SHA-256 (RFC 2104) over the three; lengths are part of it, so no two triples give the same text."""
        parts = [part.encode() for part in (tenant, model_digest, adapter_digest)]
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._secret, message, "sha256")


@final
@dataclass(slots=True, eq=False)
class Table:
    """The blocks of one sequence.

    Args:
        blocks: numbers of its blocks, in the order of its tokens; enough for all it may ever hold.
        past: how many of its tokens are in the cache, read from others' blocks or computed.
        reused: how many of them it did not have to compute.
        names: digest of each full block of the prompt.
        own_from: place of the first block that this sequence computes itself.
        named: how many of its blocks can be read again by now.
    """

    blocks: list[int]
    past: int
    reused: int
    names: list[bytes] = field(repr=False)
    own_from: int
    named: int = 0


@final
class BlockPool:
    """Blocks that are free, held, or kept for reading again. Called by one thread at a time.

    Args:
        count: blocks there are.
        block_tokens: tokens in a block.
    """

    def __init__(self, count: int, block_tokens: int) -> None:
        self.count, self.block_tokens = count, block_tokens
        self._free = list(range(count))[::-1]
        self._holders = [0] * count
        self._name_of: list[bytes | None] = [None] * count
        self._by_name: dict[bytes, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        """Kept blocks that nobody holds, the one longest unused first."""

    @property
    def available(self) -> int:
        """Blocks that a new sequence can have."""
        return len(self._free) + len(self._idle)

    @property
    def kept(self) -> int:
        """Blocks that can be read again."""
        return len(self._by_name)

    def blocks_for(self, tokens: int) -> int:
        """Blocks that so many tokens take."""
        return -(-tokens // self.block_tokens)

    def open(self, tokens: Sequence[int], room: int, root: bytes) -> Table | None:
        """Give a sequence its blocks, those that hold its beginning already among them.

        All it may need is given at once, so that no running sequence can run out later.

        Args:
            tokens: of the prompt; the last one is always computed, because its logits are wanted.
            room: tokens of prompt and answer together.
            root: see :meth:`Namespaces.root`.

        Returns:
            Its table, or None while too few blocks are available.
        """
        names = self._names(tokens, root)
        found: list[int] = []
        for name in names[: (len(tokens) - 1) // self.block_tokens]:
            block = self._by_name.get(name)
            if block is None:
                break
            found.append(block)
        wanted = self.blocks_for(room) - len(found)
        if wanted > self.available - sum(self._holders[block] == 0 for block in found):
            return None
        for block in found:
            self._idle.pop(block, None)
            self._holders[block] += 1
        fresh = [self._take() for _ in range(wanted)]
        past = len(found) * self.block_tokens
        return Table([*found, *fresh], past, past, names, len(found), len(found))

    def advance(self, table: Table, tokens: int) -> None:
        """Note that ``tokens`` more are in the cache; full blocks of the prompt can be read again from now on."""
        table.past += tokens
        full = min(table.past // self.block_tokens, len(table.names))
        for place in range(table.named, full):
            block, name = table.blocks[place], table.names[place]
            if name not in self._by_name:  # two that began the same way at the same time: the first one's is kept
                self._by_name[name] = block
                self._name_of[block] = name
        table.named = max(table.named, full)

    def close(self, table: Table, *, discard: bool = False) -> None:
        """Take the blocks back.

        Args:
            discard: what this sequence computed is not to be read again (its numbers were not finite).
        """
        for place, block in enumerate(table.blocks):
            self._holders[block] -= 1
            if discard and place >= table.own_from:
                self._forget(block)
            if self._holders[block] == 0:
                if self._name_of[block] is None:
                    self._free.append(block)
                else:
                    self._idle[block] = None
        table.blocks.clear()

    def _take(self) -> int:
        if self._free:
            block = self._free.pop()
        else:
            block, _ = self._idle.popitem(last=False)
            self._forget(block)
        self._holders[block] = 1
        return block

    def _forget(self, block: int) -> None:
        name = self._name_of[block]
        if name is not None:
            del self._by_name[name]
            self._name_of[block] = None

    def _names(self, tokens: Sequence[int], root: bytes) -> list[bytes]:
        """Each full block's digest: over the one before it and its own tokens."""
        names, name = [], root
        for start in range(0, len(tokens) - self.block_tokens + 1, self.block_tokens):
            piece = b"".join(token.to_bytes(4, "big") for token in tokens[start : start + self.block_tokens])
            name = hashlib.sha256(name + piece).digest()
            names.append(name)
        return names
