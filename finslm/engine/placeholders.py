"""Placeholders bound to the decoder: an answer may hold those that its prompt was issued, whole, and no others.

A gateway in front of a foreign model can only repair what comes back. Here the model is ours, so what is not a
placeholder of this request is never written: from the first ``<`` that a capital follows, only tokens are offered that
go on with one of them, to its end. Each stands in ordinary tokens, not in one of its own, so that every model reads and
writes them as it is, without new rows that somebody would have to train.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, final

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from finslm.engine.sampler import Mask
from finslm.errors import EngineUnavailable

KEPT: Final = 64
"""Compiled sets of placeholders that are kept; one takes some hundred KB."""

_NUMBERED: Final = re.compile(r"[A-Za-z0-9]_[0-9]")
_TAIL: Final = 80
"""Characters of the answer's end that are looked at: more than any type's name has."""


@final
class Placeholders:
    """Makes what follows one answer. Used by one thread at a time.

    Args:
        tokenizer: what the grammars use.
        vocabulary: token → id; the texts of ASCII tokens as they are.
        size: tokens that the model knows.
    """

    def __init__(self, tokenizer: LLTokenizer, vocabulary: Mapping[str, int], size: int) -> None:
        self._tokenizer = tokenizer
        self._numbers = _bits((id_ for text, id_ in vocabulary.items() if text[:1].isdigit()), size)
        self._joined = _bits((id_ for text, id_ in vocabulary.items() if re.match("_[0-9]", text)), size)
        self._inside = _bits((id_ for text, id_ in vocabulary.items() if _NUMBERED.search(text)), size)
        self._texts = {id_: text for text, id_ in vocabulary.items()}
        self._compiled: OrderedDict[tuple[str, frozenset[str]], LLMatcher] = OrderedDict()

    def source(
        self, issued: Iterable[str], lead: Sequence[int] = (), tenant: str = "", shown: Iterable[str] = ()
    ) -> PlaceholderMask:
        """What narrows one answer.

        Args:
            issued: the placeholders of the request.
            shown: others that the prompt has, such as those of a task's examples: their names are watched too.
            lead: tokens that the answer starts with.
            tenant: for whom; none learns from the time it takes what another has compiled.

        Raises:
            EngineUnavailable: there are more than can be followed.
        """
        key = tenant, frozenset(issued)
        if (start := self._compiled.pop(key, None)) is None:
            start = LLMatcher(self._tokenizer, LLMatcher.grammar_from_regex(_answers(key[1])), log_level=0)
            if start.is_error():
                raise EngineUnavailable(f"{len(key[1])} placeholders are more than an answer can be held to: split it")
        self._compiled[key] = start
        if len(self._compiled) > KEPT:
            self._compiled.popitem(last=False)
        state = start.deep_copy()
        if state.try_consume_tokens(list(lead)) < len(lead):
            raise EngineUnavailable("the task's answers begin with a placeholder that this request has not")
        return PlaceholderMask(state, self, _bare({*key[1], *shown}))

    def without(self, mask: Mask, tail: str) -> Mask:
        """The mask without what would make a name at the end of ``tail`` a placeholder without its brackets."""
        taken = self._inside | (self._numbers if tail.endswith("_") else self._joined)
        return mask[: len(taken)] & ~taken[: len(mask)]  # a missing word allows nothing

    def text(self, token: int) -> str:
        """A token's text; of others than ASCII characters something that no placeholder holds."""
        return self._texts.get(token, "\ufffd").replace("\u0120", " ").replace("\u010a", "\n")


@final
class PlaceholderMask:
    """Follows one answer; see :class:`finslm.engine.masks.MaskSource`."""

    complete = False

    def __init__(self, state: LLMatcher, shared: Placeholders, bare: re.Pattern[str] | None) -> None:
        self._state, self._shared, self._bare = state, shared, bare
        self._tail = ""

    def mask(self) -> Mask:
        """Which tokens may follow.

        Raises:
            EngineUnavailable: it cannot be followed any more.
        """
        bits = self._state.compute_bitmask()
        if self._state.is_error():
            raise EngineUnavailable("the placeholders of the answer could not be followed; it was withheld")
        mask: Mask = np.frombuffer(bits, np.dtype("<u4"))
        if self._bare is not None and self._bare.search(self._tail):
            return self._shared.without(mask, self._tail)
        return mask

    def take(self, token: int) -> None:
        """Go on with a token."""
        self._state.consume_token(token)
        if self._bare is not None:
            self._tail = (self._tail + self._shared.text(token))[-_TAIL:]

    def accepts(self, answer: str) -> bool:  # noqa: ARG002 - of the protocol
        """Always: a placeholder that the end of the answer cut is left out where values are put back."""
        return True


def _answers(issued: frozenset[str]) -> str:
    """The regular expression of all answers: after ``<`` comes no capital, but in a placeholder that was issued."""
    rests = "|".join(sorted(placeholder[1:] for placeholder in issued))
    return rf"(?s:[^<]|<+[^<A-Z]{f'|<+(?:{rests})' if rests else ''})*<*"


def _bare(issued: Iterable[str]) -> re.Pattern[str] | None:
    """Finds the name of a type at the end of a text, in any case, where a number behind it would be wrong."""
    types = {placeholder[1:].rpartition("_")[0] for placeholder in issued}
    if not types:
        return None
    small = "|".join(f"{type_[0].lower()}(?i:{type_[1:]})" for type_ in sorted(types))
    return re.compile(rf"(?:(?:^|[^<A-Za-z0-9_])(?i:{'|'.join(sorted(types))})|<(?:{small}))_?\Z")


def _bits(ids: Iterable[int], size: int) -> Mask:
    chosen = np.zeros(-(-size // 32) * 32, np.uint8)
    chosen[[id_ for id_ in ids if id_ < size]] = 1
    return np.packbits(chosen, bitorder="little").view(np.dtype("<u4"))
