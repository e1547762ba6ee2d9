"""Postcodes and the street addresses that give themselves away by their form. A model finds the others."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, final

from redaction.detection import Detection
from redaction.pattern_set import PatternSet
from redaction.recognizers.base import RECOGNIZERS

_UK_AREAS: Final = (
    "A[BL]|B[ABDHLNRST]?|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|G[LUY]?|H[ADGPRSUX]|I[GMPV]|JE|K[ATWY]"
    "|L[ADELNSU]?|M[EKL]?"
    "|N[EGNPRW]?|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]?|T[ADFNQRSW]|UB|W[ACDFNRSV]?|YO|ZE"
)
_UK_OUTWARD: Final = rf"(?:(?:{_UK_AREAS})(?:[1-9]?[0-9]|[1-9][ABCDEFGHJKMNPRSTUVWXY])|GIR)"
_UK_INWARD: Final = "[0-9][ABD-HJLNP-UW-Z]{2}"
_CANADA: Final = "[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z]{gap}[0-9][ABCEGHJ-NPRSTV-Z][0-9]"
_US_STATE: Final = (
    "A[AEKLPRSZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]"
    "|UT|V[AIT]"
    "|W[AIVY]"
)
_COUNTRY_PREFIX: Final = "A|B|CH|CZ|D|DK|E|F|FI|FIN|I|L|LI|N|NL|NO|P|PL|S|SE|SK"
_AU_STATE: Final = "NSW|VIC|QLD|WA|SA|TAS|ACT|NT"
_ANY: Final = (
    rf"(?:{_UK_OUTWARD} ?{_UK_INWARD}|{_CANADA.format(gap='[ -]?')}|[0-9]{{4}} ?[A-Z]{{2}}(?![A-Za-z])"
    rf"|[0-9]{{5}}[- ][0-9]{{4}}"
    r"|[0-9]{5}-[0-9]{3}|[0-9]{4}-[0-9]{3}|[0-9]{2}-[0-9]{3}|[0-9]{3} ?[0-9]{2}|[0-9]{3} [0-9]{3}|[0-9]{3,7})(?![\w-])"
)
_CUED = re.compile(
    r"(?:(?i:zip|post(?:al)?[ _-]?code|postcode|postleitzahl|\bplz|c[óo]digo postal|code postal|postnummer|postinumero"
    r"|kod pocztowy|pincode|\bpin code|\beircode|irány[íi]tószám)|\bC\.?P\.?(?=:| [0-9])|\bCAP(?=:? [0-9])|\bPSČ"
    r"|\bCEP(?=:? [0-9]))"
    r"(?i:[ _-]?(?:code|no\.?|number|plus 4|4(?![0-9])))?(?:\s(?:is|was|of))?[\"']?\s?[:=#]?\s{0,2}[\"']?"
    rf"({_ANY})"
)
_UNCUED = re.compile(
    rf"(?<![\w-])(?:(?P<uk>{_UK_OUTWARD} {_UK_INWARD})|(?P<ca>{_CANADA.format(gap=' ')})"
    rf"|(?:{_US_STATE})[ ,]{{1,2}}(?P<us>[0-9]{{5}}(?:-[0-9]{{4}})?)|(?:{_AU_STATE})[ ,]{{1,2}}(?P<au>[0-9]{{4}})"
    rf"|(?P<eu>(?:{_COUNTRY_PREFIX})-(?:[0-9]{{4,5}}|[0-9]{{3}} ?[0-9]{{2}}))(?= [^\W\d_])"
    r"|(?<=[,\n>] )(?P<nl>[1-9][0-9]{3} (?!S[ADS])[A-Z]{2})(?= {1,2}[A-Z][a-z'’-]))"
    r"(?![\w-])"
)


@RECOGNIZERS.register("zip_code")
@final
class ZipCode:
    """Postcodes: British, Canadian and Dutch by their own rules, others behind a state, a country or a word."""

    name = "zip_code"
    types = ("ZIP_CODE",)
    trigger = (
        r"(?i:zip|post(?:al)?[ _-]?code|postleit|\bplz|postal|postn|postin|pin ?code|eircode|irány|pocztowy)|CEP|PSČ"
        r"|\bC\.?P\.?[: ]|\bCAP:? [0-9]|[A-Z][0-9][0-9A-Z]? [0-9][A-Z]{2}\b|GIR|[A-Z][0-9][A-Z] [0-9][A-Z][0-9]"
        r"|[A-Z]{2}[ ,]{1,2}[0-9]{4,5}\b|\b[A-Z]{1,3}-[0-9]{3}|[0-9]{4} [A-Z]{2}\b"
    )
    version = "1"
    examples = (
        "My zip code is ⟦76400⟧",
        "ZIP: ⟦394 13⟧",
        "zip: ⟦7412 SL⟧; my zip code is ⟦610⟧",
        "10 Downing Street, London ⟦SW1A 2AA⟧",
        "Springfield, IL ⟦62704-1234⟧",
        "APO AE ⟦09012⟧",
        "Ottawa ON ⟦K1A 0B1⟧",
        "⟦D-10115⟧ Berlin",
        "Keizersgracht 1, ⟦1015 CJ⟧ Amsterdam",
        '"postal_code": "⟦3610-114⟧", "postcode": "⟦SW1A1AA⟧"',
        "PLZ ⟦10115⟧, C.P. ⟦28013⟧, CAP ⟦20121⟧",
        "Sydney NSW ⟦2000⟧",
    )
    counter_examples = (
        "in 2024 US banks",
        "order 62704",
        "a zip file 20 MB",
        "post 12 of 20",
        "QZ1A 2AA",
        "CA 2024",
        "SEC 10-K 12345",
        "a PIN 1234",
        "posted in 2019",
        "market cap 20121",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find postcodes."""
        found = [
            Detection(*match.span(1), "ZIP_CODE", 0.85, self.name, validated=True) for match in _CUED.finditer(text)
        ]
        for match in _UNCUED.finditer(text):
            span = match.span(match.lastgroup or 0)
            if all(span != (other.start, other.end) for other in found[-1:]):
                found.append(Detection(*span, "ZIP_CODE", 0.6, self.name))
        return found


_NAME: Final = r"[^\W\d_a-zß-öø-ÿ][\w'’.-]{0,24}"
"""A word that begins with a capital."""
_LINK: Final = (
    r"(?:d[eou]s?|de la|de los|del|della|dei|di|da|d['’]|l['’]|von|van|der|den|the|of|and|y|la|le|les|am|zu[mr]?)"
)
_BREAK: Final = r"(?:,? ?(?:\n[ \t>?]{0,8}){1,2}(?:, )?|, ?| )"
_UNIT: Final = (
    r"(?i:apt|apartment|suite|ste|unit|flat|floor|room|building|bldg|piso|puerta|int|dept"
    r"|lot)\b\.? ?#?[A-Za-z]?-?[0-9]{1,5}[A-Za-z]?\b"
    r"|#[0-9]{1,5}\b|[0-9]{1,2}(?:st|nd|rd|th) (?i:floor)\b"
)
_CITY: Final = rf"(?:{_NAME}|{_LINK})(?:[ -](?:{_NAME}|{_LINK})){{0,3}}"
_POSTCODE: Final = (
    rf"(?:{_UK_OUTWARD} ?{_UK_INWARD}|{_CANADA.format(gap='[ -]?')}|[0-9]{{5}}(?:-[0-9]{{3,4}})?"
    rf"|(?:{_AU_STATE}) [0-9]{{4}})(?![\w-])"
)
_POSTCODE_FIRST: Final = (
    rf"(?:(?:{_COUNTRY_PREFIX})-)?(?:[0-9]{{4}} ?[A-Z]{{2}}(?= [A-Z])|[0-9]{{4}}-[0-9]{{3}}"
    rf"|[0-9]{{5}}(?:-[0-9]{{3}})?|[0-9]{{2}}-[0-9]{{3}}"
    r"|[0-9]{3} ?[0-9]{2}|[0-9]{4})"
)
_COUNTRY: Final = (
    r"(?i:United Kingdom|UK|England|Scotland|Wales|(?:Northern )?Ireland|United States(?: of America)?|USA|U\.S\.A\."
    r"|Canada|Mexico"
    r"|Germany|Deutschland|France|Spain|España|Portugal|Italy|Italia|Switzerland|Schweiz|Suisse|Austria|Österreich"
    r"|Belgium"
    r"|(?:the )?Netherlands|Luxembourg|Denmark|Danmark|Norway|Norge|Sweden|Sverige|Finland|Suomi|Iceland|Greenland"
    r"|Poland|Polska"
    r"|Czech Republic|Czechia|Slovakia|Slovenia|Croatia|Hungary|Romania|Bulgaria|Greece|Cyprus|Turkey|Estonia|Latvia"
    r"|Lithuania"
    r"|Australia|New Zealand|South Africa|Nigeria|Kenya|Egypt|Morocco|Tunisia|India|Pakistan|China|Hong Kong"
    r"|Singapore|Malaysia"
    r"|Japan|South Korea|Thailand|Vietnam|Philippines|Indonesia|Israel|U\.?A\.?E\.?|United Arab Emirates"
    r"|Saudi Arabia|Brazil|Brasil"
    r"|Argentina|Chile|Colombia|Peru|Uruguay)(?: ?\([A-Z][a-z]{2,12}\))?\b"
)
_TAIL = re.compile(
    rf"(?:{_BREAK}(?:{_UNIT})){{0,3}}"
    rf"(?:{_BREAK}{_POSTCODE_FIRST} {_CITY}"
    rf"|(?:{_BREAK}{_CITY}){{0,2}}{_BREAK}(?:(?:{_US_STATE})\.?,? )?{_POSTCODE}(?:{_BREAK}{_COUNTRY})?"
    rf"|(?:{_BREAK}{_CITY}){{1,2}}{_BREAK}{_COUNTRY}(?: [0-9]{{4,6}}\b)?)?"
)
"""What may follow street and number: flat and floor, then place and postcode in either order."""

_TYPES: Final = (
    r"(?:Street|Avenue|Road|Lane|Boulevard|Terrace|Crescent|Highway|Parkway|Turnpike|Pike|Mews|Close|Gardens|Grove"
    r"|Loop|Alley"
    r"|Ave|Blvd|Rd|Ln|Hwy|Pkwy|Cres|Str|St|Dr|Ct|Pl|Sq|Ter|Cir|Drive|Court|Place|Square|Circle|Way|Trail|Row|Walk|Quay)"
)
_ROMANCE: Final = (
    r"(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Aa]ll[ée]e|[Pp]lace|[Cc]hemin|[Rr]oute|[Qq]uai|[Ii]mpasse|[Cc]ours|[Vv]ia"
    r"|[Vv]iale|[Pp]iazza"
    r"|[Cc]orso|[Vv]icolo|[Ll]argo|[Cc]alle|[Cc]/|[Aa]venida|[Aa]vda?\.|[Pp]laza|[Pp]aseo|[Cc]arrer|[Rr]ua|[Rr][úu]a"
    r"|[Tt]ravessa"
    r"|[Uu]lica|[Uu]l\.|[Aa]l\.|[Oo]s\.)"
)
_GLUED: Final = (
    r"(?:stra(?:ße|sse|at)|str\.|gasse|platz|allee|gracht|plein|laan|vej|vænget|gatan|gata|vägen|v[ei]{2}en|gaten"
    r"|(?<!au)ntie|katu|kuja|utca|(?<![Bb]ri)gade)"
)
_STREET_NAME: Final = rf"(?: {_LINK}){{0,2}}(?: |(?<=['’])){_NAME}(?:[ -](?:{_LINK} ?)?{_NAME}){{0,3}}"
_NUMBERED: Final = re.compile(
    r"[0-9](?<![\w$€£#].)(?<![-/.,:][0-9].)(?<![0-9][-/.,:].)"  # a digit first: most of a text is skipped at once
    rf"(?:[0-9]{{0,5}}[A-Za-z]?(?:[-/][0-9]{{1,4}}[A-Za-z]?)?,? (?:[0-9]{{1,6}}[A-Za-z]? )?"
    rf"(?:(?:{_NAME}|{_LINK}|[0-9]{{1,3}}(?:st|nd|rd|th)) ){{1,4}}?{_TYPES}\b\.?"
    r"(?: (?:NE|NW|SE|SW|North|South|East|West|N|S|E|W)\b)?"
    rf"|[0-9]{{0,4}}(?: ?bis| ?ter)?,? {_ROMANCE}{_STREET_NAME}(?:,? (?:n[°º.] ?)?[0-9]{{1,4}}\b)?)"
)
_ROMANCE_FORM: Final = re.compile(rf"\b{_ROMANCE}{_STREET_NAME},? (?:n[°º.] ?)?[0-9]{{1,4}}[A-Za-z]?\b")
_GLUED_FORM: Final = re.compile(
    rf"(?<![\w$€£#.,/-])(?:[0-9]{{1,6}} )?(?:{_NAME} )?[^\W\d_]{{2,24}}{_GLUED} ?[0-9]{{1,4}} ?[a-zA-Z]?\b"
)
_FLAT_FORM: Final = re.compile(
    rf"(?<![\w$€£#.,/-])(?:[0-9]{{1,6}} ){{0,2}}{_NAME}(?: (?:{_NAME}|{_LINK})){{0,4}} [0-9]{{1,4}}[A-Za-z]?"
    rf"(?={_BREAK}{_UNIT})"
)
_BOX: Final = re.compile(
    r"\b(?:(?i:P\.? ?O\.? ?Box|Post(?:al)? Office Box|GPO Box|Locked Bag|Private Bag|Postfach"
    r"|Apartado(?: de Correos| postal)?|Bo[îi]te postale|Casella postale|postbus)"
    r" (?i:n[o°]\.? ?)?(?=[A-Z]{0,2}[0-9])[A-Z0-9]{1,8}\b(?: [0-9]{2}\b){0,2}"
    r"|(?i:(?:PSC|CMR|Unit) [0-9]{1,5},?\s{1,3}Box [0-9]{1,5}|US(?:NS|S|CGC|NV) [^\W\d_]{2,20})[,\s]{1,4}"
    r"(?i:[AFD]PO,? A[AEP],? [0-9]{5}(?:-[0-9]{4})?))"
)
_NUMBERED_HINT: Final = rf" {_TYPES}\b|[0-9](?: ?bis| ?ter)?,? {_ROMANCE} "
_ROMANCE_HINT: Final = (
    r"(?i:\b(?:rue|all[ée]e|chemin|route|quai|impasse|cours|via(?:le)?|piazza|corso|vicolo|largo|calle|avenida"
    r"|avda?\.|plaza"
    r"|paseo|carrer|r[úu]a|travessa|ulica|ul\.|al\.|os\.|avenue|boulevard|place) ?"
    r"|\bc/ ?)(?:[a-z]{1,3} ){0,2}(?:[dl]['’])?(?:[A-Z]|[^\x00-\x7f])"
)
_GLUED_HINT: Final = (
    r"(?i:stra(?:ße|sse|at)|str\.|gasse|platz|allee|gracht|plein|laan|vej|vænget|gata|gatan|vägen|v[ei]{2}en|gaten|ntie"
    r"|katu|kuja|utca|gade) ?[0-9]"
)
_FLAT_HINT: Final = (
    r"[0-9][A-Za-z]?,?\s[\s>?]{0,18}(?:, )?(?:(?i:apt|apartment|suite|ste|unit|flat|floor|room|building|bldg|piso"
    r"|puerta|int"
    r"|dept|lot)\b|#|[0-9]{1,2}(?:st|nd|rd|th))|[0-9][A-Za-z]?,?(?:(?i:apt|suite|unit|flat)\b|#)"
)
_BOX_HINT: Final = r"(?i:\bbox\b|\bbag |postfach|apartado|postale|postbus|[afd]po,? a[aep])"
_FORMS: Final = {
    _NUMBERED_HINT: _NUMBERED,
    _ROMANCE_HINT: _ROMANCE_FORM,
    _GLUED_HINT: _GLUED_FORM,
    _FLAT_HINT: _FLAT_FORM,
    _BOX_HINT: _BOX,
}
"""Each form behind a cheap look whether it can occur at all."""

_NO_STREET = re.compile(
    r"(?:Supreme|District|Federal|High|Circuit|County|Crown|Appeals?|Superior|Bankruptcy|Hard|Disk|First|Second"
    r"|Third|Market|Work)"
    r" (?:Court|Drive|Place|Ct|Dr|Pl|Way|Row)\b"
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2} ")


@RECOGNIZERS.register("street_address")
@final
class StreetAddress:
    """Addresses by form: number and street word in many languages, post boxes, army post; with place and postcode."""

    name = "street_address"
    types = ("STREET_ADDRESS",)
    trigger = "|".join((_NUMBERED_HINT, _ROMANCE_HINT, _GLUED_HINT, _FLAT_HINT, _BOX_HINT))
    version = "1"
    examples = (
        "lives at ⟦221B Baker Street, London NW1 6XE⟧.",
        "⟦742 Evergreen Terrace\nSpringfield, IL 62704⟧",
        "⟦1600 Pennsylvania Ave NW, Apt. 5, Washington, DC 20500⟧ is",
        "send it to ⟦PSC 3294, Box 9168\nAPO AA 61487⟧",
        "⟦P.O. Box 4711⟧",
        "wohnt ⟦Hauptstraße 12a, 10115 Berlin⟧",
        "⟦12 rue de la Paix, 75002 Paris⟧",
        "⟦Via Roma 12, 00184 Roma⟧",
        "⟦Calle de Alcalá, 45, 28014 Madrid⟧",
        "⟦ul. Marszałkowska 10, 00-590 Warszawa⟧",
        "⟦USCGC Khadzhiyev\nFPO AA 65607⟧",
        "⟦Storgatan 5, 394 13 Kalmar⟧",
        "⟦Keizersgracht 123, 1015 CJ Amsterdam⟧",
        "⟦138 Consul Place\n Suite 828⟧\n",
        "⟦6343 Skogstien 106 Apt. 12, Asker, Norway⟧",
    )
    counter_examples = (
        "in 2023 Wall Street banks lost",
        "5 Supreme Court rulings",
        "via Roma",
        "paid 500 to Dr Smith",
        "Brigade 5",
        "a box 12",
        "500 GB Hard Drive",
        "12 people in the street",
    )

    def __init__(self) -> None:
        self._hints = PatternSet(tuple(_FORMS))
        self._forms = tuple(_FORMS.values())

    def detect(self, text: str) -> list[Detection]:
        """Find addresses."""
        found: list[Detection] = []
        for number in self._hints.matching(text):
            form = self._forms[number]
            found += filter(None, (self._whole(text, street, sure=form is _BOX) for street in form.finditer(text)))
        return _united(found) if len(found) > 1 else found

    def _whole(self, text: str, street: re.Match[str], *, sure: bool) -> Detection | None:
        """The address that begins with ``street``; None where it is no street."""
        tail = _TAIL.match(text, street.end())
        more = tail[0].rstrip(".'’-") if tail else ""  # the full stop behind a place is the sentence's
        if not more and (_YEAR.match(street[0]) or _NO_STREET.search(street[0])):
            return None
        sure = sure or bool(more)
        score = 0.85 if sure else 0.7
        return Detection(street.start(), street.end() + len(more), self.types[0], score, self.name, validated=sure)


def _united(found: list[Detection]) -> list[Detection]:
    """Overlapping findings of several forms as one."""
    united: list[Detection] = []
    for new in sorted(found, key=lambda d: d.start):
        if united and new.start < united[-1].end:
            last = united.pop()
            best = max(last, new, key=lambda d: d.score)
            new = replace(best, start=last.start, end=max(last.end, new.end))
        united.append(new)
    return united


_CORNER_STREET: Final = (
    rf"(?:[0-9]{{1,5}}(?:st|nd|rd|th|[A-Za-z])? )?(?:{_LINK} |[a-z]{{2,3}}\. )?"
    rf"{_NAME}(?:[ -](?:{_NAME}|{_LINK}|str\.?))*"
    r"(?: [0-9]{1,5}[A-Za-z]?\b)?(?: Str?\b)?"
    r"|[^\s,;:!?0-9]+(?: [^\s,;:!?0-9]+){0,3} [0-9]{1,5}[A-Za-z]?\b"
)
_CORNER = re.compile(rf"(?:\b[Tt]he )?\b[Cc]orner of (?:{_CORNER_STREET})\.? (?:and|&) (?:{_CORNER_STREET})")


@RECOGNIZERS.register("street_corner")
@final
class StreetCorner:
    """Where two streets meet, as one place."""

    name = "street_corner"
    types = ("STREET_ADDRESS",)
    trigger = r"[Cc]orner of"
    version = "1"
    examples = (
        "meet me at ⟦the corner of Linden Avenue and Mill Lane⟧ at noon",
        "⟦Corner of 5th Street & Ocean Drive⟧",
        "near ⟦the corner of rua mina 50 and rua nova 7⟧, please",
    )
    counter_examples = ("in the corner of the room and the hall", "just around the corner of my street")

    def detect(self, text: str) -> list[Detection]:
        """Find corners of streets."""
        return [Detection(*match.span(), "STREET_ADDRESS", 0.8, self.name) for match in _CORNER.finditer(text)]
