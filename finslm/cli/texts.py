"""Texts that come in from arguments and standard input."""

from __future__ import annotations

import sys

from finslm.errors import InvalidRequest


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
