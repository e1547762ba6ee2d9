"""Names of people of many cultures: real ones from Faker and mimesis (MIT), lists of our own, and invented ones."""

from __future__ import annotations

import random
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from faker import Faker
from mimesis import Person
from mimesis.locales import Locale

_WESTERN: Final = "en_US en_GB en_AU en_IE en_CA en_NZ"
_LATIN: Final = (
    "en_IN en_KE en_NG en_PK en_TH fr_DZ de_DE de_AT de_CH fr_FR fr_CH fr_CA fr_BE es_ES es_MX es_AR es_CL es_CO "
    "es_CA "
    "it_IT pt_PT pt_BR nl_NL nl_BE da_DK sv_SE no_NO fi_FI et_EE lv_LV lt_LT pl_PL cs_CZ sk_SK hu_HU ro_RO hr_HR "
    "sl_SI tr_TR az_AZ id_ID ga_IE is_IS ha_NG ig_NG yo_NG zu_ZA sw tw_GH uz_UZ"
)
_OTHER: Final = (
    "ru_RU uk_UA bg_BG mk_MK el_GR hy_AM ka_GE ar_AA ar_PS ar_SA fa_IR he_IL hi_IN mr_IN ne_NP ta_IN th_TH bn_BD "
    "gu_IN "
    "zh_CN zh_TW ja_JP ko_KR"
)
_MIMESIS: Final = (
    "cs da de de-at de-ch en es es-mx et fi fr hu hr is it nl nl-be no"
    " pl pt pt-br sk sv tr az ru uk el kk fa ja ko zh ar-eg"
)
_ROMAN: Final = ("ru", "uk", "bg", "mk", "el", "hy", "ka", "kk")
"""Languages whose script is written out in Latin letters, sound for sound."""

_IDEOGRAPHS: Final = re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
"""Letters of the cultures that write the surname first, without a space."""

_ASKED: Final = 2000
_MIXED_SHARE: Final = 0.2
_INVENTED_SHARE: Final = 0.14

Names = dict[str, list[str]]
People = dict[str, dict[str, Names]]
"""Group (western, latin, roman, native) → culture → first, last → names."""

_TABLE: Final = (
    "а=a б=b в=v г=g д=d е=e ё=yo ж=zh з=z и=i й=y к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=kh ц=ts ч=ch ш=sh "
    "щ=shch ъ= ы=y ь= э=e ю=yu я=ya і=i ї=yi є=ye ґ=g ј=j љ=lj њ=nj ќ=kj ѓ=gj ѕ=dz џ=dz ә=a ғ=gh қ=q ң=ng ө=o ұ=u "
    "ү=u һ=h "
    "α=a β=v γ=g δ=d ε=e ζ=z η=i θ=th ι=i κ=k λ=l μ=m ν=n ξ=x ο=o π=p ρ=r σ=s ς=s τ=t υ=y φ=f χ=ch ψ=ps ω=o "
    "ა=a ბ=b გ=g დ=d ე=e ვ=v ზ=z თ=t ი=i კ=k ლ=l მ=m ნ=n ო=o პ=p ჟ=zh რ=r ს=s ტ=t უ=u ფ=p ქ=k ღ=gh ყ=q შ=sh ჩ=ch "
    "ც=ts "
    "ძ=dz წ=ts ჭ=ch ხ=kh ჯ=j ჰ=h "
    "ա=a բ=b գ=g դ=d ե=e զ=z է=e ը=y թ=t ժ=zh ի=i լ=l խ=kh ծ=ts կ=k հ=h ձ=dz ղ=gh ճ=ch մ=m յ=y ն=n շ=sh ո=o չ=ch "
    "պ=p ջ=j "
    "ռ=r ս=s վ=v տ=t ր=r ց=ts ւ=v փ=p ք=k օ=o ֆ=f և=ev"
)
_SOUNDS: Final = dict(pair.split("=") for pair in _TABLE.split())


def romanised(name: str) -> str:
    """Write Cyrillic, Greek, Georgian or Armenian in Latin letters."""
    bare = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c) or c == "\u0306")
    bare = bare.replace("ου", "ou").replace("Ου", "Ou")
    letters = (_SOUNDS.get(c.lower(), c) for c in unicodedata.normalize("NFC", bare))
    text = "".join(letters)
    return " ".join("-".join(part.capitalize() for part in word.split("-")) for word in text.split())


def build(lists: dict[str, Names]) -> People:
    """Ask the libraries for names; takes some ten seconds.

    Args:
        lists: cultures of our own, as ``{"korean": {"first": [...], "last": [...]}}``.
    """
    people: People = {"western": {}, "latin": dict(lists), "roman": {}, "native": {}}
    groups = {"western": _WESTERN, "latin": _LATIN, "native": _OTHER}
    for group, locales in groups.items():
        for locale in locales.split():
            people[group][locale] = _faker(locale)
    people["latin"]["ja_roman"] = _faker("ja_JP", "_romanized_name")
    for locale in _MIMESIS.split():
        native = locale[:2] in ("ru", "uk", "el", "kk", "fa", "ja", "ko", "zh", "ar")
        people["native" if native else "latin"]["mimesis_" + locale] = _mimesis(locale)
    for culture, names in people["native"].items():
        if culture.removeprefix("mimesis_")[:2] in _ROMAN:
            people["roman"][culture] = {part: sorted({romanised(n) for n in some}) for part, some in names.items()}
    return people


def _faker(locale: str, ending: str = "_name") -> Names:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        faker = Faker(locale)
    faker.seed_instance(11)
    return {part: _many(getattr(faker, part + ending)) for part in ("first", "last")}


def _mimesis(locale: str) -> Names:
    person: Any = Person(Locale(locale), seed=11)
    return {"first": _many(person.first_name), "last": _many(person.last_name)}


def _many(make: Callable[[], object]) -> list[str]:
    found = {str(make()).strip().strip(";") for _ in range(_ASKED)}
    return sorted(name for name in found if name and not set(name) & set("(.,"))


def _phonologies() -> Iterator[tuple[list[str], ...]]:
    lines = (Path(__file__).parent / "fragments" / "phonologies.lst").read_text("utf-8").splitlines()
    return (tuple(part.split(" ") for part in line.split(";")) for line in lines if not line.startswith("#"))


_PHONOLOGIES: Final = tuple(_phonologies())
"""Onsets, vowels and codas of a language, and the endings of its given names and surnames."""


def invented(rng: random.Random, part: str) -> str:
    """A name that nobody bears, in the sounds of some language."""
    onsets, vowels, codas, given, family = rng.choice(_PHONOLOGIES)
    syllables = rng.choices((1, 2, 3), (45, 45, 10))[0]
    body = "".join(rng.choice(onsets) + rng.choice(vowels) + rng.choice(codas) for _ in range(syllables))
    return (body + rng.choice(given if part == "first" else family)).capitalize()


class NameMaker:
    """Makes names out of pools.

    Args:
        people: see :func:`build`.
    """

    def __init__(self, people: People) -> None:
        self._people = {group: list(cultures.values()) for group, cultures in people.items()}

    def culture(self, rng: random.Random, *, native: float = 0.04) -> Names:
        """The names of one culture."""
        if rng.random() < native:
            return rng.choice(self._people["native"])
        group = rng.choices(("western", "latin", "roman"), (34, 56, 10))[0]
        return rng.choice(self._people[group])

    def part(self, rng: random.Random, names: Names, part: str) -> str:
        """A given name (``first``) or a surname (``last``), now and then an invented one."""
        if rng.random() < _INVENTED_SHARE:
            return invented(rng, part)
        return rng.choice(names[part])

    def first(self, rng: random.Random) -> str:
        """A given name."""
        return self.part(rng, self.culture(rng), "first")

    def last(self, rng: random.Random) -> str:
        """A surname of any form."""
        return self._family(rng, self.culture(rng))

    def plain_last(self, rng: random.Random) -> str:
        """A surname of one word in Latin letters, as firms and streets are called by."""
        return self.part(rng, self.culture(rng, native=0), "last").split()[-1]

    def _family(self, rng: random.Random, names: Names) -> str:
        last = self.part(rng, names, "last")
        roll = rng.random()
        if roll < 0.045:
            return f"{last}-{self.part(rng, names, 'last')}"
        if roll < 0.075 and last.isascii():
            return rng.choice(_PARTICLES) + last
        return last

    def whole(self, rng: random.Random, *, native: float = 0.04) -> tuple[str, str]:
        """Given name and surname, mostly of one culture."""
        names = self.culture(rng, native=native)
        others = self.culture(rng, native=0) if rng.random() < _MIXED_SHARE and names["last"][0].isascii() else names
        return self.part(rng, names, "first"), self._family(rng, others)

    def full(self, rng: random.Random, first: str, last: str) -> str:
        """One of the forms in which papers and people write a whole name."""
        if _IDEOGRAPHS.match(first):
            return last + rng.choice(("", "", " ")) + first
        other = self.part(rng, self.culture(rng, native=0), "first")
        initial, second = first[0].upper(), other[0].upper()
        forms: tuple[tuple[str, int], ...] = (
            (f"{first} {last}", 660),
            (f"{first} {second}. {last}", 80),
            (f"{first} {second} {last}", 12),
            (f"{first} {other} {last}", 30),
            (f"{first}-{other} {last}", 8),
            (f"{initial}. {last}", 35),
            (f"{initial} {last}", 6),
            (f"{initial}.{second}. {last}", 20),
            (f"{initial}. {second}. {last}", 20),
            (f"{initial}. {other} {last}", 8),
            (f"{last}, {first}", 30),
            (f"{last}, {first} {second}.", 8),
            (f"{last.upper()}, {first}", 8),
            (f"{first} {last.upper()}", 15),
            (f"{last} {first}", 18),
            (f"{first} {last} {rng.choice(('Jr.', 'Sr.', 'III', 'II', 'Jr'))}", 10),
            (f"{first} {last} {self.plain_last(rng)}", 14),
            (f"{first} {rng.choice(('bin', 'ibn', 'bint', 'y', 'e'))} {last}", 4),
            (f"{first} “{other}” {last}", 4),
        )
        text = rng.choices([form for form, _ in forms], [weight for _, weight in forms])[0]
        return _cased(rng, text)


def _cased(rng: random.Random, text: str) -> str:
    roll = rng.random()
    if roll < 0.04:
        return text.upper()
    return text.lower() if roll < 0.07 else text


_PARTICLES: Final = (
    "van ", "van der ", "van den ", "de ", "De ", "de la ", "du ", "von ", "von der ", "zu ", "di ", "da ", "dos ",
    "del ",
    "D'", "O'", "Mc", "Mac", "Fitz", "St. ", "al-", "Al ", "El-", "bin ", "Abu ", "ter ", "ten ", "Le ", "La ", "ap ",
)  # fmt: skip
