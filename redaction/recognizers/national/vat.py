"""Value-added tax numbers of Europe."""

from __future__ import annotations

from redaction.recognizers.national import checks
from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

_WORDS = (
    r"vat(?: ?(?:id\w*|reg\w*|no|number))?|u\.?st\.? ?id\.?(?: ?nr)?|uid(?: ?nr)?|mwst|tva|btw(?: nr)?|iva|moms|nif|cif"
)

declare(
    Kind(
        "VAT_ID",
        (*("AA" + "X" * count for count in range(8, 13)), "AAA999999999AAA", "AAA999999999AAAA"),
        checks.vat_id,
        _WORDS,
        alone=0.6,
        shape="(?:" + "|".join(sorted(checks.VAT_COUNTRIES)) + ")",
    ),
    examples=(
        "VAT: ⟦DE136695976⟧",
        "⟦ATU13585627⟧",
        "⟦GB 980 7806 84⟧",
        "⟦FR 61 954 506 077⟧",
        "⟦CHE-107.787.577 IVA⟧",
        "⟦NL123456782B90⟧",
        "⟦NO 995 525 828 MVA⟧",
        "USt-IdNr. ⟦DE136695977⟧ is mistyped",
    ),
    counter_examples=("lot DE136695977", "IBAN DE89 3704 0044 0532 0130 00", "US0378331005", "de136695976"),
)
declare(
    Kind(
        "VAT_ID",
        (digits(9), digits(10), digits(11)),
        checks.vat_digits,
        r"vat(?: ?(?:reg\w*|no|number|id))?",
        wrong=0.5,
    ),
    name="vat_number",
    examples=("VAT Reg No ⟦980 7806 84⟧",),
    counter_examples=("order 980780684", "VAT 20.5 %"),
)
