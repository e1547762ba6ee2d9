"""Names, streets, firms, towns, postcodes and telephone numbers of some seventy countries, from Faker (MIT)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Final

from faker import Faker

_LOCALES: Final = (  # noqa: SIM905 - a list of names reads better as words
    "en_US en_GB en_AU en_IE en_IN en_NZ de_DE de_AT de_CH fr_FR fr_CH fr_CA es_ES es_MX es_AR es_CO it_IT pt_PT pt_BR "
    "nl_NL nl_BE da_DK sv_SE no_NO fi_FI et_EE lv_LV lt_LT pl_PL cs_CZ sk_SK hu_HU ro_RO hr_HR sl_SI bg_BG ru_RU uk_UA "
    "el_GR tr_TR az_AZ hy_AM ka_GE ar_EG ar_SA fa_IR he_IL hi_IN ne_NP ta_IN th_TH vi_VN zh_CN zh_TW ja_JP ko_KR id_ID "
    "en_PH fil_PH en_NG yo_NG ig_NG ha_NG zu_ZA sw bn_BD uz_UZ"
).split()

_PARTS: Final = {
    "first": ("first_name", 700),
    "last": ("last_name", 700),
    "street": ("street_name", 250),
    "org": ("company", 200),
    "city": ("city", 150),
    "zip": ("postcode", 80),
    "phone": ("phone_number", 150),
    "address": ("address", 150),
}
"""Kind → Faker's method and how often it is asked for each locale."""

_LATIN_END: Final = 0x300

Pools = dict[str, list[list[str]]]
"""Kind → one list for each locale."""


def pools(cache: Path) -> Pools:
    """Return the pools; made once (two minutes) and kept in the file ``cache``."""
    if not cache.exists():
        made: Pools = {kind: [] for kind in _PARTS}
        for locale in _LOCALES:
            faker = Faker(locale)
            faker.seed_instance(5)
            for kind, (method, times) in _PARTS.items():
                ask = _method(faker, locale, method)
                if ask is not None:
                    made[kind].append(sorted({str(ask()) for _ in range(times)}))
        cache.write_text(json.dumps(made, ensure_ascii=False), "utf-8")
    loaded: Pools = json.loads(cache.read_text("utf-8"))
    return loaded


def _method(faker: Faker, locale: str, name: str) -> Callable[[], object] | None:
    """Faker's method, in Latin letters for Japanese names; None where the locale has none."""
    if locale == "ja_JP" and name in ("first_name", "last_name"):
        name = name.replace("_name", "_romanized_name")
    method: Callable[[], object] | None = getattr(faker, name, None)
    return method


def is_latin(pool: list[str]) -> bool:
    """Whether a locale's pool is written in Latin letters, going by its first three."""
    return max(map(ord, "".join(pool[:3]))) < _LATIN_END


def plain(text: str) -> str:
    """Return the text without accents, with as many characters."""
    folded = (unicodedata.normalize("NFD", char) for char in text)
    return "".join(parts[0] if parts else char for parts, char in zip(folded, text, strict=True))


_CYRILLIC: Final = dict(
    pair.split("=")
    for pair in (  # noqa: SIM905
        "а=a б=b в=v г=g д=d е=e ё=yo ж=zh з=z и=i й=y к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=kh ц=ts ч=ch "
        "ш=sh щ=shch ъ= ы=y ь= э=e ю=yu я=ya і=i ї=yi є=ye ґ=g"
    ).split()
)


def romanised(text: str) -> str:
    """Return the text with Cyrillic letters as English papers write them."""
    letters = ((_CYRILLIC.get(char.lower(), char), char) for char in text)
    return "".join(latin.capitalize() if char.isupper() else latin for latin, char in letters)
