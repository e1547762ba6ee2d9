"""Randomness that a privacy guarantee rests on: a keyed stream, so that a resumed run draws the same.

The seed of a recipe is public, and whoever knows it could take the noise out again. So the key is drawn from the
operating system for each run, kept in its checkpoint, and deleted with it when the run has ended.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

KEY_BYTES: Final = 32
_PURPOSES: Final = ("rows", "gradient", "temperature")
"""What randomness is drawn for; each has a stream of its own."""


@final
class KeyedStream:
    """Numbers of a ChaCha20 key stream (RFC 8439); the same key, purpose and step give the same.

    Args:
        key: 32 bytes; secret, or the guarantee is void.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key

    @classmethod
    def secret(cls) -> KeyedStream:
        """A key of the operating system."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def seeded(cls, seed: int) -> KeyedStream:
        """A key that anybody can make again: for tests and measurements, never for a guarantee."""
        return cls(hashlib.sha256(f"finslm noise {seed}".encode()).digest())

    def uniform(self, purpose: str, step: int, count: int) -> NDArray[np.float64]:
        """[count] numbers in (0, 1), 53 bits each."""
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

        nonce = bytes(4) + bytes([_PURPOSES.index(purpose), 0, 0, 0]) + step.to_bytes(8, "little")
        whole = Cipher(ChaCha20(self.key, nonce), mode=None).encryptor().update(bytes(8 * count))
        bits = (np.frombuffer(whole, "<u8") >> np.uint64(11)).astype(np.float64)
        return (bits + 0.5) * 2.0**-53

    def normal(self, step: int, count: int) -> NDArray[np.float64]:
        """[count] numbers of a standard normal distribution, for a step's gradient.

        Each is half the sum of four draws: the gaps between the numbers that a single draw can give would tell values
        apart (Holohan & Braghin 2021, arXiv:2107.10138).
        """
        from scipy.special import ndtri

        draws: NDArray[np.float64] = ndtri(self.uniform("gradient", step, 4 * count)).reshape(4, count)
        halved: NDArray[np.float64] = draws.sum(0) / 2
        return halved

    def sample(self, step: int, rows: int, rate: float) -> list[int]:
        """The rows of a step, each with probability ``rate`` by itself: Poisson sampling, as accountants assume."""
        chosen = np.flatnonzero(self.uniform("rows", step, rows) < rate)
        return [int(row) for row in chosen]

    def gumbel(self, count: int) -> NDArray[np.float64]:
        """[count] numbers of a standard Gumbel distribution, for the temperature."""
        drawn: NDArray[np.float64] = -np.log(-np.log(self.uniform("temperature", 0, count)))
        return drawn
