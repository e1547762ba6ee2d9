"""E-mail and web addresses, without two faults of Presidio's recognizers.

One fetches the public suffix list from the internet when its cache is cold, the other takes 20 seconds
for 20 KB of ``a.a.a…``.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterator
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
_INTERNAL: Final = frozenset({"internal", "corp", "local", "lan", "intranet", "private", "test"})
"""Top-level names inside companies; no public list has them."""


@functools.cache
def offline_suffixes() -> TLDExtract:
    """Return an extractor that knows only the public suffix list inside its package: no network, no cache file."""
    extract = TLDExtract(suffix_list_urls=(), cache_dir=None)
    extract("example.com")  # read the list now: later threads share it
    return extract


@functools.cache
def _top_level() -> frozenset[str]:
    """The last label of every public suffix: most words with a dot are refused by a look into this set."""
    return frozenset(suffix.rsplit(".", 1)[-1] for suffix in offline_suffixes().tlds)


def has_public_suffix(host: str) -> bool:
    """Whether a host name ends with a suffix of the public list inside the package."""
    last = host.rsplit(".", 1)[-1].lower()
    return (last in _top_level() or not last.isascii()) and bool(offline_suffixes()(host[-_HOST_MAX:]).suffix)


@RECOGNIZERS.register("email_address")
@final
class EmailAddress:
    """E-mail address. An unknown suffix lowers the score but hides nothing: banks have internal ones."""

    name = "email_address"
    types = ("EMAIL_ADDRESS",)
    trigger = "@"
    version = "2"
    examples = (
        "write to ⟦margaret.okonkwo+bank@example.co.uk⟧.",
        "⟦m@bücher.example.de⟧",
        "<⟦j_doe@mail.corp.internal⟧>",
        "mailto:⟦ada@example.com⟧?subject=x",
    )
    counter_examples = ("meet @ noon", "@handle", "a @ b.com", "x@localhost")

    def detect(self, text: str) -> list[Detection]:
        """Find addresses around each ``@``."""
        found = []
        for at in re.finditer("@", text):
            domain = _EMAIL_DOMAIN.match(text, at.end(), at.end() + _HOST_MAX)
            start = self._local_start(text, at.start()) if domain else at.start()
            if domain is not None and start < at.start():
                known = has_public_suffix(domain[0])
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


_SPELT_AT = re.compile(
    r"\s?[\[({<]\s?(?:at|@|arroba)\s?[\])}>]\s?| (?:at|arroba) (?!(?:the|my|your|our|this|that) )|@", re.IGNORECASE
)
_DOT = r"(?:\s?[\[({<]\s?(?:dot|punto|punkt|\.)\s?[\])}>]\s?| (?:dot|DOT|punto|punkt) |\.)"
_SPELT_HOST = re.compile(
    rf"[^\W_](?:[\w-]{{0,61}}[^\W_])?(?:{_DOT}[^\W_](?:[\w-]{{0,61}}[^\W_])?){{1,5}}", re.IGNORECASE
)
_SPELT_LOCAL = re.compile(
    rf"(?<![\w.+-])[\w+-](?:[\w.+-]{{0,62}}[\w+-])?(?:(?:{_DOT}|(?i: underscore | dash ))[\w+-]{{1,64}}){{0,3}}\Z",
    re.IGNORECASE,
)
_SPELT_DOT = re.compile(_DOT, re.IGNORECASE)
_LOCAL_WINDOW: Final = 130
"""Where the part before a spelt ``at`` is looked for, code points."""


@RECOGNIZERS.register("email_obfuscated")
@final
class ObfuscatedEmail:
    """An e-mail address in words or brackets: ``ann [at] example [dot] com``, ``ann at example dot com``.

    Plain words count only with a spelt dot and a known suffix.
    """

    name = "email_obfuscated"
    types = ("EMAIL_ADDRESS",)
    trigger = (
        r"(?i)[\[({<]\s?(?:at|@|arroba)\s?[\])}>]|\w (?:at|arroba) [\w-]{1,63}(?:\s?[\[({<]\s?| )(?:dot|punto|punkt|\.)"
        r"|@[\w-]{1,63}(?:\s?[\[({<]\s?| )(?:dot|\.)"
    )
    version = "1"
    examples = (
        "mail ⟦ann.lee [at] example [dot] com⟧ please",
        "reach me: ⟦ann(at)example.co.uk⟧.",
        "⟦ann at example dot com⟧",
        "it is ⟦ann dot lee at example dot co dot uk⟧, she said",
        "⟦ann{@}example.com⟧",
        "write ⟦ann@example dot com⟧",
    )
    counter_examples = (
        "meet at example dot nowhereville",
        "we met [at] noon",
        "look at the dot on the map",
        "call at noon. Then go",
        "ann at example.com",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find spelt addresses."""
        found = []
        for at in _SPELT_AT.finditer(text):
            host = _SPELT_HOST.match(text, at.end())
            plain = host is not None and _SPELT_DOT.sub(".", host[0]) == host[0]
            if host is None or (plain and at[0].strip().lower() in ("at", "arroba", "@")):
                continue
            end = self._end(host)
            local = _SPELT_LOCAL.search(text[max(0, at.start() - _LOCAL_WINDOW) : at.start()]) if end else None
            if end and local:
                start = at.start() - len(local[0])
                found.append(Detection(start, end, "EMAIL_ADDRESS", 0.85, self.name, validated=True))
        return found

    @staticmethod
    def _end(host: re.Match[str]) -> int:
        """Where the longest host with a known suffix ends, 0 where there is none: words may follow it."""
        ends = [*[dot.start() for dot in _SPELT_DOT.finditer(host[0])][1:], len(host[0])]
        fits = (end for end in reversed(ends) if has_public_suffix(_SPELT_DOT.sub(".", host[0][:end])))
        return host.start() + next(fits, -host.start())


_SCHEME = re.compile(r"\b(?:https?|ftps?|sftp|file|wss?|ldaps?|s3)://[^\s<>\"']+", re.IGNORECASE)
_HOST = re.compile(
    r"(?<![\w.@-])(?<!//)[A-Za-z0-9][A-Za-z0-9-]*+(?:\.[A-Za-z0-9-]++)++\.?(?::[0-9]{1,5})?(?:[/?#][^\s<>\"']*+)?"
)
_INNER_DOT = re.compile(r"\.(?<=[A-Za-z0-9-]\.)(?=[A-Za-z0-9])")
_HOST_CHARS: Final = frozenset(string.ascii_letters + string.digits + "-")
_LABEL_MAX: Final = 63
"""Longest label of a host name, characters (RFC 1035, section 2.3.4)."""
_TRAILING = ".,;:!?)]}"
_FILES: Final = frozenset("md py sh pl rs ps zip mov cc so ai cs ml app".split())  # noqa: SIM905
"""Suffixes that files have too."""
_WORDS: Final = frozenset("in is it so to no me at be do my us am as by do or an the so tv pm how now".split())  # noqa: SIM905
"""Suffixes that are words too: "the money.to pay" lacks a space."""


@RECOGNIZERS.register("url")
@final
class Url:
    """URL with a scheme, or a bare host name with a known public suffix; one pass over the text."""

    name = "url"
    types = ("URL",)
    trigger = r"\w\.\w|://"
    version = "2"
    examples = (
        "see ⟦https://bank.example.com/a?token=1⟧.",
        "on ⟦www.example.co.uk/login⟧ today",
        "⟦example.com⟧, they said",
        "go to ⟦http://10.0.0.1:8080/x⟧",
        "the host ⟦ledger01.pay.corp⟧ is down",
        "⟦www.example.it⟧ or ⟦bank.example.to⟧",
    )
    counter_examples = (
        "i.e. nothing",
        "version 1.2.3",
        "the end.So it was",
        "3.5.com.",
        "report.md and main.py",
        "the money.to pay",
        "U.S.in",
        "a.b.c",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find addresses."""
        schemes = _SCHEME.finditer(text) if "://" in text else ()
        found = [self._found(text, *match.span(), 0.9) for match in schemes]
        bare = (match for match in _hosts(text) if self._is_host(match[0], text, match.end()))
        return found + [self._found(text, *match.span(), 0.6) for match in bare]

    @staticmethod
    def _is_host(address: str, text: str, end: int) -> bool:
        host = re.split(r"[:/?#]", address, maxsplit=1)[0].strip(".-")
        top = host.rsplit(".", 1)[-1]
        inside = top in _INTERNAL and host.count(".") >= 2
        if not inside and top.lower() not in _top_level():
            return False
        two_words = host.count(".") == 1 and len(host) == len(address)
        in_sentence = text[end : end + 1] == " " and text[end + 1 : end + 2].islower()
        if two_words and (top in _FILES or (top in _WORDS and in_sentence)):
            return False
        parts = offline_suffixes()(host[-_HOST_MAX:])
        suffix_cased = host[len(host) - len(parts.suffix) :]
        # "the end.So it" is a missing space, not a host in Somalia
        well_cased = suffix_cased.islower() or host.isupper()
        named = len(parts.domain) > 1 and any(c.isalpha() for c in parts.domain)
        return inside or (bool(parts.suffix) and named and well_cased)

    def _found(self, text: str, start: int, end: int, score: float) -> Detection:
        while end > start and text[end - 1] in _TRAILING:
            end -= 1
        return Detection(start, end, "URL", score, self.name)


def _hosts(text: str) -> Iterator[re.Match[str]]:
    """What has the form of a host name, found from its first dot: most of a text has none."""
    done = 0
    for dot in _INNER_DOT.finditer(text):
        start = dot.start()
        if start < done:
            continue
        first = max(done, start - _LABEL_MAX)
        while start > first and text[start - 1] in _HOST_CHARS:
            start -= 1
        while text[start] == "-":
            start += 1
        host = _HOST.match(text, start)
        done = host.end() if host else dot.end()
        if host:
            yield host
