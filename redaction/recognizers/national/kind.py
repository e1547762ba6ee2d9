"""What is known of one kind of number: its shapes, its check, the words that announce it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import Final, final

Check = Callable[[str], bool]

LIKELY: Final = 0.35
"""Scores below are dropped by default. A check digit that one number in ten has proves less than that."""


@final
@dataclass(frozen=True)
class Kind:
    """A kind of number.

    Args:
        type: what its detections are called.
        masks: its shapes without separators: ``9`` for a digit, ``A`` for a letter, ``X`` for either.
        check: whether a number, without separators and in capitals, can be one: a module of python-stdnum
            (``us.ein``) or a function.
        cue: words that announce it, an alternation in the syntax that RE2 and Python share; a space in it also
            stands for ``_``, ``-`` and nothing, as in the names of keys.
        alone: score of a valid number that nothing announces, in capitals, and no part of a longer one.
        proves: the check passes fewer than one in fifty random numbers of these shapes.
        grouped: how it is divided where its groups are unmistakable.
        divided: score of a valid number that is written so; see ``grouped``.
        wrong: score of a number that directly follows its cue and fails the check: a digit may be mistyped.
        shape: pattern that narrows the shapes down, over the number without separators and in capitals.
        checked: a check digit is among the checks; without one a cue must stand directly before the number.
    """

    type: str
    masks: tuple[str, ...]
    check: str | Check
    cue: str
    alone: float = 0.0
    proves: bool = False
    grouped: str = ""
    divided: float = 0.0
    wrong: float = 0.5
    shape: str = ""
    checked: bool = True

    @property
    def loud(self) -> bool:
        """Whether it is looked for where no cue stands in the text."""
        return max(self.alone, self.divided) >= LIKELY

    @property
    def fewest_digits(self) -> int:
        """Digits that every number of the kind has."""
        return min(mask.count("9") for mask in self.masks)

    def has_shape(self, number: str) -> bool:
        """Whether the number, without separators and in capitals, has one of the shapes."""
        return self._shape.fullmatch(number) is not None

    def valid(self, number: str) -> bool:
        """Whether the number passes the check."""
        return self._check(number)

    def is_divided(self, written: str) -> bool:
        """Whether it is written in its own groups."""
        return bool(self.grouped) and self._grouped.fullmatch(written) is not None

    @cached_property
    def cue_words(self) -> str:
        """The cue as a pattern, without what must stand around it."""
        return self.cue.replace(" ", r"[\s_-]?")

    @cached_property
    def _check(self) -> Check:
        return _stdnum(self.check) if isinstance(self.check, str) else self.check

    @cached_property
    def shapes(self) -> str:
        """Pattern of the whole numbers, without separators and in capitals."""
        return f"(?={self.shape})(?:{'|'.join(_of_mask(mask) for mask in self.masks)})"

    @cached_property
    def _shape(self) -> re.Pattern[str]:
        return re.compile(self.shapes)

    @cached_property
    def _grouped(self) -> re.Pattern[str]:
        return re.compile(self.grouped)


_PLACES: Final = {"9": "[0-9]", "A": "[A-Z]", "X": "[0-9A-Z]"}


def _of_mask(mask: str) -> str:
    return "".join(_PLACES[place] for place in mask)


@cache
def _stdnum(path: str) -> Check:
    is_valid: Check = import_module(f"stdnum.{path}").is_valid
    return is_valid


def digits(count: int) -> str:
    """Return the mask of so many digits."""
    return "9" * count
