"""The numbers that states give to people and firms: shape, check, and the words that announce them.

The checks are python-stdnum's wherever it has one (``stdnum.<country>.<number>``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Final, final

from redaction.recognizers.national import checks

Check = Callable[[str], bool]


@final
@dataclass(frozen=True)
class Kind:
    """A kind of number.

    Args:
        type: what its detections are called.
        masks: its shapes without separators: ``9`` for a digit, ``A`` for a letter.
        check: whether a number can be one; a module of python-stdnum, or a function.
        cue: words that announce it, an alternation of regular expressions.
        alone: score where nothing announces it; below .35 it is dropped by default.
        proves: whether the check alone proves it: fewer than one in fifty random numbers of its shape pass.
        grouped: how it is divided when its shape with separators is unmistakable; then ``divided`` is its score.
        divided: see ``grouped``.
        wrong: score where it is announced and the check fails: a digit may be mistyped. 0: not found.
    """

    type: str
    masks: tuple[str, ...]
    check: str | Check
    cue: str
    alone: float = 0.3
    proves: bool = False
    grouped: str = ""
    divided: float = 0.0
    wrong: float = 0.5
    _cue: re.Pattern[str] = field(init=False, repr=False)
    _grouped: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pattern = re.compile(rf"(?<![^\W_])(?:{self.cue})(?![^\W_])", re.IGNORECASE)
        object.__setattr__(self, "_cue", pattern)
        object.__setattr__(self, "_grouped", re.compile(self.grouped or r"(?!)"))

    def valid(self, number: str) -> bool:
        """Whether the number, without separators and in capitals, passes the check."""
        return (_stdnum(self.check) if isinstance(self.check, str) else self.check)(number)

    def announced(self, text: str, start: int, end: int) -> bool:
        """Whether a cue word stands near."""
        before, after = text[max(0, start - _BEFORE) : start], text[end : end + _AFTER]
        return bool(self._cue.search(before) or self._cue.search(after))

    def is_divided(self, written: str) -> bool:
        """Whether it is written in its own groups."""
        return self._grouped.fullmatch(written) is not None


_BEFORE: Final = 56
_AFTER: Final = 24
"""How far from a number a word may stand that announces it, code points."""


@cache
def _stdnum(path: str) -> Check:
    is_valid: Check = import_module(f"stdnum.{path}").is_valid
    return is_valid


def _n(count: int) -> str:
    return "9" * count


KINDS: Final = (
    # United States
    Kind(
        "US_SSN",
        (_n(9),),
        checks.ssn,
        r"ssns?|social sec(?:urity)?|soc\.? sec\.?|social",
        grouped=r"[0-9]{3}([ .-])[0-9]{2}\1[0-9]{4}",
        divided=0.85,
        wrong=0.6,
    ),
    Kind(
        "US_ITIN",
        (_n(9),),
        checks.itin,
        r"itin|individual tax(?:payer)?",
        grouped=r"9[0-9]{2}([ -])[0-9]{2}\1[0-9]{4}",
        divided=0.85,
    ),
    Kind(
        "US_EIN",
        (_n(9),),
        "us.ein",
        r"f?ein|employer id\w*|federal tax id|tax id|tin",
        grouped=r"[0-9]{2}-[0-9]{7}",
        divided=0.5,
    ),
    Kind("US_NPI", (_n(10),), checks.npi, r"npi|provider id\w*"),
    Kind("MEDICAL_LICENSE", ("AA" + _n(7), "A" + _n(8)), checks.dea, r"dea", alone=0.3),
    # United Kingdom and Ireland
    Kind(
        "UK_NINO",
        ("AA999999A",),
        checks.nino,
        r"nino?|national ins(?:urance)?|ni (?:number|no)",
        alone=0.7,
        proves=True,
    ),
    Kind("UK_UTR", (_n(10),), "gb.utr", r"utr|unique tax(?:payer)?|self.assessment"),
    Kind("UK_NHS", (_n(10),), "gb.nhs", r"nhs"),
    Kind("IE_PPS", (_n(7) + "A", _n(7) + "AA"), "ie.pps", r"pps[n]?|personal public", alone=0.4),
    # Western and central Europe
    Kind("DE_TAX_ID", (_n(11),), "de.idnr", r"steuer\W?id\w*|steueridentifikations\w*|idnr|tax id\w*|tin"),
    Kind(
        "DE_SOCIAL_SECURITY",
        ("99999999A999",),
        checks.pension_de,
        r"sozialversicherung\w*|rentenversicherung\w*|sv\W?n\w*|social (?:security|insurance)",
        alone=0.6,
        proves=True,
    ),
    Kind(
        "FR_NIR",
        (_n(15), "999999A99999999"),
        checks.nir,
        r"nir|s[ée]curit[ée] sociale|insee|n[°o] s[ée]cu\w*|social security",
        alone=0.8,
        proves=True,
    ),
    Kind("FR_SIREN", (_n(9),), "fr.siren", r"siren"),
    Kind("FR_SIRET", (_n(14),), "fr.siret", r"siret"),
    Kind("ES_NIF", (_n(8) + "A",), "es.dni", r"nif|dni|documento nacional", alone=0.6, proves=True),
    Kind("ES_NIE", ("A9999999A",), "es.nie", r"nie|extranjero", alone=0.6, proves=True),
    Kind("ES_CIF", ("A99999999", "A9999999A"), "es.cif", r"cif|nif"),
    Kind(
        "IT_FISCAL_CODE", ("AAAAAA99A99A999A",), "it.codicefiscale", r"codice fiscale|c\.?f\.?", alone=0.95, proves=True
    ),
    Kind("IT_VAT_CODE", (_n(11),), "it.iva", r"partita iva|p\.? ?iva|vat"),
    Kind("PL_PESEL", (_n(11),), "pl.pesel", r"pesel"),
    Kind("PL_NIP", (_n(10),), "pl.nip", r"nip"),
    Kind("NL_BSN", (_n(9),), "nl.bsn", r"bsn|burgerservice\w*|sofi\w*"),
    Kind(
        "BE_NATIONAL_NUMBER",
        (_n(11),),
        "be.nn",
        r"rijksregister\w*|registre national|national (?:number|register)|insz|niss|nn",
        grouped=r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}",
        divided=0.95,
    ),
    Kind("AT_SOCIAL_SECURITY", (_n(10),), "at.vnr", r"svnr|sozialversicherung\w*|versicherungsnummer"),
    Kind(
        "CH_AHV",
        (_n(13),),
        "ch.ssn",
        r"ahv\w*|avs|social security",
        grouped=r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}",
        divided=1.0,
    ),
    Kind("PT_NIF", (_n(9),), "pt.nif", r"nif|contribuinte|nipc"),
    # Northern Europe
    Kind(
        "SE_PERSONNUMMER",
        (_n(10), _n(12)),
        "se.personnummer",
        r"person(?:nummer|nr)|pnr|samordningsnummer",
        grouped=r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}",
        divided=0.6,
    ),
    Kind("DK_CPR", (_n(10),), "dk.cpr", r"cpr\w*|personnummer", grouped=r"[0-9]{6}-[0-9]{4}", divided=0.5),
    Kind("NO_FODSELSNUMMER", (_n(11),), "no.fodselsnummer", r"f[øo]dselsn(?:umme)?r|personn(?:umme)?r|fnr|d-nummer"),
    Kind(
        "FI_PERSONAL_IDENTITY_CODE",
        ("9999999999", "999999999A"),
        "fi.hetu",
        r"hetu|henkil[öo]tunnus|personal identity code",
        grouped=r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]",
        divided=0.9,
    ),
    Kind("EE_ISIKUKOOD", (_n(11),), "ee.ik", r"isikukood|personal code"),
    Kind("LV_PERSONAL_CODE", (_n(11),), "lv.pvn", r"personas kods|personal code"),
    Kind("LT_PERSONAL_CODE", (_n(11),), "lt.asmens", r"asmens kodas|personal code"),
    # Southern and eastern Europe
    Kind(
        "CZ_RODNE_CISLO",
        (_n(9), _n(10)),
        "cz.rc",
        r"rodn[ée] [čc][íi]slo|r\.?[čc]\.?|birth number",
        grouped=r"[0-9]{6}/[0-9]{3,4}",
        divided=0.6,
    ),
    Kind("RO_CNP", (_n(13),), "ro.cnp", r"cnp|cod numeric"),
    Kind("BG_EGN", (_n(10),), "bg.egn", r"egn|егн"),
    Kind("GR_AMKA", (_n(11),), "gr.amka", r"amka|αμκα"),
    Kind("GR_AFM", (_n(9),), "gr.vat", r"afm|αφμ"),
    Kind("HR_OIB", (_n(11),), "hr.oib", r"oib"),
    Kind("SI_EMSO", (_n(13),), "si.emso", r"em[šs]o|jmbg"),
    Kind("TR_TCKN", (_n(11),), "tr.tckimlik", r"t\.?c\.? ?kimlik\w*|tckn"),
    # Middle East, Africa, Asia, Pacific
    Kind("IL_ID", (_n(9),), "il.idnr", r"teudat zehut|israeli id|מספר זהות"),
    Kind("ZA_ID_NUMBER", (_n(13),), "za.idnr", r"(?:south african )?id(?:entity)? (?:number|no)|rsa id"),
    Kind(
        "IN_AADHAAR",
        (_n(12),),
        "in_.aadhaar",
        r"aadhaa?r|uidai?",
        grouped=r"[2-9][0-9]{3} [0-9]{4} [0-9]{4}",
        divided=0.4,
    ),
    Kind("IN_PAN", ("AAAAA9999A",), "in_.pan", r"pan(?: card)?|permanent account", alone=0.6, proves=True),
    Kind(
        "IN_GSTIN",
        ("99AAAAA9999A9A9", "99AAAAA9999AAA9", "99AAAAA9999A9AA"),
        "in_.gstin",
        r"gst(?:in)?",
        alone=0.9,
        proves=True,
    ),
    Kind("IN_VOTER", ("AAA9999999",), "in_.epic", r"voter|epic|election"),
    Kind("SG_NRIC_FIN", ("A9999999A",), checks.nric, r"nric|fin|identity card", alone=0.6, proves=True),
    Kind("SG_UEN", (_n(8) + "A", _n(9) + "A", "A99AA9999A"), "sg.uen", r"uen|entity number"),
    Kind(
        "HK_ID",
        ("A9999999", "AA9999999", "A999999A", "AA999999A"),
        checks.hkid,
        r"hkid|hong kong id\w*",
        grouped=r"[A-Z]{1,2}[0-9]{6}\([0-9A]\)?",
        divided=0.8,
    ),
    Kind(
        "MY_NRIC",
        (_n(12),),
        "my.nric",
        r"mykad|nric|kad pengenalan|ic (?:number|no)",
        grouped=r"[0-9]{6}-[0-9]{2}-[0-9]{4}",
        divided=0.6,
    ),
    Kind(
        "TH_TNIN",
        (_n(13),),
        "th.pin",
        r"thai id|บัตรประชาชน|national id",
        grouped=r"[0-9]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]",
        divided=0.8,
    ),
    Kind(
        "KR_RRN",
        (_n(13),),
        "kr.rrn",
        r"rrn|resident registration|주민등록번호",
        grouped=r"[0-9]{6}-[1-8][0-9]{6}",
        divided=0.8,
    ),
    Kind("JP_MY_NUMBER", (_n(12),), checks.my_number, r"my number|individual number|マイナンバー|個人番号"),
    Kind(
        "CN_RESIDENT_ID",
        (_n(18), _n(17) + "A"),
        checks.resident_cn,
        r"resident id\w*|id card|身份证\w*",
        alone=0.8,
        proves=True,
    ),
    Kind("AU_TFN", (_n(9), _n(8)), "au.tfn", r"tfn|tax file"),
    Kind("AU_ABN", (_n(11),), "au.abn", r"abn|australian business"),
    Kind("AU_ACN", (_n(9),), "au.acn", r"acn|australian company"),
    Kind("AU_MEDICARE", (_n(10),), checks.medicare_au, r"medicare"),
    Kind("NZ_IRD", (_n(9), _n(8)), "nz.ird", r"ird(?: number| no)?"),
    # The Americas
    Kind(
        "CA_SIN",
        (_n(9),),
        checks.sin,
        r"sin|social insurance|nas",
        grouped=r"[0-9]{3}([ -])[0-9]{3}\1[0-9]{3}",
        divided=0.4,
    ),
    Kind("BR_CPF", (_n(11),), "br.cpf", r"cpf", grouped=r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", divided=1.0),
    Kind(
        "BR_CNPJ",
        (_n(14),),
        "br.cnpj",
        r"cnpj",
        grouped=r"[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-[0-9]{2}",
        divided=1.0,
    ),
    Kind("MX_CURP", ("AAAA999999AAAAAA99", "AAAA999999AAAAAAA9"), "mx.curp", r"curp", alone=0.95, proves=True),
    Kind(
        "MX_RFC",
        (
            "AAAA999999AAA",
            "AAAA999999AA9",
            "AAAA9999999A9",
            "AAAA999999999",
            "AAAA999999A9A",
            "AAAA999999A99",
            "AAAA99999999A",
            "AAAA9999999AA",
        ),
        "mx.rfc",
        r"rfc",
        alone=0.4,
    ),
    Kind("AR_CUIT", (_n(11),), "ar.cuit", r"cui[tl]", grouped=r"(?:2[0347]|3[034])-[0-9]{8}-[0-9]", divided=0.9),
    Kind(
        "CL_RUT",
        (_n(9), _n(8) + "A", _n(8), _n(7) + "A"),
        "cl.rut",
        r"rut|run",
        grouped=r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]",
        divided=0.95,
    ),
)
"""Every kind; where several fit a number, the best score names it."""
