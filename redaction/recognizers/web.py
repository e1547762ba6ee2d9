"""E-mail and web addresses, without two faults of Presidio's recognizers.

One fetches the public suffix list from the internet when its cache is cold, the other takes 20 seconds
for 20 KB of ``a.a.a…``.
"""

from __future__ import annotations

import re
from typing import Final, final

from tldextract import TLDExtract

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS

_HOST_MAX: Final = 253
"""Longest host name, characters (RFC 1035, section 2.3.4)."""
_LOCAL_MAX: Final = 256
"""How much before an ``@`` is taken; RFC 5321 allows 64, but a fragment left over would be a leak."""
_LOCAL_MARKS: Final = frozenset("!#$%&'*+-/=?^_`{|}~.")
_EMAIL_DOMAIN = re.compile(r"[^\W_]+(?:-+[^\W_]+)*+(?:\.[^\W_]+(?:-+[^\W_]+)*+)++")


def offline_suffixes() -> TLDExtract:
    """Return an extractor that knows only the public suffix list inside its package: no network, no cache file."""
    extract = TLDExtract(suffix_list_urls=(), cache_dir=None)
    extract("example.com")  # read the list now: later threads share it
    return extract


@RECOGNIZERS.register("email_address")
@final
class EmailAddress:
    """E-mail address. An unknown suffix lowers the score but hides nothing: banks have internal ones."""

    name = "email_address"
    types = ("EMAIL_ADDRESS",)
    trigger = "@"
    version = "1"
    examples = (
        "write to ⟦margaret.okonkwo+bank@example.co.uk⟧.",
        "⟦m@bücher.example.de⟧",
        "<⟦j_doe@mail.corp.internal⟧>",
    )
    counter_examples = ("meet @ noon", "@handle", "a @ b.com", "x@localhost")

    def __init__(self) -> None:
        self._extract = offline_suffixes()

    def detect(self, text: str) -> list[Detection]:
        """Find addresses around each ``@``."""
        found = []
        for at in re.finditer("@", text):
            domain = _EMAIL_DOMAIN.match(text, at.end(), at.end() + _HOST_MAX)
            start = self._local_start(text, at.start())
            if domain is not None and start < at.start():
                known = bool(self._extract(domain[0]).suffix)
                score = 1.0 if known else 0.6
                found.append(Detection(start, domain.end(), "EMAIL_ADDRESS", score, self.name, validated=known))
        return found

    @staticmethod
    def _local_start(text: str, at: int) -> int:
        start = at
        while start > max(0, at - _LOCAL_MAX) and (text[start - 1].isalnum() or text[start - 1] in _LOCAL_MARKS):
            start -= 1
        while start < at and not text[start].isalnum():  # quotes and slashes in front belong to the sentence
            start += 1
        return start


_SCHEME = re.compile(r"\b(?:https?|ftps?|sftp|file)://[^\s<>\"']+", re.IGNORECASE)
_HOST = re.compile(r"(?<![\w.@-])(?<!//)[A-Za-z0-9][A-Za-z0-9.-]*+(?::[0-9]{1,5})?(?:[/?#][^\s<>\"']*+)?")
_TRAILING = ".,;:!?)]}"


@RECOGNIZERS.register("url")
@final
class Url:
    """URL with a scheme, or a bare host name with a known public suffix; one pass over the text."""

    name = "url"
    types = ("URL",)
    trigger = r"\w\.\w|://"
    version = "1"
    examples = (
        "see ⟦https://bank.example.com/a?token=1⟧.",
        "on ⟦www.example.co.uk/login⟧ today",
        "⟦example.com⟧, they said",
        "go to ⟦http://10.0.0.1:8080/x⟧",
    )
    counter_examples = ("i.e. nothing", "version 1.2.3", "the end.So it was", "3.5.com.")

    def __init__(self) -> None:
        self._extract = offline_suffixes()

    def detect(self, text: str) -> list[Detection]:
        """Find addresses."""
        found = [self._found(text, *match.span(), 0.9) for match in _SCHEME.finditer(text)]
        bare = (match for match in _HOST.finditer(text) if "." in match[0] and self._is_host(match[0]))
        return found + [self._found(text, *match.span(), 0.6) for match in bare]

    def _is_host(self, address: str) -> bool:
        host = re.split(r"[:/?#]", address, maxsplit=1)[0].strip(".-")
        parts = self._extract(host[-_HOST_MAX:])
        suffix_cased = host[len(host) - len(parts.suffix) :]
        # "the end.So it" is a missing space, not a host in Somalia
        well_cased = suffix_cased.islower() or host.isupper()
        return bool(parts.suffix) and any(c.isalpha() for c in parts.domain) and well_cased

    def _found(self, text: str, start: int, end: int, score: float) -> Detection:
        while end > start and text[end - 1] in _TRAILING:
            end -= 1
        return Detection(start, end, "URL", score, self.name)
