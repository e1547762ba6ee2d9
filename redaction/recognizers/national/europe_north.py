"""Numbers of the Nordic and the Baltic states."""

from __future__ import annotations

from redaction.recognizers.national import checks
from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind(
        "SE_PERSONNUMMER",
        (digits(10), digits(12)),
        "se.personnummer",
        r"person(?:nummer|nr)|pnr|samordningsnummer",
        # YYYYMMDD-HHMM is a time far more often
        grouped=r"[0-9]{6}[-+][0-9]{4}|[0-9]{8}-(?![01][0-9][0-5]|2[0-3][0-5])[0-9]{4}",
        divided=0.6,
    ),
    examples=("personnummer ⟦811218-9876⟧", "⟦19811218-9876⟧", "pnr: ⟦198112189876⟧", "personnummer ⟦811218-9875⟧"),
    counter_examples=("order 8112189876", "811218-9875", "20240601-1230"),
)
declare(
    Kind(
        "SE_ORGANISATIONSNUMMER",
        (digits(10),),
        "se.orgnr",
        r"org\.? ?(?:nr|nummer)|organisationsn(?:umme)?r",
    ),
    examples=("orgnr ⟦556036-0793⟧", "Org.nr: ⟦5560360793⟧"),
    counter_examples=("ref 556036-0793",),
)
declare(
    Kind(
        "DK_CPR",
        (digits(10),),
        "dk.cpr",
        r"cpr\w*|personnummer",
        grouped=r"[0-9]{6}-[0-9]{4}",
        divided=0.5,
    ),
    examples=("CPR-nr. ⟦211062-5629⟧", "⟦211062-5629⟧", "cpr_number=⟦2110625629⟧"),
    counter_examples=("511062-5629", "order 2110625629"),
)
declare(
    Kind("DK_CVR", (digits(8),), "dk.cvr", r"cvr\w*"),
    examples=("CVR-nr. ⟦13585628⟧", "CVR ⟦13 58 56 28⟧"),
    counter_examples=("order 13585628",),
)
declare(
    Kind(
        "NO_FODSELSNUMMER",
        (digits(11),),
        "no.fodselsnummer",
        r"f[øo]dselsn(?:umme)?r|personn(?:umme)?r|fnr|d nummer",
        proves=True,
        grouped=r"[0-9]{6} [0-9]{5}",
        divided=0.8,
    ),
    examples=("fødselsnummer ⟦15108695088⟧", "⟦151086 95088⟧", "fnr: ⟦151086 95077⟧ is mistyped"),
    counter_examples=("order 15108695088", "151086 95077"),
)
declare(
    Kind(
        "NO_ORGANISASJONSNUMMER",
        (digits(9),),
        "no.orgnr",
        r"org\.? ?(?:nr|nummer)|organisasjonsn(?:umme)?r|foretaksregisteret",
    ),
    examples=("org.nr. ⟦988 077 917⟧", "organisasjonsnummer ⟦988077917⟧"),
    counter_examples=("order 988077917",),
)
declare(
    Kind(
        "FI_PERSONAL_IDENTITY_CODE",
        ("999999999X", "999999A999X"),
        checks.hetu,
        r"hetu|henkil[öo]tunnus|personal identity code|personbeteckning",
        proves=True,
        grouped=r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]",
        divided=0.95,
    ),
    examples=("hetu ⟦131052-308T⟧", "⟦131052-308T⟧", "⟦131052A308T⟧", "henkilötunnus: ⟦131052-308U⟧"),
    counter_examples=("131052-308U", "131052308T"),
)
declare(
    Kind("IS_KENNITALA", (digits(10),), "is_.kennitala", r"kennital\w*|kt\."),
    examples=("kennitala ⟦120174-3399⟧", "kt. ⟦1201743399⟧"),
    counter_examples=("order 1201743399", "120174-3399"),
)
declare(
    Kind("EE_ISIKUKOOD", (digits(11),), "ee.ik", r"isikukood\w*|personal code"),
    examples=("isikukood ⟦36805280109⟧", "isikukood ⟦36805280108⟧ is mistyped"),
    counter_examples=("order 36805280109",),
)
declare(
    Kind(
        "LV_PERSONAL_CODE",
        (digits(11),),
        "lv.pvn",
        r"personas kod\w*|p\.? ?k\.|personal code",
        grouped=r"[0-9]{6}-[0-9]{5}",
        divided=0.5,
    ),
    examples=("personas kods ⟦161175-19997⟧", "⟦161175-19997⟧"),
    counter_examples=("order 16117519997", "161375-19997"),
)
declare(
    Kind("LT_PERSONAL_CODE", (digits(11),), "lt.asmens", r"asmens kod\w*|personal code"),
    examples=("asmens kodas ⟦33309240064⟧",),
    counter_examples=("order 33309240064",),
)
