"""How likely a prompt makes each of some labels, read off a trie of their tokens. No tensors of the model here."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import numpy as np
from numpy.typing import NDArray

from finslm.errors import InvalidRequest, PromptTooLong
from finslm.types import LabelScore

Tokens = tuple[int, ...]


@final
class LabelTrie:
    """The labels of one request, and the log-probabilities found so far.

    A label's logarithm of its probability is the sum over its tokens and the token that ends the turn, so of two
    labels of which one begins with the other each is what the model would write and then stop.

    A path is what has to be fed after the prompt. A label that another one begins with lies on that one's path;
    paths are sorted, so the same labels give the same steps in whatever order they came.

    Args:
        labels: the texts, all different.
        tokens: ids of each, at least one.
        end: the token that ends the turn.

    Raises:
        InvalidRequest: a label has no token, or two have the same.
    """

    def __init__(self, labels: Sequence[str], tokens: Sequence[Sequence[int]], end: int) -> None:
        self._ids: dict[str, Tokens] = {
            label: (*ids, end) for label, ids in sorted(zip(labels, tokens, strict=True), key=lambda pair: pair[0])
        }
        if any(len(ids) < 2 for ids in self._ids.values()) or len(set(self._ids.values())) < len(labels):
            raise InvalidRequest("two labels are the same to the model, or one is empty to it: word them otherwise")
        self._next: defaultdict[Tokens, set[int]] = defaultdict(set)
        for ids in self._ids.values():
            for place, token in enumerate(ids):
                self._next[ids[:place]].add(token)
        ordered = sorted(ids[:-1] for ids in self._ids.values())
        self.paths: tuple[Tokens, ...] = tuple(
            path for path, after in pairwise([*ordered, ()]) if after[: len(path)] != path
        )
        self._found: dict[Tokens, float] = {}

    def fresh(self, number: int) -> int:
        """Tokens at the end of a path that no earlier path has: only after these are logits wanted."""
        path = self.paths[number]
        before = self.paths[number - 1] if number else ()
        shared = next((n for n, (a, b) in enumerate(zip(path, before, strict=False)) if a != b), len(before))
        return len(path) - shared

    def take(self, after: Tokens, logits: NDArray[np.float32]) -> bool:
        """Note what follows some tokens.

        Args:
            after: of a label, fed after the prompt; empty: the prompt alone.
            logits: [V].

        Returns:
            Whether the numbers are finite; if not, they are worth nothing.
        """
        largest = float(logits.max())
        if not math.isfinite(largest):
            return False
        whole = largest + math.log(float(np.exp(logits - largest, dtype=np.float64).sum()))
        for token in self._next[after]:
            self._found[(*after, token)] = float(logits[token]) - whole
        return all(math.isfinite(self._found[(*after, token)]) for token in self._next[after])

    def scores(self) -> list[LabelScore]:
        """Labels by falling probability, softmax over all of them, once every path was taken."""
        logprobs = {
            label: math.fsum(self._found[ids[: place + 1]] for place in range(len(ids)))
            for label, ids in self._ids.items()
        }
        return normalised(logprobs)


def normalised(logprobs: dict[str, float]) -> list[LabelScore]:
    """Softmax: labels by falling probability, of equals the first in the alphabet."""
    largest = max(logprobs.values())
    whole = math.fsum(math.exp(value - largest) for value in logprobs.values())
    scores = [LabelScore(label, math.exp(value - largest) / whole, value) for label, value in logprobs.items()]
    return sorted(scores, key=lambda score: (-score.score, score.label))


@final
class ForkPlan:
    """Which paths are fed together after a prompt, and in which cache blocks.

    A path forks from the prompt: it looks at the prompt's whole blocks where they are, and the last, partly filled
    one is copied into the first of its own. No wave takes more blocks than a request of the window's whole length
    may have, so whatever fits the window fits the cache.

    Args:
        trie: of the labels.
        prompt: tokens of it.
        block_tokens: tokens in a block.
        window: most tokens of a request.
        step_tokens: tokens that a wave feeds; a longer path goes alone.

    Raises:
        PromptTooLong: the prompt and its longest label do not fit the window.
    """

    def __init__(self, trie: LabelTrie, *, prompt: int, block_tokens: int, window: int, step_tokens: int) -> None:
        self.shared, self.copied = divmod(prompt, block_tokens)
        """Whole blocks of the prompt, and its tokens in the block after them."""
        self._prompt_blocks = -(-prompt // block_tokens)
        self._needs = [-(-(self.copied + len(path)) // block_tokens) for path in trie.paths]
        left = -(-window // block_tokens) - self._prompt_blocks
        if max(self._needs) > left:
            longest = max(map(len, trie.paths))
            raise PromptTooLong(
                f"the prompt has {prompt} tokens and a label {longest}, which together (in blocks of {block_tokens}) "
                f"exceed the limit of {window}: shorten the text"
            )
        self.waves: list[list[int]] = [[]]
        """Numbers of the paths that are fed together."""
        for number in range(len(trie.paths)):
            wave = [*self.waves[-1], number]
            tokens = sum(len(trie.paths[other]) for other in wave)
            if self.waves[-1] and (tokens > step_tokens or sum(self._needs[other] for other in wave) > left):
                self.waves.append([number])
            else:
                self.waves[-1] = wave
        self.tokens = [sum(len(trie.paths[number]) for number in wave) for wave in self.waves]
        """Tokens that each wave feeds."""
        self.blocks = self._prompt_blocks + max(sum(self._needs[number] for number in wave) for wave in self.waves)
        """Cache blocks that all of it needs."""

    def forks(self, wave: int, blocks: Sequence[int]) -> list[list[int]]:
        """Blocks of each path of a wave, the prompt's whole ones first.

        Args:
            blocks: of the request, :attr:`blocks` of them.
        """
        forks, at = [], self._prompt_blocks
        for number in self.waves[wave]:
            forks.append([*blocks[: self.shared], *blocks[at : at + self._needs[number]]])
            at += self._needs[number]
        return forks

    def copies(self, wave: int, blocks: Sequence[int]) -> list[tuple[int, int]]:
        """From which block to which other one the prompt's last tokens are copied, before a wave is fed."""
        if not self.copied:
            return []
        return [(blocks[self.shared], fork[self.shared]) for fork in self.forks(wave, blocks)]
