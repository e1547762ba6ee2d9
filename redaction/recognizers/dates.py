"""Ages, birth dates and plain dates.

Policies keep plain dates, so what points at a person (a birth date, an age) has a type of its own.
"""

from __future__ import annotations

import re
from typing import Final, final

import re2

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS

_MONTH_WORD: Final = (
    r"(?:jan(?:uary|uar|vier|v)?|feb(?:ruary|ruar|rero|braio|r)?|f[ée]v(?:rier|r)?|mar(?:ch|s|zo|z)?|m[äa]e?rz|apr(?:il|ile)?"
    r"|avr(?:il)?|abr(?:il)?|may|mai|mayo|mag(?:gio)?|june?|juni?|juin|junio|giu(?:gno)?|july?|juli|juil(?:let)?|julio"
    r"|lug(?:lio)?|aug(?:ust)?|ao[ûu]t|ago(?:sto)?|sept?(?:ember|embre|iembre)?|set(?:t?embre)?|oct(?:ober|obre|ubre)?"
    r"|okt(?:ober)?|ott(?:obre)?|nov(?:ember|embre|iembre)?|dec(?:ember)?|d[ée]c(?:embre)?|dez(?:ember)?|dic(?:embre|iembre)?"
    r"|enero?|gen(?:naio)?)"
)
"""Months in English, German, French, Spanish and Italian, full and abbreviated."""
_MONTH: Final = rf"{_MONTH_WORD}(?![^\W_])"
_DAY: Final = r"(?:0?[1-9]|[12][0-9]|3[01])(?:st|nd|rd|th|er|\.|º)?"
_YEAR: Final = r"(?:1[89]|20|21)[0-9]{2}"
_OF: Final = r"(?: of| de| del)?"
_CLOCK: Final = r"[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?: ?[ap]\.?m\b\.?)?"
_ZONE: Final = r"(?:Z\b| ?[+-][0-2][0-9]:?[0-5][0-9]| ?(?:UTC|GMT|CET|CEST|EST|EDT|PST|PDT|BST)\b)"
_NUMERIC: Final = "(?:{})".format(
    "|".join(
        rf"{_YEAR}{sep}(?:1[0-2]|0?[1-9]){sep}(?:3[01]|[12][0-9]|0?[1-9])"
        rf"|(?:3[01]|[12][0-9]|0?[1-9]){sep}(?:3[01]|[12][0-9]|0?[1-9]){sep}(?:(?:1[89]|20)[0-9]{{2}}|[0-9]{{2}})"
        for sep in ("-", "/", "[.]")
    )
)
_DAY_FIRST: Final = rf"{_DAY}{_OF}[ -]{_MONTH}\.?(?:{_OF},?[ -]?'?(?:{_YEAR}|[0-9]{{2}}(?= ?[,.;)\n]|\Z)))?"
_MONTH_FIRST: Final = rf"(?:{_DAY}(?:(?:, ?| |-){_YEAR})?|{_YEAR})"
"""What follows the month."""

_HEAD_CHARS: Final = 24
"""How far before a number the words that make it a date or an age may begin."""

_BIRTH_DATE: Final = (
    rf"(?:{_NUMERIC}|[0-9]{{1,2}}[ -/.][0-9]{{1,2}}[ -/.][0-9]{{2,4}}|(?:19|20)[0-9]{{6}}"
    rf"|{_DAY}{_OF}[ -]{_MONTH}\.?{_OF},?[ -]'?[0-9]{{2,4}}|{_MONTH}\.? {_DAY},? [0-9]{{4}}|{_YEAR}(?= ?[.,;)\n]|\Z))"
)
_BIRTH: Final = re.compile(
    r"(?:\bd\.?o\.?b\b\.?|date[ _-]?of[ _-]?birth|birth[ _-]?(?:dat[ea]|day)|\bborn|geburts(?:datum|tag)|\bgeb\."
    r"|\bgeboren"
    r"|date de naissance|\bnée?\b|fecha de nacimiento|\bnacid[oa]|data di nascita|\bnat[oa]|geboortedatum|fødselsdato"
    r"|födelsedatum|syntymäaika|data urodzenia|data de nascimento)"
    r"(?: (?:is|was|on|the|in|am|le|el|il|den)|'s| ?\([^()\n]{0,20}\)){0,2}(?:\. It'?s)?[\s\"':=,;|.(–-]{0,8}"
    rf"({_BIRTH_DATE})(?![0-9])",
    re.IGNORECASE,
)


@RECOGNIZERS.register("date_of_birth")
@final
class DateOfBirth:
    """A date that the text calls a birth date."""

    name = "date_of_birth"
    types = ("DATE_OF_BIRTH",)
    trigger = (
        r"(?i)\bd\.?o\.?b|birth|\bborn|\bgeb|naissance|\bn[ée]e?\b|nacimiento|\bnacid|\bnat[oa]\b|nascita"
        r"|geboorte|f[øö]d[se]|syntym|urodz|nascimento"
    )
    version = "2"
    examples = (
        "DOB: ⟦03/05/1980⟧",
        "born on ⟦3 May 1980⟧ in Leeds",
        'her date of birth is ⟦1980-05-03⟧; "dob": "⟦May 3, 1980⟧"',
        "Please tell me your date of birth. It's ⟦8/12/1991⟧",
        '{"date_of_birth": "⟦19800503⟧", "birthDate": "⟦1980-05-03⟧"}',
        "geboren am ⟦3. Mai 1980⟧, née le ⟦3 mai 1980⟧",
        "Fecha de nacimiento: ⟦3 de mayo de 1980⟧",
        "Date of birth (dd/mm/yyyy): ⟦03.05.80⟧",
    )
    counter_examples = ("paid on 03/05/2024", "born in Leeds, moved on 3 May 1980", "DOB: unknown")

    def detect(self, text: str) -> list[Detection]:
        """Find birth dates."""
        return [
            Detection(*match.span(1), "DATE_OF_BIRTH", 0.9, self.name, validated=True)
            for match in _BIRTH.finditer(text)
        ]


_OLD: Final = re.compile(
    r"[ -]?(?:(?:years?|yrs?|y\.)[ -]?(?:old|of age)|y\.?/?o\.?(?![a-z])|ans\b(?= d'âge|,|\.|\))|jahre alt|jährige"
    r"|años de edad|anni d'età)",
    re.IGNORECASE,
)
_AGED: Final = re.compile(
    r"\b(?:aged?|alter|âgée? de|edad|età)(?: of| is| was| at death)?[\"']?(?: ?[:=] ?[\"']?| )\Z", re.IGNORECASE
)
_TURNED: Final = re.compile(
    r"\b(?:turn(?:ed|ing|s)?|I'm|I am|he's|he is|she's|she is|when (?:he|she|I|they) (?:was|were)) \Z", re.IGNORECASE
)
_DECADE: Final = re.compile(r"\bin (?:his|her|my|their) (?:(?:early|late|mid)[ -])?\Z", re.IGNORECASE)
_NO_UNIT: Final = re.compile(
    r"(?![.,]?[0-9%]|-| ?(?:%|percent|days?|weeks?|months?|hours?|minutes?|am\b|pm\b|degrees|dollars"
    r"|million|billion|thousand|basis|bps|points|cents?|years? (?!old)"
    r"|or\b|to\b|of\b|x\b|and [0-9]|st\b|nd\b|rd\b|th\b))\b",
    re.IGNORECASE,
)
_STOPS: Final = re.compile(
    r" ?(?:[.,;!?)\n]|\Z|years|in\b|last\b|this\b|next\b|on\b|and\b|but\b|with\b|now\b|today|yesterday)", re.IGNORECASE
)


@RECOGNIZERS.register("age")
@final
class Age:
    """How old somebody is: the number alone, so that the sentence still reads as one."""

    name = "age"
    types = ("AGE",)
    trigger = (
        r"(?i)[0-9][ -]?(?:y|jahr|jähr|años|anni|ans)"
        r"|(?:aged?|alter|gée? de|edad|età|of|at death|is|was)[\"']?[ :=]{1,3}[\"']?[0-9]"
        r"|turn(?:ed|ing|s)? [0-9]|(?:'m|\bam|'s|were) [0-9]|[2-9]0'?s"
    )
    version = "2"
    examples = (
        "a ⟦74⟧ year old client",
        "⟦81⟧-year-old widow",
        "aged ⟦67⟧ and retired",
        "Age: ⟦45⟧",
        "I'm ⟦31⟧ y/o.",
        "He just turned ⟦69⟧ years old",
        "My father retired at the age of ⟦45⟧",
        "I'll turn ⟦80⟧.",
        "Written when he was ⟦64⟧.",
        "She is ⟦45⟧ and works",
        "a ⟦31⟧yo male",
        '{"age": ⟦52⟧}',
        "in her late ⟦60⟧s",
        "⟦45⟧ Jahre alt, âgé de ⟦33⟧ ans",
        "aged ⟦103⟧",
    )
    counter_examples = (
        "a 30 year mortgage",
        "in 12 years",
        "aged 12.5% more",
        "page 45",
        "aged 30-60 days",
        "I'm 30 days late",
        "turned 20 percent",
        "the value is 45",
        "over age 18 or older",
        "a coverage 45",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find ages."""
        return [
            Detection(*number.span(), "AGE", 0.9, self.name, validated=True)
            for number in re.finditer(r"[0-9]+", text)
            if _is_age(text, *number.span())
        ]


def _is_age(text: str, start: int, end: int) -> bool:
    """Whether the digits ``text[start:end]`` are somebody's years."""
    if end - start > 3 or not 0 < int(text[start:end]) < 120 or text[start] == "0":
        return False
    before = text[max(0, start - 1) : start]
    if _OLD.match(text, end):
        return not (before.isalnum() or before in tuple("_.,$€£-"))
    if before not in (" ", ":", "=", "'", '"'):
        return False
    head = text[max(0, start - _HEAD_CHARS) : start]
    if text[end - 1] == "0" and text.startswith(("s", "'s"), end):
        return _DECADE.search(head) is not None
    said = _AGED.search(head) or (_TURNED.search(head) and _STOPS.match(text, end))
    return bool(said) and _NO_UNIT.match(text, end) is not None


_BEFORE: Final = r"(?<![\w$€£#])(?<![0-9][-/.,:])(?<![A-Za-z][-/_])"
_END: Final = r"(?![\w%])(?![-/:][\w])(?![.,][0-9])"
_TIME: Final = rf"(?:,? (?:at )?|T){_CLOCK}{_ZONE}?"
_FROM_DIGIT: Final = re.compile(
    rf"{_BEFORE}(?:(?:{_NUMERIC}|{_DAY_FIRST})(?:{_TIME})?|{_CLOCK}{_ZONE}?|(?:1[0-2]|0?[1-9]) ?[ap]\.?m\b\.?){_END}",
    re.IGNORECASE,
)
_MONTH_NAME: Final = re.compile(_MONTH, re.IGNORECASE)
_MONTH_LETTERS: Final = frozenset("jfmasondegJFMASONDEG")
"""The first ones of the months."""
_AFTER_DAY: Final = frozenset("-/.:ºsnrteapSNRTEAP")
_AFTER_BLANK: Final = _MONTH_LETTERS | {"p", "P"}
"""What may follow the digits that begin a date: a sign, the letters of "3rd" and "3pm"; behind a blank a month."""
_FROM_MONTH: Final = re.compile(rf"{_MONTH_FIRST}(?:{_TIME})?{_END}", re.IGNORECASE)
_YEAR_WORDS: Final = frozenset(
    (  # noqa: SIM905
        "in since during until till by of from to through before after between and year years circa fiscal early late "
        "mid calendar ended for anno jahr année año fy q1 q2 q3 q4 1h 2h h1 h2 a an"
    ).split()
)
"""What stands before a year."""
_FROM_YEAR: Final = re.compile(
    rf"{_YEAR}(?:[-/]{_YEAR}|[-/][0-9]{{2}})?{_END}(?! ?[0-9])"
    r"(?! (?:shares|units|USD|EUR|dollars|people|employees|points|[A-Z][a-z]+ (?:St|Ave|Rd)\b))"
)
_WEEKDAY: Final = (
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:mon|diens|donners|frei|sams|sonn)tags?|mittwochs?"
    r"|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|mi[ée]rcoles|jueves|viernes|s[áa]bado|domingo"
    r"|luned[ìi]|marted[ìi]|mercoled[ìi]|gioved[ìi]|venerd[ìi]|sabato|domenica)(?:\W|\z)"
)
_WEEKDAYS: Final = re2.compile(f"(?i){_WEEKDAY}")


@RECOGNIZERS.register("date_time")
@final
class DateTime:
    """Dates and times of day: ISO 8601, numeric in either order, months by name in five languages, years.

    They stay in the text by policy and give way to every other type, so a wrong one costs little; pieces of
    a longer number are left alone all the same.
    """

    name = "date_time"
    types = ("DATE_TIME",)
    trigger = (
        rf"(?i)[0-9][-/.][0-9]{{1,2}}[-/.][0-9]|[0-9]:[0-5][0-9]|[0-9] ?[ap]\.?m"
        rf"|\b(?:{'|'.join(sorted(_YEAR_WORDS))})[ -]?'?{_YEAR}|{_MONTH_WORD}\.?[ -]'?[0-9]"
        rf"|{_DAY}{_OF}[ -]{_MONTH_WORD}"
    )
    version = "1"
    examples = (
        "born in ⟦1977⟧ and since ⟦2004⟧; the Act of ⟦2003⟧",
        "⟦1978-04-13 12:20:39⟧",
        "at ⟦2024-05-01T10:00:00.123Z⟧.",
        "It's like that since ⟦12/1/1981⟧",
        "in the morning at ⟦9:30 am⟧",
        "due ⟦March 15, 2024⟧, ⟦15 Mar 2024⟧ or ⟦3rd of May 2024⟧",
        "am ⟦3. Mai 1980⟧, le ⟦3 mai 1980⟧, el ⟦3 de mayo de 1980⟧, il ⟦3 maggio 1980⟧",
        "Zoolander is a ⟦2017⟧ Polish film",
        "in ⟦March 2024⟧ at ⟦5pm⟧",
        "am ⟦31.12.2023⟧.",
    )
    counter_examples = (
        "IP 10.12.20.24",
        "4111-11-1111",
        "12/1/1981/4",
        "version 1.2.3.4",
        "$2,003.50",
        "account 12-12-1980-55",
        "ratio 3:2",
        "the order 2024",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find dates and times."""
        found: list[tuple[int, int]] = []
        done = 0
        for digits in re.finditer("[0-9]+", text):
            span = _around(text, *digits.span()) if digits.start() >= done else None
            if span is not None:
                found.append(span)
                done = span[1]
        return [Detection(*span, "DATE_TIME", 0.6, self.name) for span in found]


@RECOGNIZERS.register("weekday")
@final
class Weekday:
    """Days of the week in five languages."""

    name = "weekday"
    types = ("DATE_TIME",)
    trigger = f"(?i){_WEEKDAY}"
    version = "1"
    examples = ("on ⟦Saturday⟧ morning", "am ⟦Mittwoch⟧, le ⟦vendredi⟧, el ⟦miércoles⟧ y ⟦lunedì⟧")
    counter_examples = ("the sun rises", "Fridayson", "saturdaynight")

    def detect(self, text: str) -> list[Detection]:
        """Find days of the week."""
        encodable = text if text.isascii() else text.encode("utf-8", "replace").decode()  # RE2 reads UTF-8
        spans = (match.span() for match in _WEEKDAYS.finditer(encodable))
        return [
            Detection(start, end - (not text[end - 1].isalpha()), "DATE_TIME", 0.6, self.name) for start, end in spans
        ]


def _around(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The date of which the digits ``text[start:end]`` are the first, if they are."""
    if end - start > 4:
        return None
    head = text[max(0, start - _HEAD_CHARS) : start]
    worded = head[-1:] in ("'", " ", "-") and head.rstrip(" '.-")[-1:].isalnum()
    if worded and (month := _month_before(head)) is not None:
        rest = _FROM_MONTH.match(text, start)
        if rest:
            return start - len(head) + month, rest.end()
    whole = _FROM_DIGIT.match(text, start) if _goes_on(text[end : end + 2]) else None
    if whole is None and end - start == 4 and (worded or head[-1:].isalpha()) and _year_follows(head):
        whole = _FROM_YEAR.match(text, start)
    return whole.span() if whole else None


def _goes_on(after: str) -> bool:
    """Whether digits with ``after`` behind them can begin a date: most numbers are refused by this look."""
    first, second = after[:1], after[1:]
    return first in _AFTER_DAY or (first == " " and second in _AFTER_BLANK)


def _month_before(head: str) -> int | None:
    """Where in ``head`` the month begins with which it ends."""
    parted = head.removesuffix("'")
    if not parted.endswith((" ", "-")):
        return None
    words = parted[:-1].removesuffix(".")
    start = _last_word(words)
    month = words[start : start + 1] in _MONTH_LETTERS and _MONTH_NAME.fullmatch(words, start)
    return start if month else None


def _year_follows(head: str) -> bool:
    """Whether ``head`` ends with a word that stands before a year."""
    parted = head.removesuffix("'")
    words = parted[:-1] if parted.endswith((" ", "-")) else parted
    start = _last_word(words)
    return words[start:].lower() in _YEAR_WORDS and words[start - 1 : start] != "_"


def _last_word(text: str) -> int:
    """Where the word begins that stands at the end of a text."""
    start = len(text)
    while start and text[start - 1].isalnum():
        start -= 1
    return start
