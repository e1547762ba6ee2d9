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
    r"(?:passw(?:ord|d|ort)|(?<![^\W_])(?:pass ?(?:word|code|phrase|wd)|pwd|kennwort|mot de passe|contrase(?:ñ|n)a"
    r"|log-?in secret|pw))"
    rf"({_IS})((?!(?:is|was|are|has|have|must|to|for|and|or|reset|change[ds]?|policy|not|the|my|your|a|an|field)(?!\S))"
    r"[^\s\"'`<>]{3,128})",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    rf"(?:passw(?:ord|ort)|(?<![^\W_])(?:pass ?(?:word|code|phrase)|kennwort))(?:{_LINK}|\s{{1,3}})"
    r"([\"'`])([^\"'`\n]{3,128})\1",
    re.IGNORECASE,
)
_PLAIN_WORDS = re.compile(r"(?:[^\W\d_]+[-/’])*[^\W\d_]+")
_NEXT_FIELD = re.compile(r"[;&,][A-Za-z_][\w ]{0,40}=")
_SAID = re.compile(r"\s(?:is|was|(?:changed|reset|set) to)\s$", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.,;!)\]]{0,2}(?:\s{0,9}$|[.,;!)]\s|\s(?:and|but|or|for|on|please|thanks)\b|\n)")
_STATE = re.compile(
    r"absent|active|bad|being|blank|broken|case|confidential|correct|default|different|easy|empty|false|fine|forgotten"
    r"|given|gone|good|hard|here|hidden|incorrect|invalid|kept|known|long|lost|mandatory|missing|new|none|null|okay|old"
    r"|optional|private|reset|safe|same|secret|secure|sent|set|short|shown|simple|still|stolen|strong|sufficient|taken|that"
    r"|there|this|too|true|unclear|unknown|valid|weak|what|written|wrong|yes|[a-z]{3,20}(?:ed|ing|able)",
    re.IGNORECASE,
)
"""What is said of a password, or of an answer, and is not its value."""

_TRAILING: Final = ".,;:)]}"


@RECOGNIZERS.register("password")
@final
class Password:
    """A password behind its word: as a key's value, or in a sentence when it does not look like an ordinary word."""

    name = "password"
    types = ("PASSWORD",)
    trigger = r"(?i)pass ?(?:word|code|phrase|wd|wort)|pwd|kennwort|mot de passe|contrase.a|log-?in secret|pw"
    version = "2"
    examples = (
        "my password is ⟦Tr0ub4dor&3⟧",
        'password="⟦hunter2⟧"',
        '{"pwd": "⟦correcthorse⟧"}',
        "Kennwort: ⟦Sommer2024!⟧",
        "The password for online banking is ⟦blue!Moon7⟧.",
        "the password was changed to ⟦N3wPass#1⟧ today",
        "my password is ⟦sunshine⟧, help",
    )
    counter_examples = (
        "the password is wrong",
        "reset my password please",
        "password policy",
        "I forgot my password and PIN",
        "mot de passe oublié",
        "password self-service",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find passwords."""
        found = []
        for match in _PASSWORD.finditer(text):
            start, value = match.start(2), _NEXT_FIELD.split(match[2])[0]
            value = value.rstrip(_TRAILING) or value
            end = start + len(value)
            keyed = any(mark in match[1] for mark in "=:\"'`")
            if keyed or not _is_plain(value):
                found.append(Detection(start, end, "PASSWORD", 0.9, self.name, validated=keyed))
            elif _SAID.search(match[1]) and _CLAUSE_END.match(text, end) and not _STATE.fullmatch(value):
                found.append(Detection(start, end, "PASSWORD", 0.6, self.name))
        known = {(d.start, d.end) for d in found}
        quoted = (match.span(2) for match in _QUOTED.finditer(text) if match.span(2) not in known)
        return found + [Detection(*span, "PASSWORD", 0.9, self.name, validated=True) for span in quoted]


def _is_plain(value: str) -> bool:
    """Whether it is a word, or words with hyphens, as they stand in a sentence; "sEcReT" is none."""
    words = re.split("[-/’]", value)
    ordinary = all(word.islower() or word.isupper() or word.istitle() for word in words)
    return ordinary and bool(_PLAIN_WORDS.fullmatch(value))


_CODES: Final = (
    r"(?:security|verification|authenti[cf]ation|confirmation|access|sms|login|m?tan)[ _-]?code|passcode|geheimzahl"
)
_PIN = re.compile(
    r"(?:(?<![^\W_])|(?-i:(?<=[a-z])(?=P)))"
    rf"(?:pin(?:[ -]?(?:code|number|no\.?))?|otp|one.time (?:pass(?:word|code)?|code|pin)|{_CODES}|m?tan)"
    rf"{_IS}([0-9](?:[ -]?[0-9]){{3,11}})(?![0-9A-Za-z]|[.,][0-9])",
    re.IGNORECASE,
)
_SENT = re.compile(
    r"(?<![\w.,-])(?:(?-i:[A-Z])-)?([0-9]{4,8}|[0-9]{3}[ -][0-9]{3})\s(?:is|as)\s(?:your|my|the|a)\s"
    rf"(?:[\w-]{{1,20}}\s){{0,3}}?(?:pin|otp|one.time (?:pass(?:word|code)?|code|pin)|{_CODES}|m?tan)(?![^\W_])",
    re.IGNORECASE,
)
"""As a text message says it: "893412 is your verification code"."""


@RECOGNIZERS.register("pin")
@final
class Pin:
    """PIN of 4 to 12 digits (ISO 9564-1) or one-time code, behind its word."""

    name = "pin"
    types = ("PIN",)
    trigger = r"[a-z]P[Ii][Nn]|(?i)\bpin|_pin|otp|one.time|code|(?:\b|_)m?tan\b|geheimzahl"
    version = "2"
    examples = (
        "my PIN is ⟦4821⟧",
        "OTP: ⟦893 412⟧",
        '"pin": "⟦0042⟧"',
        "the PIN for my card is ⟦7788⟧",
        "security code = ⟦551204⟧",
        "⟦893412⟧ is your Acme verification code",
    )
    counter_examples = ("pin 12", "the pin is lost", "postal code 12345", "error code 4042", "spin is 4821")

    def detect(self, text: str) -> list[Detection]:
        """Find PINs and codes."""
        spans = (match.span(1) for pattern in (_PIN, _SENT) for match in pattern.finditer(text))
        return [Detection(*span, "PIN", 0.9, self.name, validated=True) for span in spans]


_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,64}"
    r"|[srp]k_(?:live|test)_[A-Za-z0-9]{10,255}|whsec_[A-Za-z0-9]{20,64}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,255}"
    r"|sk-(?=[A-Za-z_-]{0,255}[0-9])(?:proj-|ant-)?[A-Za-z0-9_-]{20,255}|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,255}"
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}|dop_v1_[a-f0-9]{64}"
    r"|eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?"
    r")(?![A-Za-z0-9])"
)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BEARER = re.compile(r"(?<![^\W_])(?:bearer|basic)\s{1,3}([A-Za-z0-9._~+/-]{12,}+={0,2})", re.IGNORECASE)
_CREDENTIALS = re.compile(
    r"(?<![A-Za-z0-9])[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"']{0,64}:([^\s/@\"']{1,128})@", re.IGNORECASE
)
_ASSIGNED = re.compile(
    r"(?:(?<![^\W_])|(?-i:(?<=[a-z])(?=[AKST])))"
    r"(?:api[_ -]?key|access[_ -]?(?:key|token)|secret(?:[_ -]?(?:key|access[_ -]?key))?|client[_ -]?secret|token|"
    r"private[_ -]?key|encryption[_ -]?key|session[_ -]?(?:id|key|token))"
    r"[\"']?\s{0,3}(?:\b(?:is|was)\b|:=?|=>?|->)\s{0,3}[\"'`]?(?!<|\$\{|\{\{)([^\s\"'`,;]{8,}+)",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"(?:mother['’]?s maiden name|security (?:answer|question answer)|memorable (?:word|name|place)|"
    r"answer to (?:the|my) security question)\s{0,3}(?:\b(?:is|was)\b|[:=])\s{0,3}[\"'`]?"
    r"(?!not\b|the\b|a\b)([^\W\d_][\w'’-]{1,40}(?-i:(?: [A-Z][\w'’-]{1,40}){0,2}))",
    re.IGNORECASE,
)
_LEAST_BITS, _LEAST_BITS_MIXED = 2.8, 2.0
"""Entropy of a character, below which a value is a word and no key; the second where letters and digits mix."""


@RECOGNIZERS.register("secret")
@final
class Secret:
    """Keys and tokens: by the prefixes that their makers gave them, by entropy, blocks of private keys."""

    name = "secret"
    types = ("SECRET",)
    trigger = (
        r"AKIA|ASIA|ABIA|ACCA|gh[pousr]_|github_pat_|glpat-|[srp]k_(?:live|test)_|whsec_|xox[abeoprs]-|AIza|ya29\.|sk-|hf_"
        r"|npm_|pypi-|SG\.|dop_v1_|eyJ|PRIVATE KEY|://[^\s/@]*@|(?i)bearer|basic\s|api.?key|access.?(?:key|token)|secret"
        r"|token|private.?key|encryption.?key|session.?(?:id|key|token)|maiden|memorable|security (?:answer|question)"
    )
    version = "2"
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
        "sk-estimator-doc-link-wrapper",
        "the security answer is incorrect",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find keys and tokens."""
        spans = [match.span() for match in _TOKEN.finditer(text)]
        spans += [match.span(1) for match in _CREDENTIALS.finditer(text)]
        spans += [match.span(1) for match in _ANSWER.finditer(text) if not _STATE.fullmatch(match[1])]
        spans += [m.span(1) for p in (_ASSIGNED, _BEARER) for m in p.finditer(text) if _is_random(m[1])]
        spans += list(_blocks(text))
        return [Detection(*span, "SECRET", 0.9, self.name, validated=True) for span in spans]


def _is_random(value: str) -> bool:
    """Shannon entropy, and more than letters: "invalid" and "confidential" are neither keys nor tokens."""
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    mixed = re.search("[0-9]", value) and re.search("[A-Za-z]", value)
    return bits >= (_LEAST_BITS_MIXED if mixed else _LEAST_BITS) and not _is_plain(value.strip(_TRAILING))


def _blocks(text: str) -> list[tuple[int, int]]:
    """Private keys from their first line to their last; one without an end goes to the end of the text."""
    spans, at = [], 0
    while begin := _KEY_BLOCK.search(text, at):
        end = _KEY_END.search(text, begin.end())
        at = end.end() if end else len(text)
        spans.append((begin.start(), at))
    return spans
