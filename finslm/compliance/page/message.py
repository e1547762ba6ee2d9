"""One request and its answer, as the page sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Final, final
from urllib.parse import parse_qsl, urlsplit

MAX_TARGET_CHARS: Final = 2048
"""Longest path with its query."""
MAX_FIELDS: Final = 32
"""Most fields of a query or a form."""
HTML: Final = "text/html; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"

_PATH = re.compile(r"/[a-z0-9./-]{0,64}", re.ASCII)


class BadRequest(Exception):
    """Not a request that the page takes; ``code`` is the HTTP status."""

    def __init__(self, code: int = 400) -> None:
        super().__init__()
        self.code = code


@final
@dataclass(frozen=True, slots=True)
class Ask:
    """A request whose form was checked."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict)
    cookie: str = ""
    """Of the session; empty when there is none."""


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    content_type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()


def see(path: str, *headers: tuple[str, str]) -> Answer:
    """Go to another page, with GET (303)."""
    return Answer(303, headers=(("Location", path), *headers))


def read_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and fields of a request's target.

    Raises:
        BadRequest: too long, not of this page, or a field that comes twice.
    """
    if len(target) > MAX_TARGET_CHARS:
        raise BadRequest(414)
    try:
        parts = urlsplit(target)
    except ValueError:
        raise BadRequest from None
    if parts.scheme or parts.netloc or not _PATH.fullmatch(parts.path):
        raise BadRequest(404)
    return parts.path, read_fields(parts.query)


def read_fields(text: str) -> dict[str, str]:
    """Fields of a query or a form (application/x-www-form-urlencoded). Raises as :func:`read_target`."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise BadRequest from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRequest
    return fields


def read_cookie(header: str, name: str) -> str:
    """The value of a cookie; empty when it is not there or cannot be read."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value
