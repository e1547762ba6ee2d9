"""Ordinary words, so that what is rare is not always a name."""

from __future__ import annotations

from collections.abc import Set

from tokenizers import Tokenizer

_SHORTEST = 4


def words(tokenizer: Tokenizer, names: Set[str]) -> list[str]:
    """Return the whole English words of a vocabulary that are not among ``names`` (lower case), sorted."""
    whole = (word for word in tokenizer.get_vocab() if word.isascii() and word.isalpha() and len(word) >= _SHORTEST)
    return sorted(word for word in whole if word not in names)
