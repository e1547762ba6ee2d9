"""Numbers of Germany, Austria, Switzerland, France, Belgium and the Netherlands."""

from __future__ import annotations

from redaction.recognizers.national import checks
from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind(
        "DE_TAX_ID",
        (digits(11),),
        "de.idnr",
        r"steuer id\w*|steuerliche id\w*|id ?nr|tax id\w*|tin",
        grouped=r"[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}",
        divided=0.5,
    ),
    examples=(
        "Steuer-ID ⟦36574261809⟧",
        "IdNr.: ⟦36 574 261 809⟧",
        "Steueridentifikationsnummer ⟦36574261890⟧ is mistyped",
    ),
    counter_examples=("order 36574261809",),
)
declare(
    Kind(
        "DE_SOCIAL_SECURITY",
        ("99999999A999",),
        checks.pension_de,
        r"(?:sozial|renten)versicherung\w*|rv nr|svnr|sv n\w*|versicherungsn\w*|social (?:security|insurance)",
        shape="[0-9]{2}(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])",
        alone=0.6,
        proves=True,
    ),
    examples=("SVNR ⟦15070649C103⟧", "Sozialversicherungsnummer: ⟦15 070649 C 103⟧", "⟦15070649C103⟧"),
    counter_examples=("Teil 15070649C104", "15079949C103"),
)
declare(
    Kind(
        "DE_PASSPORT",
        ("AXXXXXXXX", "AXXXXXXXX9"),
        checks.document_de,
        r"reisepass\w*|passnummer|pass nr|german passport",
        checked=False,
    ),
    examples=("Reisepass ⟦C01X00T47⟧", "Reisepassnummer: ⟦C01X00T478⟧", "German passport ⟦c01x00t47⟧"),
    counter_examples=("Los C01X00T47", "Reisepass abgelaufen"),
)
declare(
    Kind(
        "DE_ID_CARD",
        ("AXXXXXXXX", "AXXXXXXXX9"),
        checks.document_de,
        r"personalausweis\w*|ausweis ?n(?:umme)?r|german id(?: card)?",
        checked=False,
    ),
    examples=("Personalausweis ⟦L01X00T47⟧", "Ausweisnummer ⟦T220001293⟧"),
    counter_examples=("Los L01X00T47",),
)
declare(
    Kind("AT_SOCIAL_SECURITY", (digits(10),), "at.vnr", r"svnr|sv nr|sozialversicherung\w*|versicherungsnummer"),
    examples=("SVNR ⟦1237 010180⟧", "Sozialversicherungsnummer ⟦1237010180⟧"),
    counter_examples=("order 1237010180", "1237 010180"),
)
declare(
    Kind("AT_TAX_NUMBER", (digits(9),), "at.tin", r"abgabenkonto\w*|steuernummer|st\.? ?nr"),
    examples=("Steuernummer ⟦59-119/9013⟧",),
    counter_examples=("59-119/9013",),
)
declare(
    Kind(
        "CH_AHV",
        (digits(13),),
        "ch.ssn",
        r"ahv\w*|avs|social security",
        alone=0.95,
        proves=True,
        shape="756",
        grouped=r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}",
        divided=1.0,
    ),
    examples=(
        "AHV-Nr. ⟦756.9217.0769.85⟧",
        "⟦756.9217.0769.85⟧",
        "⟦7569217076985⟧",
        "AVS ⟦756.9217.0769.84⟧ is mistyped",
    ),
    counter_examples=("756.9217.0769.84", "at 1699999999999 ms"),
)
declare(
    Kind(
        "FR_NIR",
        (digits(15), "999999A99999999"),
        checks.nir,
        r"nir|s[ée]cu(?:rit[ée] sociale)?|insee|social security",
        proves=True,
        shape="[1-478]",
        # without the months of unknown births and the first digits of provisional numbers: these look like cards
        grouped=r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3}[ -]?[0-9]{2}",
        divided=0.95,
    ),
    examples=("NIR ⟦2 55 08 14 168 025 38⟧", "⟦295109912611193⟧", "sécurité sociale : ⟦253072B07300470⟧"),
    counter_examples=("295109912611199", "at 169999999999912", "card 346412338913585"),
)
declare(
    Kind("FR_SIREN", (digits(9),), "fr.siren", r"sirene?|rcs"),
    examples=("SIREN ⟦404 833 048⟧", "RCS Paris ⟦404833048⟧"),
    counter_examples=("order 404833048",),
)
declare(
    Kind(
        "FR_SIRET",
        (digits(14),),
        "fr.siret",
        r"siret",
        grouped=r"[0-9]{3} [0-9]{3} [0-9]{3} [0-9]{5}",
        divided=0.6,
    ),
    examples=("SIRET ⟦73282932000074⟧", "⟦732 829 320 00074⟧"),
    counter_examples=("order 73282932000074",),
)
declare(
    Kind(
        "BE_NATIONAL_NUMBER",
        (digits(11),),
        "be.nn",
        r"rijksregister\w*|registre national|national (?:number|register)|insz|niss|nn",
        proves=True,
        grouped=r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}",
        divided=0.95,
    ),
    examples=("rijksregisternummer ⟦85.07.30-033.28⟧", "⟦85.07.30-033.28⟧", "NISS ⟦85073003328⟧"),
    counter_examples=("order 85073003328", "85.07.30-033.29"),
)
declare(
    Kind("NL_BSN", (digits(9),), "nl.bsn", r"bsn|burgerservice\w*|sofi\w*"),
    examples=("BSN ⟦111222333⟧", "burgerservicenummer: ⟦1112.22.333⟧", "BSN ⟦111222334⟧ is mistyped"),
    counter_examples=("order 111222333",),
)
