"""Document numbers that only a word in front gives away: passports, licences, other tax and identity numbers."""

from __future__ import annotations

import re
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS
from redaction.recognizers.cues import LINK

_VALUE: Final = r"(?=[^\W_]*[0-9])[A-Za-z0-9]{1,20}(?:[ -](?=[A-Za-z]{0,2}[0-9])[A-Za-z0-9]{1,8}){0,4}"
_SHORTEST = 5

_WORDS: Final = {
    "US_DRIVER_LICENSE": (
        r"driv(?:er'?s?|ing) (?:li[cs]en[cs]e|permit)|driver_?li[cs]en[cs]e|driving_?li[cs]en[cs]e|"
        r"d\.?l\.? (?:number|no|#)|"
        r"li[cs]en[cs]e (?:number|no\.?|#)|f[üu]hrerschein(?:nummer)?|permis de conduire|patente di guida"
    ),
    "US_PASSPORT": r"u\.?s\.? passport|american passport",
    "PASSPORT": r"passport|pasaporte|passeport|reisepass(?:nummer)?|passaporto|paspoort",
    "TAX_ID": (
        r"tax (?:id(?:entification)?|payer|reference|file)|taxpayer|tax_?id|steuernummer|st\.?-?nr\.?|tin|"
        r"num[ée]ro fiscal|vat (?:reg(?:istration)?|id)|ust\.?-?id(?:nr)?"
    ),
    "GOVERNMENT_ID": (
        r"national (?:id(?:entity)?|identification)(?: card)?|national_?id|id card|identity (?:card|number|document)|"
        r"personalausweis(?:nummer)?|ausweisnummer|carte d'identit[ée]|c[ée]dula|residence permit|visa number|"
        r"green card (?:number|no)|alien (?:registration|number)"
    ),
    "UK_COMPANY_NUMBER": r"(?:company|companies house|registered) (?:number|no|reg\w*)\.?",
}
_PATTERNS: Final = {
    type_: re.compile(rf"(?<![^\W_])(?:{words}){LINK}({_VALUE})(?![^\W_])", re.IGNORECASE)
    for type_, words in _WORDS.items()
}
_SCORES: Final = {"UK_COMPANY_NUMBER": 0.6, "TAX_ID": 0.75, "GOVERNMENT_ID": 0.8}


@RECOGNIZERS.register("announced_number")
@final
class AnnouncedNumber:
    """Numbers of documents: they have many forms and mostly no check digit, so a word in front is demanded."""

    name = "announced_number"
    types = tuple(_WORDS)
    trigger = (
        r"(?i)pass(?:port|eport|aporto)|reisepass|paspoort|pasaporte|li[cs]en[cs]e|permi[st]|dl|d\.l"
        r"|f.hrerschein|patente|tax"
        r"|tin|steuer|st\.?-?nr|fiscal|vat|ust|national|id card|identit|ausweis|c.dula"
        r"|visa n|green card|alien|compan|registered"
    )
    version = "1"
    examples = (
        "my driver's license number is ⟦2270-66-1551⟧",
        "Driving licence no: ⟦MORGA657054SM9IJ⟧",
        '"passport_number": "⟦C01X00T47⟧"',
        "national ID card ⟦784-1984-1234567-8⟧",
    )
    counter_examples = (
        "my passport expired in May",
        "the driver's license office",
        "tax 2024",
        "a licence fee of 35.00",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find announced numbers."""
        found = []
        for type_, pattern in _PATTERNS.items():
            for match in pattern.finditer(text):
                if sum(map(str.isalnum, match[1])) >= _SHORTEST:
                    score = _SCORES.get(type_, 0.85)
                    found.append(Detection(*match.span(1), type_, score, self.name))
        return found
