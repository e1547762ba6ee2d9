"""Numbers of Canada and of Latin America."""

from __future__ import annotations

from redaction.recognizers.national import checks
from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind("CA_SIN", (digits(9),), checks.sin, r"sin|social insurance|nas|assurance sociale"),
    examples=("SIN ⟦123-456-782⟧", "social insurance number: ⟦123 456 782⟧", "NAS ⟦123456783⟧ is mistyped"),
    counter_examples=("order 123456782", "call 123-456-782"),
)
declare(
    Kind("CA_BUSINESS_NUMBER", (digits(9), digits(9) + "AA9999"), "ca.bn", r"business number|bn|gst/hst"),
    examples=("business number ⟦12302 6635 RC 0001⟧", "BN ⟦123026635⟧"),
    counter_examples=("order 123026635",),
)
declare(
    Kind(
        "BR_CPF",
        (digits(11),),
        "br.cpf",
        r"cpf",
        proves=True,
        grouped=r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}",
        divided=1.0,
    ),
    examples=("CPF ⟦111.444.777-35⟧", "⟦390.533.447-05⟧", "cpf=⟦39053344705⟧", "CPF ⟦390.533.447-06⟧ is mistyped"),
    counter_examples=("order 39053344705", "390.533.447-06"),
)
declare(
    Kind(
        "BR_CNPJ",
        ("XXXXXXXXXXXX99",),
        "br.cnpj",
        r"cnpj",
        proves=True,
        grouped=r"[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-[0-9]{2}|[0-9]{8}0001[0-9]{2}",
        divided=1.0,
    ),
    examples=(
        "CNPJ ⟦16.727.230/0001-97⟧",
        "⟦12.ABC.345/01DE-35⟧",
        "CNPJ ⟦CYSKBTKC000145⟧",
        "CNPJ: ⟦16727230000197⟧",
        "⟦16727230000197⟧",
    ),
    counter_examples=("16.727.230/0001-98", "order 20240601123045"),
)
declare(
    Kind("MX_CURP", ("AAAA999999AAAAAAX9",), "mx.curp", r"curp", alone=1.0, proves=True),
    examples=("CURP ⟦BOXW310820HNERXN09⟧", "⟦BOXW310820HNERXN09⟧"),
    counter_examples=("BOXW310820HNERXN08",),
)
declare(
    Kind(
        "MX_RFC",
        ("AAAA999999XXX", "AAA999999XXX"),
        "mx.rfc",
        r"rfc",
        # of a firm, with a letter behind the date: EUR 301.209.762 is an amount
        grouped=r"[A-Z]{4}-?[0-9]{6}-?[A-Z0-9]{3}|[A-Z]{3}-?[0-9]{6}-?(?=[0-9]{0,2}[A-Z])[A-Z0-9]{3}",
        divided=0.5,
        checked=False,
    ),
    examples=("RFC ⟦VACE460910SX6⟧", "⟦VACE-460910-SX6⟧", "RFC: ⟦MAB930714 8T4⟧"),
    counter_examples=("VACE461310SX6", "EUR 301.209.762"),
)
declare(
    Kind(
        "AR_CUIT",
        (digits(11),),
        "ar.cuit",
        r"cui[tl]",
        proves=True,
        grouped=r"(?:2[0347]|3[034])-[0-9]{8}-[0-9]",
        divided=0.9,
    ),
    examples=("CUIT ⟦20-05536168-2⟧", "⟦20-05536168-2⟧", "CUIL: ⟦20055361682⟧"),
    counter_examples=("order 20055361682", "20-05536168-3"),
)
declare(
    Kind("AR_DNI", (digits(8),), checks.passport_digits, r"dni", checked=False, wrong=0.0),
    examples=("DNI ⟦20.123.456⟧",),
    counter_examples=("20.123.456 pesos",),
)
declare(
    Kind(
        "CL_RUT",
        (digits(8) + "X", digits(7) + "X"),
        "cl.rut",
        r"rut|run",
        grouped=r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]",
        divided=0.9,
    ),
    examples=("RUT ⟦76086428-5⟧", "⟦12.531.909-2⟧"),
    counter_examples=("order 76086428-5", "12.531.909-3"),
)
declare(
    Kind(
        "CO_NIT",
        (digits(10), digits(9)),
        "co.nit",
        r"nit",
        grouped=r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]",
        divided=0.6,
    ),
    examples=("NIT ⟦213.123.432-1⟧", "⟦213.123.432-1⟧"),
    counter_examples=("order 2131234321", "213.123.432-5"),
)
declare(
    Kind("PE_RUC", (digits(11),), "pe.ruc", r"ruc"),
    examples=("RUC ⟦20512333797⟧",),
    counter_examples=("order 20512333797",),
)
declare(
    Kind("PE_DNI", (digits(8), digits(8) + "X"), "pe.cui", r"dni|cui", checked=False, wrong=0.0),
    examples=("DNI ⟦10117410-2⟧",),
    counter_examples=("order 10117410",),
)
declare(
    Kind("EC_CEDULA", (digits(10),), "ec.ci", r"c[ée]dula|c\.?i\.?"),
    examples=("cédula ⟦171430710-3⟧",),
    counter_examples=("order 1714307103",),
)
declare(
    Kind("UY_RUT", (digits(12),), "uy.rut", r"rut"),
    examples=("RUT ⟦21-100342-001-7⟧",),
    counter_examples=("order 211003420017",),
)
declare(
    Kind("VE_RIF", ("A999999999",), "ve.rif", r"rif"),
    examples=("RIF ⟦V-11470283-4⟧",),
    counter_examples=("lot V114702834",),
)
