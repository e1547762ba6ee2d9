"""From a Prompt to token ids, so that nothing inside a message can pose as a control token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from tokenizers import Tokenizer

from finslm.errors import ConfigError, InvalidRequest
from finslm.types import Prompt
from redaction.text import RedactedText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_MARK = re.compile("\ue000([0-9]+)\ue001")
"""Stands for message N while the chat template runs (private-use characters, Unicode 23.5)."""


class PromptEncoder:
    """Renders with the model's chat template and tokenises template and message texts apart.

    The template runs over marks, never over message texts; the texts are then tokenised with
    special tokens switched off. ``<|im_end|>`` in a message is therefore seven ordinary tokens and
    cannot end the user's turn. Safe to use from several threads.

    Args:
        tokenizer: a fast tokenizer with a chat template.

    Raises:
        ConfigError: it has none.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if not tokenizer.chat_template:
            raise ConfigError("the model folder has no chat template (chat_template.jinja): pull the model again")
        self._tokenizer = tokenizer
        # Two copies of our own, each set once: the flag on a shared tokenizer would be a race.
        state = tokenizer.backend_tokenizer.to_str()
        self._template = Tokenizer.from_str(state)
        self._content = Tokenizer.from_str(state)
        for copy in (self._template, self._content):
            copy.no_truncation()
            copy.no_padding()
        self._content.encode_special_tokens = True
        self.control_ids = frozenset(
            number for number, token in tokenizer.added_tokens_decoder.items() if token.special
        ) | frozenset(tokenizer.all_special_ids)
        """Ids that structure a conversation; a model that emits one has ended its turn."""
        self.end_id = cast(int, tokenizer.eos_token_id)
        """The one that a model ends its turn with."""

    def encode(self, prompt: Prompt) -> tuple[list[int], int]:
        """Tokenise.

        Returns:
            The ids, prefill included, and how many of them (at the end) are the prefill's.

        Raises:
            InvalidRequest: a message could not be kept free of control tokens, or the prompt is empty.
        """
        if not prompt.messages:
            raise InvalidRequest("the prompt has no message: at least one is needed")
        rendered = self._tokenizer.apply_chat_template(
            [{"role": message.role, "content": f"\ue000{n}\ue001"} for n, message in enumerate(prompt.messages)],
            tokenize=False,
            add_generation_prompt=True,
        )
        ids: list[int] = []
        for position, piece in enumerate(_MARK.split(cast(str, rendered))):
            inside = position % 2 == 1
            ids += self._text(prompt.messages[int(piece)].text.value) if inside else self._literal(piece)
        prefill = self._text(prompt.prefill.value)
        return ids + prefill, len(prefill)

    def encode_answer(self, text: RedactedText) -> list[int]:
        """Tokenise what an answer could be, to be read right after the prompt, without the token that ends it.

        Raises:
            InvalidRequest: it could not be kept free of control tokens.
        """
        return self._text(text.value)

    def refuse_control(self, ids: list[int]) -> list[int]:
        """Return ``ids``; fail closed if a text that a caller influenced gave a control token.

        Raises:
            InvalidRequest: it did.
        """
        if not self.control_ids.isdisjoint(ids):
            raise InvalidRequest("the text holds characters that the tokenizer reads as control tokens: remove them")
        return ids

    def decode(self, ids: list[int]) -> str:
        """Text of ids, control tokens left out; incomplete characters become U+FFFD."""
        return self._template.decode(ids, skip_special_tokens=True)

    def _text(self, text: str) -> list[int]:
        return self.refuse_control(list(self._content.encode(text, add_special_tokens=False).ids))

    def _literal(self, piece: str) -> list[int]:
        return list(self._template.encode(piece, add_special_tokens=False).ids)
