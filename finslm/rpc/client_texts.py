"""What a client says of a text that cannot be sent, before it is sent."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, ParamSpec, TypeVar

import grpc

from finslm.rpc.client_errors import FieldViolation, InvalidArgumentError

P = ParamSpec("P")
T = TypeVar("T")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half of a UTF-16 pair by itself, which is no character (Unicode, 3.8, D75) and has no form in UTF-8 (RFC 3629, 3)."""


def sendable(make: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that makes a request: its texts are looked at first, those in its arguments' parts too.

    Raises:
        InvalidArgumentError: one holds a lone surrogate.
    """
    signature = inspect.signature(make)

    @functools.wraps(make)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            check_text(name, value)
        return make(*args, **kwargs)

    return checked


def check_text(name: str, value: object) -> None:
    """Look at a text, or at those in the parts of a value.

    Raises:
        InvalidArgumentError: one holds a lone surrogate; the message says where, and no more of the text.
    """
    for place, text in _texts(name, value):
        if (found := _SURROGATE.search(text)) is not None:
            raise InvalidArgumentError(
                f"{place} holds U+{ord(found[0]):04X} at code point {found.start()}, half of a surrogate pair, which "
                "UTF-8 cannot carry: decode the text with errors='strict' or 'replace', or leave that out",
                status=grpc.StatusCode.INVALID_ARGUMENT,
                field_violations=(FieldViolation(place, "must be text that UTF-8 can carry"),),
            )


def _texts(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(f"a key of {place}", key)
            yield from _texts(place, part)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for number, part in enumerate(value):
            yield from _texts(f"{place}[{number}]", part)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _texts(f"{place}.{each.name}", getattr(value, each.name))
