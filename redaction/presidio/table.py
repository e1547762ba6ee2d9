"""Which of Presidio's recognizers we run, what each demands, and an example of each.

Most are off in Presidio's own configuration, because without a context word they fire on everything. The
words here are fewer than Presidio's: its "us", "car" or "document" announce nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from presidio_analyzer import PatternRecognizer
from presidio_analyzer import predefined_recognizers as stock


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One of Presidio's recognizers.

    Args:
        kind: its class.
        cue: words that announce it; a pattern in the syntax that RE2 and Python share, letter case ignored.
        examples: texts with what is found between ``⟦`` and ``⟧``.
        counter_examples: texts in which nothing is found.
        alone: its likelier patterns are distinctive enough to run without a cue.
        proves: it has a check digit; what else Presidio calls validation is a longer look at the shape.
        upper: only capitals count. Presidio ignores letter case everywhere.
    """

    kind: type[PatternRecognizer]
    cue: str
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]
    alone: bool = False
    proves: bool = False
    upper: bool = False


_PASSPORT: Final = r"(?:passport|travel document)"

ROWS: Final = (
    # Persons: papers, licences, health
    Row(
        stock.UsPassportRecognizer,
        _PASSPORT,
        ("passport number ⟦912345678⟧", "US passport ⟦A12345678⟧"),
        ("order 912345678", "passport pending"),
    ),
    Row(stock.UkPassportRecognizer, _PASSPORT, ("his passport is ⟦AB1234567⟧",), ("invoice AB1234567",)),
    Row(
        stock.UsLicenseRecognizer,
        r"(?:driv(?:er|ing)['’]?s? ?(?:licen[cs]e|permit)|licen[cs]e (?:no|num|#)|\bdl ?(?:#|no|num))",
        ("driver's license ⟦D1234567⟧", "driver license number: ⟦123456789⟧"),
        ("version D1234567", "license to operate"),
    ),
    Row(
        stock.UkDrivingLicenceRecognizer,
        r"(?:driving|driver)",
        ("⟦MORGA657054SM9IJ⟧", "driving licence ⟦MORGA657054SM9IJ⟧"),
        ("MORGAN657054", "driving home"),
        alone=True,
    ),
    Row(
        stock.MedicalLicenseRecognizer,
        r"(?:dea\b|medical|prescri)",
        ("DEA number ⟦AB1234563⟧",),
        ("DEA number AB1234564", "ref AB1234563"),
        proves=True,
    ),
    Row(
        stock.UsMbiRecognizer,
        r"(?:medicare|mbi\b|beneficiary|medicaid)",
        ("⟦1EG4-TE5-MK73⟧", "Medicare ID ⟦1EG4TE5MK73⟧"),
        ("serial 1EG4TE5MK73", "Medicare rises"),
        alone=True,
    ),
    Row(
        stock.UsNpiRecognizer,
        r"(?:npi\b|national provider|provider (?:id|num|no))",
        ("NPI ⟦1234567893⟧",),
        ("NPI 1234567890", "order 1234567893"),
        proves=True,
    ),
    Row(
        stock.UsHealthInsuranceMemberIdRecognizer,
        r"(?:member|subscriber)[ _-]?(?:id|no|num|#)",
        ("member ID: ⟦XYZ123456789⟧",),
        ("product XYZ123456789", "member id pending"),
    ),
    Row(stock.UsClaimNumberRecognizer, r"claim", ("claim number ⟦12345678⟧",), ("order 12345678", "they claim 5")),
    Row(stock.AuMedicareRecognizer, r"medicare", ("Medicare ⟦2123 45670 0⟧",), ("2123 45670 1",), proves=True),
    Row(
        stock.DePassportRecognizer,
        r"(?:reisepass|passn|german passport)",
        ("Reisepass ⟦C01X00T41⟧",),
        ("Reisepass C01X00T42", "Los C01X00T41"),
        proves=True,
    ),
    Row(
        stock.DeIdCardRecognizer,
        r"(?:personalausweis|ausweisn|german id)",
        ("Personalausweis ⟦L01X00T44⟧",),
        ("Personalausweis L01X00T45", "Los L01X00T44"),
        proves=True,
    ),
    Row(
        stock.DeFuehrerscheinRecognizer,
        r"(?:f[üu]e?hrerschein|fahrerlaubnis)",
        ("Führerschein ⟦AB12345678X⟧",),
        ("Artikel AB12345678X",),
    ),
    Row(
        stock.DeHealthInsuranceRecognizer,
        r"(?:krankenversich|krankenkasse|versichertenn|kvnr|gesundheitskarte)",
        ("KVNR ⟦A123456780⟧",),
        ("KVNR A123456781", "Teil A123456780"),
        proves=True,
    ),
    Row(
        stock.DeSocialSecurityRecognizer,
        r"(?:rentenversich|sozialversich|versicherungsn|rvnr|svnr|sv-n)",
        ("SVNR ⟦15070649C103⟧",),
        ("SVNR 15070649C104", "Teil 15070649C103"),
        proves=True,
    ),
    Row(
        stock.DeKfzRecognizer,
        r"(?:kennzeichen|nummernschild|\bkfz)",
        ("Kennzeichen ⟦B-MW 1234⟧",),
        ("Teil B-MW 1234", "Kennzeichen der 12 Autos"),
        upper=True,
    ),
    Row(stock.EsPassportRecognizer, r"pasaporte", ("pasaporte ⟦AAA123456⟧",), ("lote AAA123456",)),
    Row(stock.ItPassportRecognizer, r"passaporto", ("passaporto ⟦YA1234567⟧",), ("lotto YA1234567",)),
    Row(stock.ItDriverLicenseRecognizer, r"patente", ("patente ⟦MI1234567A⟧",), ("lotto MI1234567A",)),
    Row(
        stock.ItIdentityCardRecognizer,
        r"carta d.?identit",
        ("carta d'identità ⟦CA12345AA⟧",),
        ("lotto CA12345AA",),
    ),
    Row(stock.InPassportRecognizer, r"indian passport", ("Indian passport ⟦J8369854⟧",), ("lot J8369854",)),
    Row(stock.InVoterRecognizer, r"(?:voter|epic no)", ("voter ID ⟦ABC1234567⟧",), ("lot ABC1234567",)),
    Row(
        stock.InVehicleRegistrationRecognizer,
        r"(?:vehicle (?:no|num|reg)|\brto\b|indian plate)",
        ("vehicle number ⟦MH12AB1234⟧",),
        ("lot MH12AB1234",),
        upper=True,
    ),
    Row(
        stock.KrPassportRecognizer,
        r"(?:korean passport|여권)",
        ("Korean passport ⟦M123A4567⟧",),
        ("lot M123A4567",),
    ),
    Row(
        stock.KrDriverLicenseRecognizer,
        r"(?:운전면허|면허번호|korean driver)",
        ("운전면허 ⟦11-12-345678-90⟧",),
        ("11-12-345678-90",),
    ),
    Row(
        stock.PhPassportRecognizer,
        r"philippine passport",
        ("Philippine passport ⟦P1234567A⟧",),
        ("lot P1234567A",),
    ),
    Row(stock.PhUmidRecognizer, r"(?:umid\b|crn\b|gsis\b)", ("UMID ⟦1234-1234567-1⟧",), ("ref 1234-1234567-1",)),
    Row(
        stock.ZaPassportRecognizer,
        r"(?:south african passport|rsa passport)",
        ("South African passport ⟦A12345678⟧",),
        ("lot A12345678",),
    ),
    # Vehicles
    Row(
        stock.UkVehicleRegistrationRecognizer,
        r"(?:vehicle reg|registration (?:no|num|mark|plate)|(?:number|licen[cs]e) plate|\bvrn\b|dvla|v5c)",
        ("number plate ⟦AB12 CDE⟧",),
        ("code AB12 CDE", "number plate in 2019 or so"),
        upper=True,
    ),
    Row(
        stock.NgVehicleRegistrationRecognizer,
        r"(?:(?:plate|vehicle) (?:no|num|reg))",
        ("plate number ⟦ABC-123DE⟧",),
        ("code ABC-123DE",),
        upper=True,
    ),
    Row(stock.TrLicensePlateRecognizer, r"plaka", ("plaka ⟦34 ABC 123⟧",), ("code 34 ABC 123",), upper=True),
    # Firms
    Row(
        stock.DeHandelsregisterRecognizer,
        r"(?:handelsregister|amtsgericht)",
        ("⟦HRB 12345⟧", "Handelsregister ⟦HRA 99⟧"),
        ("HRC 12345", "Handelsregister 2024"),
        alone=True,
    ),
    Row(
        stock.AuAcnRecognizer,
        r"(?:acn\b|australian company)",
        ("ACN ⟦004 085 616⟧",),
        ("ACN 004 085 617",),
        proves=True,
    ),
    Row(
        stock.SgUenRecognizer,
        r"(?:uen\b|unique entity|acra\b)",
        ("UEN ⟦53125226D⟧", "UEN ⟦T08LL0006A⟧"),
        ("lot 53125226D",),
        proves=True,
    ),
    Row(
        stock.SeOrganisationsnummerRecognizer,
        r"(?:organisationsn|org\.? ?nr)",
        ("orgnr ⟦556036-0793⟧",),
        ("orgnr 556036-0794", "ref 556036-0793"),
        proves=True,
    ),
    Row(
        stock.KrBrnRecognizer,
        r"(?:사업자|korean brn|\bbrn\b)",
        ("BRN ⟦220-81-62517⟧",),
        ("BRN 220-81-62518", "ref 220-81-62517"),
        proves=True,
    ),
    Row(
        stock.ZaCompanyRegistrationRecognizer,
        r"(?:cipc\b|company reg|registration num)",
        ("company registration ⟦2015/123456/07⟧",),
        ("ref 2015/123456/07",),
    ),
    Row(
        stock.ZaVatNumberRecognizer,
        r"(?:south african vat|sars\b)",
        ("SARS VAT ⟦4123456780⟧",),
        ("order 4123456780",),
    ),
    # Machines
    Row(
        stock.UuidRecognizer,
        r"(?:uuid|guid)",
        ("⟦6ba7b810-9dad-11d1-80b4-00c04fd430c8⟧",),
        ("6ba7b810-9dad-11d1-80b4",),
        alone=True,
    ),
)
"""Whichever of these types a recognizer of ours finds too is left to ours."""
