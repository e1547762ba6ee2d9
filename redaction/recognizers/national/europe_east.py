"""Numbers of the states of central, eastern and south-eastern Europe."""

from __future__ import annotations

from redaction.recognizers.national import checks
from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind("PL_PESEL", (digits(11),), "pl.pesel", r"pesel"),
    examples=("PESEL ⟦44051401359⟧", "pesel: ⟦44051401358⟧ is mistyped", "PESEL⟦44051401359⟧"),
    counter_examples=("order 44051401359",),
)
declare(
    Kind(
        "PL_NIP",
        (digits(10),),
        "pl.nip",
        r"nip",
        grouped=r"[0-9]{3}-(?:[0-9]{3}-[0-9]{2}-[0-9]{2}|[0-9]{2}-[0-9]{2}-[0-9]{3})",
        divided=0.6,
    ),
    examples=("NIP ⟦8567346215⟧", "⟦856-734-62-15⟧"),
    counter_examples=("order 8567346215", "856-734-6215"),
)
declare(
    Kind("PL_REGON", (digits(9), digits(14)), "pl.regon", r"regon"),
    examples=("REGON ⟦192598184⟧",),
    counter_examples=("order 192598184",),
)
declare(
    Kind(
        "CZ_RODNE_CISLO",
        (digits(9), digits(10)),
        "cz.rc",
        r"rodn[ée] [čc][íi]slo|r\.?[čc]\.?|birth number",
        grouped=r"[0-9]{6}/[0-9]{3,4}",
        divided=0.6,
    ),
    examples=("rodné číslo ⟦710319/2745⟧", "⟦710319/2745⟧", "RČ: ⟦7103192745⟧"),
    counter_examples=("order 7103192745", "710319/2746"),
)
declare(
    Kind("HU_TAX_ID", (digits(10),), checks.tax_hu, r"ad[óo]azonos[íi]t[óo](?: jel\w*)?|tax id"),
    examples=("adóazonosító jel: ⟦8071592153⟧",),
    counter_examples=("order 8071592153",),
)
declare(
    Kind("HU_TAJ", (digits(9),), checks.taj_hu, r"taj(?: sz[áa]m\w*)?"),
    examples=("TAJ szám: ⟦111 111 110⟧",),
    counter_examples=("order 111111110",),
)
declare(
    Kind("RO_CNP", (digits(13),), "ro.cnp", r"cnp|cod numeric"),
    examples=("CNP ⟦1630615123457⟧", "cod numeric personal: ⟦1630615123457⟧"),
    counter_examples=("order 1630615123457", "at 1700012345678 ms"),
)
declare(
    Kind("BG_EGN", (digits(10),), "bg.egn", r"egn|егн"),
    examples=("ЕГН ⟦8032056031⟧", "EGN: ⟦8032056031⟧"),
    counter_examples=("order 8032056031",),
)
declare(
    Kind("HR_OIB", (digits(11),), "hr.oib", r"oib"),
    examples=("OIB ⟦33392005961⟧",),
    counter_examples=("order 33392005961",),
)
declare(
    Kind("SI_EMSO", (digits(13),), "si.emso", r"em[šs]o|jmbg"),
    examples=("EMŠO ⟦0101006500006⟧",),
    counter_examples=("order 0101006500006",),
)
declare(
    Kind("RU_INN", (digits(10), digits(12)), "ru.inn", r"inn|инн"),
    examples=("ИНН ⟦123456789047⟧",),
    counter_examples=("order 123456789047",),
)
declare(
    Kind("UA_TAX_NUMBER", (digits(10),), "ua.rntrc", r"рнокпп|іпн|rnokpp"),
    examples=("РНОКПП ⟦1759013776⟧",),
    counter_examples=("order 1759013776",),
)
