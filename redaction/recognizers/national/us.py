"""Numbers of the United States."""

from __future__ import annotations

from redaction.recognizers.national import checks
from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind(
        "US_SSN",
        (digits(9),),
        checks.ssn,
        r"ssns?|social sec(?:urity)?|soc\.? sec\.?|ss#|social (?:number|no|is)|seguro social",
        grouped=r"[0-9]{3}([ .-])[0-9]{2}\1[0-9]{4}|[0-9]{3}( ?- ?)[0-9]{2}\2[0-9]{4}",
        divided=0.85,
        wrong=0.6,
        checked=False,
    ),
    examples=(
        "SSN ⟦536-22-8765⟧",
        "my social security number is ⟦536228765⟧",
        "His social security number is ⟦846-15-5715⟧",
        "⟦832 13 6314⟧ on file",
        "⟦832.13.6314⟧ on file",
        '{"customer_ssn": "⟦536228765⟧"}',
        '"clientSsn": ⟦536228765⟧',
        "SSNs: ⟦536228765⟧, ⟦536228766⟧",
        "⟦536228765⟧ is my SSN",
        "SSN ⟦666-22-8765⟧ is mistyped",
        "SSN ⟦078-05-1120⟧ of an advertisement",
        "SSN: ⟦536 - 22 - 8765⟧",
        "SSN⟦536228765⟧",
        "mi número de seguro social es ⟦536228765⟧",
        "SSN: ⟦536 . 22 . 8765⟧",
        "W2-⟦536228765⟧-ssn.pdf",
    ),
    counter_examples=(
        "order 536228765",
        "000-12-3456 and 900-12-3456",
        "part 536-22-8765-01",
        "the SSN of 2024. Then 536228765 was paid",
    ),
)
declare(
    Kind(
        "US_ITIN",
        (digits(9),),
        checks.itin,
        r"itin|individual tax(?:payer)?",
        grouped=r"9[0-9]{2}([ -])[0-9]{2}\1[0-9]{4}",
        divided=0.85,
        checked=False,
    ),
    examples=("ITIN: ⟦912-78-1234⟧", "⟦912-90-3456⟧", "individual taxpayer number ⟦912903456⟧"),
    counter_examples=("912-49-3456", "order 912903456"),
)
declare(
    Kind(
        "US_EIN",
        (digits(9),),
        "us.ein",
        r"f?ein|employer id\w*|federal tax id|tax id|tin(?: (?:no|number|is)|[\"':=#])",
        grouped=r"[1-9][0-9]-[0-9]{7}",  # with a zero it is a phone number more often
        divided=0.5,
        checked=False,
    ),
    examples=("EIN ⟦91-1144442⟧", "federal tax ID: ⟦911144442⟧", "Acme Inc., ⟦91-1144442⟧"),
    counter_examples=("order 911144442", "07-1144442", "91-1144442-00"),
)
declare(
    Kind(
        "US_PASSPORT",
        (digits(9), "A99999999"),
        checks.passport_digits,
        r"(?:u\.?s\.?|american|united states) passport",
        checked=False,
        wrong=0.0,
    ),
    examples=("US passport ⟦912345678⟧", "U.S. passport number: ⟦A12345678⟧"),
    counter_examples=("order 912345678", "US passport pending"),
)
declare(
    Kind(
        "US_MBI",
        ("9AX9AX9AA99",),
        checks.mbi,
        r"medicare|mbi|beneficiary id\w*",
        alone=0.6,
        grouped=r"[0-9A-Z]{4}-[0-9A-Z]{3}-[0-9A-Z]{4}",
        divided=0.85,
        checked=False,
    ),
    examples=("MBI ⟦1EG4-TE5-MK73⟧", "⟦1EG4TE5MK73⟧", "Medicare number ⟦1eg4-te5-mk73⟧"),
    counter_examples=("serial 1SG4TE5MK73", "1EG4TE5MK7"),
)
declare(
    Kind("US_NPI", (digits(10),), checks.npi, r"npi|provider id\w*|national provider"),
    examples=("NPI ⟦1234567893⟧", "NPI ⟦1234567890⟧ is mistyped"),
    counter_examples=("order 1234567893",),
)
declare(
    Kind("MEDICAL_LICENSE", ("AA9999999", "A99999999"), checks.dea, r"dea|medical|prescri\w*"),
    examples=("DEA number ⟦AB1234563⟧",),
    counter_examples=("ref AB1234563", "invoice AB1234564"),
)
