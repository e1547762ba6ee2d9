"""Numbers of the United Kingdom and of Ireland."""

from __future__ import annotations

from redaction.recognizers.national import checks
from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind(
        "UK_NINO",
        ("AA999999A",),
        checks.nino,
        r"nino?|national ins(?:urance)?|ni (?:number|no)",
        alone=0.7,
        checked=False,
    ),
    examples=(
        "NINO ⟦AB 12 34 56 C⟧",
        "⟦AB123456C⟧",
        "national insurance number ⟦ab123456c⟧",
        '"ni_number": "⟦AB123456C⟧"',
    ),
    counter_examples=("BG 12 34 56 C", "lot ab123456c", "AB 12 34 56 X"),
)
declare(
    Kind(
        "UK_UTR",
        (digits(10),),
        "gb.utr",
        r"utr|unique tax(?:payer)?(?: reference)?|self assessment|tax ref(?:erence)?",
    ),
    examples=(
        "UTR ⟦1955839661⟧",
        "UTR: ⟦19558 39661⟧",
        "Tax ref ⟦1955839661⟧",
        "unique taxpayer reference ⟦2955839661⟧ is mistyped",
    ),
    counter_examples=("order 1955839661",),
)
declare(
    Kind("UK_NHS", (digits(10),), "gb.nhs", r"nhs"),
    examples=("NHS number ⟦943 476 5870⟧", "NHS no. ⟦943-476-5870⟧"),
    counter_examples=("call 943 476 5870", "order 9434765870"),
)
declare(
    Kind(
        "UK_PASSPORT",
        (digits(9), "AA9999999"),
        checks.passport_digits,
        r"(?:uk|british|united kingdom) passport",
        checked=False,
        wrong=0.0,
    ),
    examples=("British passport ⟦925665416⟧", "UK passport no: ⟦AB1234567⟧"),
    counter_examples=("order 925665416", "invoice AB1234567"),
)
declare(
    Kind(
        "UK_DRIVING_LICENCE",
        ("XXXXX999999XXXAA",),
        checks.driver_uk,
        r"driv(?:ing|er'?s?) li[cs]en[cs]e|dvla|licence (?:number|no)",
        alone=0.85,
        checked=False,
        wrong=0.0,
    ),
    examples=("⟦MORGA657054SM9IJ⟧", "driving licence ⟦MORGA 657054 SM9IJ⟧", "licence no ⟦morga657054sm9ij⟧"),
    counter_examples=("MORGAN657054", "MORGA677054SM9IJ"),
)
declare(
    Kind(
        "UK_COMPANY_NUMBER",
        (digits(8), "AA999999", "A9999999"),
        checks.company_uk,
        r"compan(?:y|ies house) (?:reg\w* )?(?:no|num|number|nr)|companies house|registered (?:no|number)"
        r"|registered in (?:england|scotland|wales|northern ireland)[\w ]{0,12}",
        checked=False,
        wrong=0.0,
    ),
    examples=("company number ⟦01234567⟧", "registered in Scotland No. ⟦SC123456⟧"),
    counter_examples=("order 01234567", "company of 2024"),
)
declare(
    Kind("IE_PPS", ("9999999A", "9999999AA"), "ie.pps", r"pps[n]?|personal public", alone=0.4),
    examples=("PPS number ⟦6433435OA⟧", "PPSN: ⟦6433435F⟧", "⟦6433435F⟧"),
    counter_examples=("part 6433435E",),
)
