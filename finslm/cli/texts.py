"""Texts that come in from arguments and standard input."""

from __future__ import annotations

import sys
import unicodedata
from typing import Final

from rich.markup import escape

from finslm.errors import InvalidRequest

_COMMANDS: Final = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Categories of what a terminal may take for a command or a new line, and what no output can be written of."""
_TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Change the direction of what is read (Unicode Standard Annex 9): a line would look like another."""


def text_of(argument: str) -> str:
    """The text of an argument; of ``-`` standard input.

    The bytes are read, since in some locales Python takes what is not UTF-8 without a word.

    Raises:
        InvalidRequest: what comes in is not UTF-8.
    """
    try:
        if argument == "-":
            return sys.stdin.buffer.read().decode()
        argument.encode()
        return argument
    except UnicodeError:
        where = "standard input" if argument == "-" else "the argument"
        raise InvalidRequest(f"{where}: UTF-8 is wanted") from None


def shown(text: str) -> str:
    r"""A text that others wrote, for a terminal: what would command it is spelled out, such as ``\x1b`` for escape."""
    return "".join(_spelled(c) if c in _TURNING or unicodedata.category(c) in _COMMANDS else c for c in text)


def cell(text: str) -> str:
    """The same for a place where rich reads markup."""
    return escape(shown(text))


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()
