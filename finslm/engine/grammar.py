"""Answers of a form asked for: a grammar is compiled once, and a matcher follows each answer token by token."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, final

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from finslm.engine.sampler import Mask
from finslm.engine.schema_rules import check_regex, refuse, regex_of_choices, schema_for_decoder
from finslm.types import Grammar

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

KEPT: Final = 64
"""Compiled grammars that are kept; a large one takes some MB."""
_LIMITS: Final = LLParserLimits(
    initial_lexer_fuel=200_000,  # some 200 ms and 60 MB
    step_lexer_fuel=100_000,  # some 10 ms
    step_max_items=20_000,
    max_lexer_states=20_000,  # some 20 MB for each answer
    max_grammar_size=100_000,
    verbose_errors=False,
)
_JSON: Final[JsonCompileOptions] = {"whitespace_pattern": " ?"}
"""At most one space between tokens of JSON: a model can fill an answer with more of them."""


def token_table(tokenizer: str, vocabulary: int, end_ids: Iterable[int]) -> LLTokenizer:
    """The tokens as grammars see them; any number of threads may use it.

    Args:
        tokenizer: a fast tokenizer's JSON.
        vocabulary: how many tokens the model has.
        end_ids: tokens that end an answer.
    """
    return LLTokenizer(tokenizer, n_vocab=vocabulary, eos_token=sorted(end_ids))


@final
class Grammars:
    """Compiles grammars for one tokenizer and keeps the latest. Used by one thread at a time.

    Args:
        tokenizer: see :func:`token_table`.
    """

    def __init__(self, tokenizer: LLTokenizer) -> None:
        self._tokenizer = tokenizer
        self._compiled: OrderedDict[bytes, LLMatcher] = OrderedDict()

    def matcher(self, grammar: Grammar, lead: Sequence[int] = (), tenant: str = "") -> Matcher:
        """A matcher for one answer.

        Args:
            grammar: what the answer must look like.
            lead: tokens that the answer starts with.
            tenant: for whom; none learns from the time it takes what another has compiled.

        Raises:
            InvalidRequest: the grammar breaks a rule, no text fits it, it is too complex, or the lead does not fit.
        """
        parts = [tenant, grammar.kind, *(part.value for part in grammar.parts)]
        key = hashlib.sha256(json.dumps(parts).encode()).digest()
        if (start := self._compiled.pop(key, None)) is None:
            start = self._compile(grammar)
        self._compiled[key] = start
        if len(self._compiled) > KEPT:
            self._compiled.popitem(last=False)
        return Matcher(start.deep_copy(), self._tokenizer.tokenize_str, lead)

    def _compile(self, grammar: Grammar) -> LLMatcher:
        start = LLMatcher(self._tokenizer, _for_library(grammar), log_level=0, limits=_LIMITS)
        if start.is_error():
            raise refuse(_why(start.get_error()))
        first = start.deep_copy()  # what is wrong with some grammars shows at the first step only
        if not any(first.compute_bitmask()) or first.is_error():
            raise refuse("no answer of finite length fits the grammar, or it is too complex: simplify it")
        return start


@final
class Matcher:
    """Follows one answer; see :class:`finslm.engine.masks.MaskSource`."""

    def __init__(self, start: LLMatcher, tokenize: Callable[[str], list[int]], lead: Sequence[int]) -> None:
        self._start, self._tokenize = start, tokenize
        self._state = start.deep_copy()
        if self._state.try_consume_tokens(list(lead)) < len(lead):
            raise refuse("the grammar does not allow the text that the task's answers begin with: choose another task")

    def mask(self) -> Mask:
        """Which tokens may follow; those that end an answer among them only where it may end.

        Raises:
            InvalidRequest: the grammar has become too complex to follow.
        """
        bits = self._state.compute_bitmask()
        if self._state.is_error():  # not its message, which may quote the grammar
            raise refuse("the grammar became too complex to follow while the answer was written: simplify it")
        return np.frombuffer(bits, np.dtype("<u4"))

    def take(self, token: int) -> None:
        """Go on with a token; after one that is not allowed :meth:`mask` raises."""
        self._state.consume_token(token)

    @property
    def complete(self) -> bool:
        """Whether the answer is whole and nothing can follow."""
        return self._state.is_stopped() and not self._state.is_error()

    def accepts(self, answer: str) -> bool:
        """Whether a text, lead included, fits the grammar from its beginning to its end."""
        whole = self._start.deep_copy()
        ids = self._tokenize(answer)
        return whole.try_consume_tokens(ids) == len(ids) and whole.is_accepting()


def _for_library(grammar: Grammar) -> str:
    parts = [part.value for part in grammar.parts]
    if grammar.kind == "choice":
        return LLMatcher.grammar_from_regex(regex_of_choices(parts))
    if len(parts) != 1:
        raise refuse(f"a {grammar.kind} grammar has one text, got {len(parts)}")
    if grammar.kind == "regex":
        return LLMatcher.grammar_from_regex(check_regex(parts[0]))
    return LLMatcher.grammar_from_json_schema(schema_for_decoder(parts[0]), overrides=_JSON)


def _why(message: str) -> str:
    """What may be told of the library's message, which may quote the grammar."""
    if "Unsatisfiable" in message:
        return "no answer fits the grammar: its rules contradict each other"
    if "not supported" in message or "Unimplemented" in message or "nknown format" in message:
        return "the grammar uses something that is not supported here, such as a oneOf that is not clearly exclusive"
    return "the grammar is not valid or too complex: simplify it"
