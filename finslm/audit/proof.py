"""Proofs that verify offline: C2SP tlog-proof, text with the index, the inclusion proof and a signed checkpoint.

::

    c2sp.org/tlog-proof@v1
    index 73894
    gSKy...=                     inclusion proof, base64, from the leaf's sibling up
                                 (empty line)
    bank.example/finslm          a checkpoint, see finslm.audit.checkpoint
    ...
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final, final

from finslm.audit import merkle
from finslm.audit.checkpoint import Checkpoint, Verifier, strict_base64

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_HASHES: Final = 63
"""Most hashes of a path: a tree has fewer than 2**63 leaves."""

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Proof:
    """That a leaf is at ``index`` of the tree that the signed ``note`` commits to."""

    index: int
    hashes: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        """The proof as C2SP tlog-proof writes it; files of it end in ``.tlog-proof``."""
        path = "".join(f"{base64.b64encode(value).decode()}\n" for value in self.hashes)
        return f"{HEADER}\nindex {self.index}\n{path}\n{self.note}"

    @classmethod
    def parse(cls, text: str) -> Proof:
        """Read one. Its ``extra`` line is passed over: nothing vouches for it.

        Raises:
            ValueError: another form. Nothing is verified yet.
        """
        head, separator, note = text.partition("\n\n")
        lines = head.split("\n")
        if not separator or lines.pop(0) != HEADER:
            raise ValueError(f"proof: the first line is {HEADER}, and an empty line stands before the checkpoint")
        if lines and lines[0].startswith("extra "):
            strict_base64(lines.pop(0).removeprefix("extra "))
        found = _INDEX.fullmatch(lines.pop(0)) if lines else None
        if found is None or len(lines) > MAX_HASHES:
            raise ValueError(f"proof: 'index' and a number are wanted, then at most {MAX_HASHES} hashes")
        hashes = tuple(map(strict_base64, lines))
        if any(len(value) != merkle.HASH_BYTES for value in hashes):
            raise ValueError(f"proof: hashes of {merkle.HASH_BYTES} bytes are wanted")
        return cls(int(found[1]), hashes, note)

    def verify(self, leaf_hash: bytes, verifier: Verifier) -> Checkpoint:
        """Check the log's signature and that the leaf is in the tree; return what was signed.

        Raises:
            ValueError: the signature is not this key's, or the leaf is not there.
        """
        checkpoint = verifier.verify(self.note)
        if not merkle.verify_inclusion(self.index, checkpoint.size, leaf_hash, checkpoint.root_hash, self.hashes):
            raise ValueError(f"proof: the record is not at {self.index} of the tree of {checkpoint.size} records")
        return checkpoint
