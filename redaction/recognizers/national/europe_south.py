"""Numbers of Spain, Portugal, Italy and Greece."""

from __future__ import annotations

from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind("ES_NIF", ("99999999A",), "es.dni", r"nif|dni|documento nacional|d\.n\.i\.", alone=0.6),
    examples=(
        "DNI ⟦54362315K⟧",
        "⟦12345678Z⟧ (DNI)",
        "NIF: ⟦54362315-K⟧",
        "⟦54362315K⟧",
        "dni ⟦54362315Z⟧ is mistyped",
    ),
    counter_examples=("part 54362315Z",),
)
declare(
    Kind("ES_NIE", ("A9999999A",), "es.nie", r"nie|extranjero\w*", alone=0.6, proves=True),
    examples=("NIE ⟦X2482300W⟧", "⟦X-2482300-W⟧", "NIE: ⟦x2482300w⟧"),
    counter_examples=("part X2482300A",),
)
declare(
    Kind("ES_CIF", ("A99999999", "A9999999A"), "es.cif", r"cif|nif"),
    examples=("CIF ⟦J99216582⟧", "NIF ⟦J-99216582⟧"),
    counter_examples=("part J99216582",),
)
declare(
    Kind("PT_NIF", (digits(9),), "pt.nif", r"nif|contribuinte|nipc"),
    examples=("NIF ⟦501 964 843⟧", "contribuinte n.º ⟦501964843⟧"),
    counter_examples=("order 501964843", "501 964 843"),
)
declare(
    Kind(
        "IT_FISCAL_CODE",
        ("AAAAAAXXAXXAXXXA",),
        "it.codicefiscale",
        r"codice fiscale|cod\.? ?fisc\.?|c\.?f\.?",
        alone=1.0,
        proves=True,
    ),
    examples=("codice fiscale ⟦RSSMRA85T10A562S⟧", "⟦RSSMRA85T10A562S⟧", "C.F. ⟦RSS MRA 85T10 A562S⟧"),
    counter_examples=("RSSMRA85T10A562T",),
)
declare(
    Kind("IT_VAT_CODE", (digits(11),), "it.iva", r"partita iva|p\.? ?iva|iva"),
    examples=("P.IVA ⟦00743110157⟧", "partita IVA: ⟦00743110157⟧"),
    counter_examples=("order 00743110157",),
)
declare(
    Kind("GR_AMKA", (digits(11),), "gr.amka", r"amka|αμκα|α\.μ\.κ\.α\.?"),
    examples=("AMKA ⟦01013099997⟧", "ΑΜΚΑ: ⟦01013099997⟧"),
    counter_examples=("order 01013099997",),
)
declare(
    Kind("GR_AFM", (digits(9),), "gr.vat", r"afm|αφμ|α\.φ\.μ\.?"),
    examples=("ΑΦΜ ⟦094259216⟧", "AFM: ⟦094259216⟧"),
    counter_examples=("order 094259216",),
)
