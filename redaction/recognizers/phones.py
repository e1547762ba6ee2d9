"""Telephone numbers: runs of digits that are written like one, judged by the numbering plans and the words near by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, final

import phonenumbers
from stdnum import luhn

from redaction.detection import Detection
from redaction.pattern_set import PatternSet
from redaction.recognizers.base import CUE_CHARS, RECOGNIZERS

_RUN = re.compile(
    r"[(+0-9](?<![0-9+].)(?:(?<![^\W0-9].)|(?<=[Tt]el\+)|(?<=one\+)|(?<=ob\+)|(?<=ax\+))(?<![A-Za-z0-9][-/_].)(?<![0-9][.:].)"
    r"(?<![#$£€¥].)"  # a sign first: most is skipped at once; "Tel+44"
    r"(?:(?:(?<=\+)|(?<=\()\+) ?\(?[0-9](?:(?: ?[-./()]{1,2} ?| )?+[0-9]){1,}+"
    r"|(?:(?<=[0-9])|(?<=\()[0-9])(?:(?: ?[-./()]{1,2} ?| )?+[0-9]){6,}+)"
    r"(?![0-9_]|[A-Za-wyz][0-9]|:[0-9]|%)"
)
_EXTENSION = re.compile(
    r",? ?(?:x|ext(?:ension)?\b|extn|poste|durchwahl|anexo)[.:]? ?[0-9]{1,6}(?![0-9])", re.IGNORECASE
)
_NEXT_LINE = re.compile(r" ?\n ?[0-9](?:[ -]?[0-9]){2,11}+(?![\w-])")

_SPOKEN: Final = (
    r"(?P<strong>phone|mobile|mobil\b|cell\b|cellular|fax|(?:^|[^a-z])tel(?:e[fp]h?one?|[ée]fono)?\b|handy|whatsapp|hotline"
    r"|电话|電話|手机|手機|전화|연락처"
    r"|helpline|landline|t[ée]l[ée]phone|m[óo]vil|celular|cellulare|portable|rufnummer|telefon|telefax|puhelin|telefoon"
    r"|(?:desk|office|work|home)\s?:|contact (?:no|num)"
    r"|(?:^|[^a-z])sms\b)"
    r"|(?P<weak>\bcall(?:ed|ing|s)?\b|\b(?:reach|ring|text|dial|contact)(?:ed|ing|s)?\b|answering at|messages? to"
    r"|\b(?:my|his|her|their|your|our) (?:registered|number)\b|\bnumber is\b|\b(?:appeler|llamar|anrufen)\b)"
    r"|(?P<rival>account|acct|a/c\b|order|invoice|policy|card\b|ssn|security|routing|sort.?code|ticket|case\b|claim|passport|tax"
    r"|iban|swift|\bvat\b|amount|balance|(?:customer|client) (?:id|no|num|ref)|isbn|serial|tracking|loan|reference"
    r"|\bref\b|shares|licen[cs]e|zip|postal|postcode|timestamp|epoch|transaction|\bid\b|imei|cusip|isin)"
    r"(?:\s+(?:number|no|num|code)\b)?"
)
"""Telling words in lower case, in the syntax that RE2 and Python share."""
_WORDS: Final = re.compile(_SPOKEN)
_ANY_WORD: Final = PatternSet([_SPOKEN])
_AFTER = re.compile(r"[ \t]?[-(,/]?[ \t]?(?:office|fax|mobile|cell|home|work|desk|tel|phone)\b", re.IGNORECASE)
"""What stands behind a number on a business card."""

_NO_PHONE = re.compile(
    r"(?:19|20)[0-9]{2}([-/. ])[0-9]{1,2}\1[0-9]{1,2}(?![0-9])"  # dates
    r"|[0-9]{1,2}([-/. ])[0-9]{1,2}\2(?:19|20)[0-9]{2}(?![0-9])"
    r"|(?:19|20)[0-9]{2} ?[-/ ] ?(?:19|20)[0-9]{2}(?![0-9])"
    r"|(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{2}-[0-9]{7}|[0-9]{4}-[0-9]{4}-[0-9])\Z"  # US SSN, EIN, ABA fraction
    r"|[0-9]{2}-[0-9]{2}-[0-9]{2}[ /]+[0-9]{7,8}\Z"  # UK sort code and account
    r"|[0-9]+\.[0-9]{1,2}\Z"
)
_IP = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_MONEY_BEFORE = re.compile(r"(?:[$£€¥]|\b(?:USD|EUR|GBP|CHF|JPY|AUD|CAD|INR|SEK|NOK|DKK|Rs\.?)) ?\Z")
_MONEY_AFTER = re.compile(
    r",[0-9]{1,2}(?![0-9])| ?[$£€¥]"
    r"| (?:USD|EUR|GBP|CHF|JPY|AUD|CAD|INR|SEK|NOK|DKK|dollars|euros?|pounds|shares|units)\b"
)
_AMERICAN = re.compile(r"(?:1[-. ])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[0-9]{3}[-. ][0-9]{4}")
_TRUNK = re.compile(r"\(?0[1-9]")
_BRACKETED = re.compile(r"\((?!(?:19|20)[0-9]{2}\))[0-9]{2,4}\) ?[0-9]")

_REGIONS: Final = tuple(
    "US GB FR DE CH IT ES NL BE SE AU IN ZA PL FI NO DK AT IE NZ BR MX JP SG HK PT CZ HU TR".split()  # noqa: SIM905
)
_LONGEST: Final = 13
"""Digits of a number; more of them may be two, unless they pass for a card's."""
_E164_DIGITS: Final = 15
_MAX_LOOKUPS: Final = 64
"""Numbers per text that are looked up in the numbering plans; the rest are taken for valid, so time stays bounded."""


@RECOGNIZERS.register("phone_number")
@final
class PhoneNumber:
    """Telephone numbers, international and national (ITU-T E.164 and the national plans of `phonenumbers`).

    ``+`` and a valid number need nothing else. Where a word announces a number, every grouping of 7 to 13
    digits will do. Without one, only groupings that are hardly anything else: American, a trunk 0, brackets.
    """

    name = "phone_number"
    types = ("PHONE_NUMBER",)
    trigger = r"(?:[0-9](?: ?[-./()]{1,2} ?| )?){6}[0-9]|\+ ?\(?[0-9](?:[^0-9A-Za-z]{0,4}[0-9]){5}"
    version = "1"
    examples = (
        "Fax: ⟦+41 (0)71 526 99 04⟧",
        "desk: ⟦+1-604-696-5272x565⟧",
        "They're not answering at ⟦71-33-52-22⟧",
        "Phone:\n⟦467 3395⟧",
        "Can someone call me on ⟦01.84.17.61.18⟧?",
        "⟦28-64-66-98⟧ office\n⟦930.167.3943⟧ fax\n⟦+447700677662⟧ mobile",
        "Please have the manager call me at ⟦0494 92 82 32⟧",
        "messages to ⟦699 956 915⟧",
        "Ring ⟦00 44 7700 900461⟧ instead",
        "Phone: ⟦(37) 788-063⟧",
        "⟦(898)666-3621x0135⟧",
        '"mobile_phone": "⟦07700900123⟧"',
        "⟦3660170548⟧-Office",
        "⟦001-518-640-0854⟧ mobile",
        "⟦212-555-0143 ext 12⟧ is hers",
        "London ⟦+44 20\n7946 0958⟧.",
        "Tel⟦+442079460958⟧",
        "电话：⟦13812345678⟧",
    )
    counter_examples = (
        "15 USC 1681",
        "at 1699999999 or 1699999999999",
        "2003-08-28 12:13:52 call",
        "call on 03/05/2024 12 000",
        "call SSN 536-22-1234",
        "paid $1 234 567 by phone, then 12.345.678 EUR",
        "call about order 12345678",
        "from 10.0.200.123 or 192.168.100.200",
        "INV-2023-445566",
        "699 956 915 shares",
        "card 4111 1111 1111 1111",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find telephone numbers."""
        found: list[Detection] = []
        lookups = _MAX_LOOKUPS
        for start, end in _candidates(text):
            judged = _judge(text, start, end, known=lookups <= 0)
            lookups -= 1
            if judged is not None:
                end, score, sure = judged
                extension = _EXTENSION.match(text, end)
                end = extension.end() if extension else end
                found.append(Detection(start, end, "PHONE_NUMBER", score, self.name, validated=sure))
        return found


def _candidates(text: str) -> Iterator[tuple[int, int]]:
    """Runs of digits; one that is too long for a number is cut at its slashes."""
    for run in _RUN.finditer(text):
        start, end = run.span()
        if _digits(text, start, end) <= 15 or "/" not in run[0]:
            yield start, end
            continue
        for part in re.finditer(r"[^/ ](?:[^/]*[^/ ])?", run[0]):
            yield start + part.start(), start + part.end()


_GROUPED_AMOUNT: Final = re.compile(r"\+[0-9]{1,3}(?: [0-9]{3}){1,3}(?:\s[0-9.]{1,12})?")
"""A sum with its sign and thousands in groups; a number of this form counts when the numbering plans know it."""
_SIGNED_AMOUNT: Final = re.compile(r"\+[0-9]+(?:[ .][0-9]{3})*[.,][0-9]{2}")


def _judge(text: str, start: int, end: int, *, known: bool) -> tuple[int, float, bool] | None:
    """End, score and certainty of a candidate; None when it is something else."""
    raw, count = text[start:end], _digits(text, start, end)
    if raw.lstrip("(").startswith("+"):
        judged = None if _SIGNED_AMOUNT.fullmatch(raw) else _international(text, start, end, known=known)
        amount = judged is not None and not judged[2] and _GROUPED_AMOUNT.fullmatch(raw) and not _cue(text, start, end)
        return None if amount else judged
    if count < 7 or _NO_PHONE.match(raw) or _is_money(text, start, end):
        return None
    is_card = count > _LONGEST and (count > 2 * _LONGEST or luhn.is_valid("".join(filter(str.isdigit, raw))))
    if is_card and not raw.startswith("00"):
        return None
    cue = _cue(text, start, end)
    if cue != "strong" and (_IP.fullmatch(raw) or (cue is None and _part_of_more(text, start))):
        return None
    if cue is None or (cue == "rival"):
        score = _shape(raw, count, known=known) if cue is None else 0.0
    else:
        score = 0.0 if is_card else _announced(raw, count, strong=cue == "strong", known=known)
    return (end, score, score > 0.8) if score else None


def _announced(raw: str, count: int, *, strong: bool, known: bool) -> float:
    """Score of a number behind a word for telephone."""
    if count > _LONGEST:
        dialled = raw.startswith("00") and count <= _E164_DIGITS + 2 and _possible("+" + raw[2:])
        return 0.75 if dialled else 0.6 if strong else 0.0
    parted = not raw.isdigit()
    if strong:
        return 0.85 if known or (parted and count <= 12) or _valid(raw) else 0.6
    trunk_or_american = raw[0] == "0" or (count == 10 and raw[0] not in "01")
    return 0.75 if parted or (trunk_or_american and (known or _valid(raw))) else 0.0


def _shape(raw: str, count: int, *, known: bool) -> float:
    """Score of a number that nothing announces."""
    if _AMERICAN.fullmatch(raw):
        return 0.6
    dialled = raw.startswith("00") and not raw.startswith("000")
    if raw.isdigit() or not 8 <= count <= (_E164_DIGITS + 2 if dialled else _LONGEST):
        return 0.0
    if dialled:
        return 0.6 if known or _possible("+" + raw[2:]) else 0.0
    if _TRUNK.match(raw):
        return 0.5 if count >= 9 and (known or _valid(raw)) else 0.0
    return 0.5 if _BRACKETED.match(raw) and count <= 11 else 0.0


def _international(text: str, start: int, end: int, *, known: bool) -> tuple[int, float, bool] | None:
    """A number with ``+``; the rest of it may be on the next line."""
    if known or _valid(text[start:end]):
        return end, 0.95, True
    more = _NEXT_LINE.match(text, end)
    if more and _valid(text[start : more.end()].replace("\n", " ")):
        return more.end(), 0.9, True
    return (end, 0.6, False) if 7 <= _digits(text, start, end) <= 16 and not _is_money(text, start, end) else None


def _valid(raw: str) -> bool:
    """Whether some numbering plan has the number."""
    regions = ("ZZ",) if raw.lstrip("(").startswith("+") else _REGIONS
    return any(phonenumbers.is_valid_number(n) for region in regions if (n := _parsed(raw, region)) is not None)


def _possible(raw: str) -> bool:
    number = _parsed(raw, "ZZ")
    return number is not None and phonenumbers.is_possible_number(number)


def _parsed(raw: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None


def _cue(text: str, start: int, end: int) -> str | None:
    """The kind of the last telling word before the number, or of one right behind it."""
    if _AFTER.match(text, end):
        return "strong"
    first = max(0, start - CUE_CHARS)
    before = text[max(0, first - 1) : start].lower()
    if not _ANY_WORD.matching(before):
        return None
    last = None
    for last in _WORDS.finditer(before, min(first, 1)):  # noqa: B007 - the last one counts
        pass
    return last.lastgroup if last else None


def _is_money(text: str, start: int, end: int) -> bool:
    return bool(_MONEY_AFTER.match(text, end)) or bool(_MONEY_BEFORE.search(text, max(0, start - 5), start))


def _part_of_more(text: str, start: int) -> bool:
    """Whether letters mixed with digits stand right before: the rest of an IBAN or the like."""
    return re.search(r"[A-Za-z][0-9]+[ -]\Z", text[max(0, start - 12) : start]) is not None


def _digits(text: str, start: int, end: int) -> int:
    return sum(map(str.isdigit, text[start:end]))
