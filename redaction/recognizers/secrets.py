"""What opens doors: passwords, PINs, one-time codes, keys and tokens."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS

_FOR: Final = r"\s{1,3}(?:for|of|to)(?:\s{1,3}\w{1,20}){1,4}?"
_LINK: Final = (
    r"(?:\s{0,3}(?:\b(?:(?:is|was|has been) (?:changed|reset|set) to|is|was|are|to)\b"
    r"|=>?|:=?|->)\s{0,3}|[\"']\s{0,3}[:=]\s{0,3})"
)
_IS: Final = rf"(?:(?:{_FOR})?{_LINK}|\s)[\"'`(<]{{0,2}}"
"""What stands between the word and the secret: a link, before it perhaps what it is for, or a mere space."""

_PASSWORD = re.compile(
    r"(?<![^\W_])(?:pass ?(?:word|code|phrase|wd)|pwd|passwort|kennwort|mot de passe|contrase(?:ñ|n)a"
    r"|log-?in secret|pw)"
    rf"({_IS})((?!(?:is|was|are|has|have|must|to|for|and|or|reset|change[ds]?|policy|not|the|my|your|a|an|field)\b)"
    r"[^\s\"'`<>]{3,128})",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    rf"(?<![^\W_])(?:pass ?(?:word|code|phrase)|passwort|kennwort)(?:{_LINK}|\s{{1,3}})([\"'`])([^\"'`\n]{{3,128}})\1",
    re.IGNORECASE,
)
_PLAIN_WORD = re.compile(r"[a-z]+|[A-Z][a-z]+|[A-Z]+")
_TRAILING: Final = ".,;:)]}"


@RECOGNIZERS.register("password")
@final
class Password:
    """A password behind its word: as a key's value, or in a sentence when it does not look like an ordinary word."""

    name = "password"
    types = ("PASSWORD",)
    trigger = r"(?i)pass ?(?:word|code|phrase|wd)|pwd|passwort|kennwort|mot de passe|contrase.a|log-?in secret|\bpw\b"
    version = "1"
    examples = (
        "my password is ⟦Tr0ub4dor&3⟧",
        'password="⟦hunter2⟧"',
        '{"pwd": "⟦correcthorse⟧"}',
        "Kennwort: ⟦Sommer2024!⟧",
        "The password for online banking is ⟦blue!Moon7⟧.",
        "the password was changed to ⟦N3wPass#1⟧ today",
    )
    counter_examples = (
        "the password is wrong",
        "reset my password please",
        "password policy",
        "I forgot my password and PIN",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find passwords."""
        found = []
        for match in _PASSWORD.finditer(text):
            value = match[2].rstrip(_TRAILING) or match[2]
            keyed = any(mark in match[1] for mark in "=:\"'`")
            if keyed or not _PLAIN_WORD.fullmatch(value):
                start = match.start(2)
                found.append(Detection(start, start + len(value), "PASSWORD", 0.9, self.name, validated=keyed))
        known = {(d.start, d.end) for d in found}
        quoted = (match.span(2) for match in _QUOTED.finditer(text) if match.span(2) not in known)
        return found + [Detection(*span, "PASSWORD", 0.9, self.name, validated=True) for span in quoted]


_PIN = re.compile(
    r"(?<![^\W_])(?:pin(?: ?(?:code|number|no\.?))?|otp|one.time (?:pass(?:word|code)?|code|pin)|(?:security|"
    r"verification|"
    r"authenti[cf]ation|confirmation|access|sms|login|m?tan)[ _-]?code|tan|passcode|geheimzahl)"
    rf"{_IS}([0-9](?:[ -]?[0-9]){{3,11}})(?![0-9A-Za-z]|[.,][0-9])",
    re.IGNORECASE,
)


@RECOGNIZERS.register("pin")
@final
class Pin:
    """PIN of 4 to 12 digits (ISO 9564-1) or one-time code, behind its word."""

    name = "pin"
    types = ("PIN",)
    trigger = r"(?i)\bpin|_pin|otp|one.time|code|\bm?tan\b|geheimzahl"
    version = "1"
    examples = (
        "my PIN is ⟦4821⟧",
        "OTP: ⟦893 412⟧",
        '"pin": "⟦0042⟧"',
        "the PIN for my card is ⟦7788⟧",
        "security code = ⟦551204⟧",
    )
    counter_examples = ("pin 12", "the pin is lost", "postal code 12345", "error code 4042", "spin is 4821")

    def detect(self, text: str) -> list[Detection]:
        """Find PINs and codes."""
        spans = (match.span(1) for match in _PIN.finditer(text))
        return [Detection(*span, "PIN", 0.9, self.name, validated=True) for span in spans]


_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,64}"
    r"|[srp]k_(?:live|test)_[A-Za-z0-9]{10,255}|whsec_[A-Za-z0-9]{20,64}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,255}"
    r"|sk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,255}|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,255}"
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}|dop_v1_[a-f0-9]{64}"
    r"|eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,8192}(?:\.[A-Za-z0-9_-]{0,4096})?"
    r")(?![A-Za-z0-9])"
)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BEARER = re.compile(r"(?<![^\W_])(?:bearer|basic)\s{1,3}([A-Za-z0-9._~+/-]{12,4096}=*)", re.IGNORECASE)
_CREDENTIALS = re.compile(
    r"(?<![A-Za-z0-9])[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"']{1,64}:([^\s/@\"']{1,128})@", re.IGNORECASE
)
_ASSIGNED = re.compile(
    r"(?<![^\W_])(?:api[_ -]?key|apikey|access[_ -]?(?:key|token)|secret(?:[_ -]?(?:key|access[_ -]?key))?|"
    r"client[_ -]?secret|auth(?:orization)?[_ -]?token|token|"
    r"private[_ -]?key|encryption[_ -]?key|session[_ -]?(?:id|key|token))"
    r"[\"']?\s{0,3}(?:is|was|[:=])\s{0,3}[\"'`]?([^\s\"'`,;]{8,512})",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"(?:mother'?s maiden name|security (?:answer|question answer)|memorable (?:word|name|place)|"
    r"answer to (?:the|my) security question)\s{0,3}(?:is|was|[:=])\s{0,3}[\"'`]?([^\W\d_][\w'’-]{1,40})",
    re.IGNORECASE,
)
_LEAST_BITS: Final = 2.8
"""Entropy of a character, below which a value is a word and no key."""


@RECOGNIZERS.register("secret")
@final
class Secret:
    """Keys and tokens: by the prefixes that their makers gave them, by entropy, blocks of private keys."""

    name = "secret"
    types = ("SECRET",)
    trigger = (
        r"AKIA|ASIA|ABIA|ACCA|gh[pousr]_|github_pat_|glpat-|[srp]k_(?:live|test)_|whsec_|xox[abeoprs]-|AIza|ya29\.|sk-|hf_"
        r"|npm_|pypi-|SG\.|dop_v1_|eyJ|PRIVATE KEY|://[^\s/@]*@|(?i)bearer|basic |api.?key|access.?(?:key|token)|secret"
        r"|token|private.?key|encryption.?key|session.?(?:id|key|token)|maiden|memorable|security (?:answer|question)"
    )
    version = "1"
    examples = (
        "key ⟦AKIAIOSFODNN7EXAMPLE⟧",
        "token ⟦ghp_16C7e42F292c6912E7710c838347Ae178B4a⟧ leaked",
        "api_key=⟦9f8b7c6d5e4f3a2b1c0d⟧",
        "Authorization: Bearer ⟦mF_9.B5f-4.1JqM⟧",
        "postgres://app:⟦s3cr3t!⟧@db.internal/x",
        "mother's maiden name is ⟦Okonkwo⟧",
        "⟦-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----⟧",
    )
    counter_examples = (
        "the token is invalid",
        "secret: confidential",
        "basic account",
        "session id is missing",
        "sk-ip",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find keys and tokens."""
        spans = [match.span() for match in _TOKEN.finditer(text)]
        spans += [match.span(1) for pattern in (_CREDENTIALS, _ANSWER) for match in pattern.finditer(text)]
        spans += [m.span(1) for p in (_ASSIGNED, _BEARER) for m in p.finditer(text) if _is_random(m[1])]
        spans += list(_blocks(text))
        return [Detection(*span, "SECRET", 0.9, self.name, validated=True) for span in spans]


def _is_random(value: str) -> bool:
    """Shannon entropy, and more than letters: "invalid" and "confidential" are neither keys nor tokens."""
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return bits >= _LEAST_BITS and not _PLAIN_WORD.fullmatch(value.strip(_TRAILING))


def _blocks(text: str) -> list[tuple[int, int]]:
    """Private keys from their first line to their last; one without an end goes to the end of the text."""
    spans, at = [], 0
    while begin := _KEY_BLOCK.search(text, at):
        end = _KEY_END.search(text, begin.end())
        at = end.end() if end else len(text)
        spans.append((begin.start(), at))
    return spans
