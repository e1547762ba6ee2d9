"""Packed sequences: one stream of documents, cut into windows without padding.

A document's end token stands behind it, and the next one begins in the same window. With ``attention: across`` a token
sees all before it in its window, other documents too: the end token tells the network that they are over, as GPT-3 was
trained (Brown et al. 2020, arXiv:2005.14165). With ``within`` it sees its own document only and positions begin anew:
better where documents are short and have nothing to do with one another (Zhao et al. 2024, arXiv:2402.13991), and
slower.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finslm.errors import ConfigError
from finslm.models.digest import sha256_file

TRAIN, HELD_OUT, FACTS = "train.npy", "held_out.npy", "facts.json"
"""Files of a folder of packed documents; the last one is written last and holds the digests of the others."""
IGNORED: Final = -100
"""A target that is not scored: :func:`torch.nn.functional.cross_entropy` passes it over."""


@final
class Windows(NamedTuple):
    """Inputs and what comes next, both [B, W] int64."""

    ids: Tensor
    targets: Tensor


@final
@dataclass(frozen=True, slots=True)
class Packed:
    """Documents as tokens.

    Args:
        train, held_out: [T] streams, see :func:`finslm.train.pretraining.tokenizing.token_stream`.
        facts: what is known of them, for the model card; plain JSON.
    """

    train: NDArray[np.uint32] = field(repr=False)
    held_out: NDArray[np.uint32] = field(repr=False)
    facts: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write the folder.

        Raises:
            ConfigError: no room, or the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / FACTS).unlink(missing_ok=True)
            np.save(folder / TRAIN, self.train)
            np.save(folder / HELD_OUT, self.held_out)
            digests = {name: sha256_file(folder / name) for name in (TRAIN, HELD_OUT)}
            (folder / FACTS).write_text(json.dumps({"digests": digests, "facts": self.facts}, indent=2) + "\n", "utf-8")
        except OSError as error:
            raise ConfigError(f"{folder}: {error.strerror or error}; make room and start again") from error

    @classmethod
    def read(cls, folder: Path) -> Packed:
        """Read the folder.

        Raises:
            ConfigError: it is not whole, or was changed.
        """
        again = "start without --resume, in another folder"
        try:
            kept = json.loads((folder / FACTS).read_text("utf-8"))
            changed = [name for name, digest in kept["digests"].items() if sha256_file(folder / name) != digest]
            if changed:
                raise ConfigError(f"{folder / changed[0]} has changed since the run began; {again}")
            train, held_out = (np.load(folder / name, allow_pickle=False) for name in (TRAIN, HELD_OUT))
            return cls(train, held_out, kept["facts"])
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(f"{folder}: no packed documents to go on with ({error}); {again}") from error


def count(stream: NDArray[np.uint32], window: int) -> int:
    """Whole windows of a stream; the rest, less than one, is not trained on.

    Raises:
        ConfigError: there is none.
    """
    if (found := (len(stream) - 1) // window) < 1:
        raise ConfigError(f"the corpus has {len(stream)} tokens, a window {window}: give more text or a smaller window")
    return found


def windows(stream: NDArray[np.uint32], chosen: NDArray[np.int64], window: int) -> Windows:
    """Some windows of a stream; the target of each token is the next one, that of the last in the next window."""
    places = chosen[:, None] * window + np.arange(window + 1)
    both = torch.from_numpy(stream[places].astype(np.int64))
    return Windows(both[:, :-1].contiguous(), both[:, 1:].contiguous())


@lru_cache(maxsize=2)
def order(seed: int, epoch: int, number: int) -> NDArray[np.int64]:
    """Windows of an epoch, shuffled: a function of seed and epoch, so that any step can be found again."""
    return np.random.default_rng((seed, epoch)).permutation(number)


def consecutive(stream: NDArray[np.uint32], window: int, size: int) -> Iterator[Windows]:
    """Every token of a stream as a target once, in order, ``size`` windows at a time; what fills up is ignored."""
    number = -(-(len(stream) - 1) // window)
    ids = torch.zeros(number * window, dtype=torch.long)
    targets = torch.full((number * window,), IGNORED)
    ids[: len(stream) - 1] = torch.from_numpy(stream[:-1].astype(np.int64))
    targets[: len(stream) - 1] = torch.from_numpy(stream[1:].astype(np.int64))
    for start in range(0, number, size):
        rows = slice(start, start + size)
        yield Windows(ids.view(number, window)[rows], targets.view(number, window)[rows])


def within(ids: Tensor, end: int) -> tuple[Tensor, Tensor]:
    """What keeps documents of a window apart.

    Args:
        ids: [B, W].
        end: the token that ends a document. It belongs to the one after it, whose first token is its target: so no
            token is learnt from another document.

    Returns:
        [B, 1, W, W] boolean, where a token may look; and [B, W] positions from 0 in each document.
    """
    document = (ids == end).long().cumsum(1)
    length = ids.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    mask = (document[:, :, None] == document[:, None, :]) & causal
    places = torch.arange(length, device=ids.device).expand_as(ids)
    begins = torch.where(document != document.roll(1, 1), places, 0)
    begins[:, 0] = 0
    return mask[:, None], places - begins.cummax(1).values
