"""Document numbers that only a word in front gives away: passports, licences, other tax and identity numbers."""

from __future__ import annotations

import re
from typing import Final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS

_LINK: Final = (
    r"(?:'s)?(?:[\s\"'\]:=#.,(\[>|/_-]{0,6}|[ \t]?[._…]{3,60}[ \t]?)"
    r"(?:(?:is|was|reads|card|book|holder|no|nr|num|number|nummer|n\.?[°ºo]|code|id|of|the|with|issued|:)"
    r"(?![a-z])(?:[\s\"':=#.(\[_-]{0,4}|[ \t]?[._…]{3,60}[ \t]?)){0,4}"
)
_GROUP: Final = r"(?=[A-Za-z]{0,2}[0-9])[A-Za-z0-9]{1,8}"
_VALUE: Final = (
    rf"(?:(?=[^\W_]*[0-9])(?:[A-Za-z0-9]{{1,5}}(?:[ /-]{_GROUP}){{1,5}}|[A-Za-z0-9]{{1,20}}(?:[/-]{_GROUP}){{0,4}})"
    r"|(?-i:[A-Z]{1,2}) [0-9]{5,9})"
)
_DATE: Final = re.compile(
    r"(?:19|20)[0-9]{2}[- ][0-9]{1,2}[- ][0-9]{1,2}|[0-9]{1,2}[- ][0-9]{1,2}[- ](?:19|20)?[0-9]{2}"
)
_FEWEST_DIGITS: Final = 3


class DocumentNumber:
    """A recognizer of one kind of document; :func:`announce` makes its subclasses."""

    name: str
    types: tuple[str, ...]
    trigger: str
    version = "2"
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]
    pattern: re.Pattern[str]
    shortest: int
    score: float

    def detect(self, text: str) -> list[Detection]:
        """Find announced numbers."""
        return [
            Detection(*match.span(1), self.types[0], self.score, self.name)
            for match in self.pattern.finditer(text)
            if self._is_number(match[1])
        ]

    def _is_number(self, value: str) -> bool:
        digits = sum(map(str.isdigit, value))
        enough = sum(map(str.isalnum, value)) >= self.shortest and digits >= _FEWEST_DIGITS
        return enough and _DATE.fullmatch(value) is None


def announce(
    type_: str,
    words: str,
    *,
    examples: tuple[str, ...],
    counter_examples: tuple[str, ...],
    score: float = 0.85,
    shortest: int = 6,
) -> None:
    """Register a recognizer for the numbers of one kind of document.

    Args:
        type_: what its detections are called.
        words: what announces them, an alternation in the syntax that RE2 and Python share; a space in it also stands
            for ``_``, ``-`` and nothing.
        examples: texts with what must be found between ``⟦`` and ``⟧``.
        counter_examples: texts in which nothing is found.
        score: of a finding.
        shortest: fewest digits and letters of a number.
    """
    spaced = words.replace(" ", r"[\s_-]?")
    made: type[DocumentNumber] = type(
        type_.lower(), (DocumentNumber,), {"__doc__": f"{type_} numbers behind a word for them."}
    )
    made.name, made.types, made.score, made.shortest = f"announced_{type_.lower()}", (type_,), score, shortest
    made.trigger = rf"(?i)(?:^|[^a-z0-9])(?:{spaced})"
    made.examples, made.counter_examples = examples, counter_examples
    made.pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{spaced}){_LINK}({_VALUE})(?![^\W_])", re.IGNORECASE)
    RECOGNIZERS.register(made.name)(made)


announce(
    "US_DRIVER_LICENSE",
    r"driver'?s?(?: |'s )?license|driver'?s? permit|(?:state )?d\.?l\.?(?: number| no\b| ?#)|license (?:number|no\b|#)",
    shortest=5,
    examples=(
        "my driver's license number is ⟦2270-66-1551⟧",
        "My driver's license number is ⟦F162823540116⟧",
        "driver's license number is ⟦6940579⟧",
        '"driver_license": "⟦D123-4567-8901⟧"',
        "DL# ⟦S5304602⟧",
    ),
    counter_examples=("the driver's license office", "a license fee of 35.00", "driver's license issued 2020-05-01"),
)
announce(
    "DRIVER_LICENSE",
    r"driver'?s? (?:licence|permit)|driving (?:li[cs]en[cs]e|permit)|f[üu]e?hrerschein(?:nummer|nr)?"
    r"|permis de conduire|patente di guida|permiso de conducir|carta de condu[çc][ãa]o|rijbewijs(?:nummer)?|k[øo]rekort"
    r"|k[öo]rkort|prawo jazdy",
    shortest=5,
    examples=(
        "Driving licence no: ⟦MORGA657054SM9IJ⟧",
        "Führerschein-Nr. ⟦B072RRE2I55⟧",
        "permis de conduire n° ⟦123456789012⟧",
    ),
    counter_examples=("driving licence holders over 70", "Führerschein seit 2012"),
)
announce(
    "PASSPORT",
    r"passports?(?: book| card)?|pasaporte|passeport|reisepass(?:nummer|nr)?|passaporto|passaporte|paspoort(?:nummer)?"
    r"|paszport\w{0,2}|travel document|паспорт\w{0,2}|护照(?:号码?)?|旅券番号",
    examples=(
        "passport number ⟦912345678⟧",
        '"passport_number": "⟦C01X00T47⟧"',
        "His passport is ⟦AB1234567⟧",
        "passport no. ⟦X 1234567⟧",
        "passeport n° ⟦12AB34567⟧",
        "护照号码 ⟦E12345678⟧",
    ),
    counter_examples=("my passport expired in May", "passport issued 12-05-2021", "passport 2024"),
)
announce(
    "TAX_ID",
    r"tax (?:id(?:entification)?|payer|reference|file|number|no\b)(?: id)?"
    r"|taxpayer(?: id(?:entification)?)?|steuernummer|st\.?-?nr\.?|tin"
    r"|num[ée]ro fiscal|codice fiscale|n[úu]mero fiscal|vat (?:reg(?:istration)?|id|number|no\b)|ust\.?-?id(?:nr)?",
    score=0.75,
    shortest=7,
    examples=("Tax ID: ⟦12-3456789⟧", "taxpayer identification number ⟦123456789⟧", "Steuernummer ⟦181/815/08155⟧"),
    counter_examples=("tax 2024", "tax number pending", "taxpayers paid 1234567 in fees"),
)
announce(
    "GOVERNMENT_ID",
    r"national (?:id(?:entity)?|identification)(?: card)?"
    r"|(?:government|state) id|id card|identity (?:card|number|document)"
    r"|personalausweis(?:nummer)?|ausweis(?:nummer|nr)|carte (?:nationale )?d'identit[ée]"
    r"|c[ée]dula(?: de (?:ciudadan[íi]a|identidad))?"
    r"|documento de identidad|residence permit|visa number|green card (?:number|no\b)|alien (?:registration|number)"
    r"|citizen(?:ship)? (?:id|number)|emirates id",
    score=0.8,
    examples=(
        "national ID card ⟦784-1984-1234567-8⟧",
        "cédula de ciudadanía ⟦1020304050⟧",
        "alien registration number ⟦A123456789⟧",
        '"national_id": "⟦29001011234567⟧"',
    ),
    counter_examples=("identity card of 2024", "the national identity of Wales"),
)
