"""What fills the slots of the grammar: one place where the pools of people, places and words come together."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, final

from faker import Faker
from mimesis import Address, Food, Text
from mimesis.locales import Locale

from finslm.train.names import people, places
from finslm.train.names.grammar import Grammar, Maker, Piece, Scene

_FRAGMENTS: Final = Path(__file__).parent / "fragments"
_CACHE: Final = "names-pools-6.json"
_CALENDAR: Final = (
    "january february march april may june july august september october november december monday tuesday "
    "wednesday thursday friday saturday sunday jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed "
    "thu thur fri sat sun i paypal google yahoo microsoft america england"
)
_ADDRESS_LOCALES: Final = (
    "en_US en_GB en_AU en_CA en_IE en_IN en_NZ en_PH de_DE de_AT de_CH fr_FR fr_CA fr_CH es_ES es_MX es_CL es_CO es_AR "
    "it_IT pt_PT pt_BR nl_NL nl_BE da_DK sv_SE no_NO fi_FI pl_PL cs_CZ sk_SK hu_HU ro_RO hr_HR sl_SI tr_TR id_ID el_GR "
    "ru_RU uk_UA bg_BG ja_JP ko_KR zh_CN az_AZ vi_VN zu_ZA th"
)
_MIMESIS_LOCALES: Final = "cs da de es fi fr hu hr is it nl no pl pt sk sv tr et ru el"

_COMMON: Final = frozenset(
    [
        "us",
        "of",
        "nice",
        "mobile",
        "reading",
        "bath",
        "orange",
        "total",
        "delta",
        "square",
        "shell",
        "ford",
        "apple",
        "target",
        "chase",
        "gap",
    ]
)
"""Names of towns and firms that are ordinary words too."""


def load(cache: Path) -> dict[str, Any]:
    """Return the pools; made once, in under a minute, and kept in the folder ``cache``."""
    file = cache / _CACHE
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps(_build(), ensure_ascii=False), "utf-8")
        temporary.replace(file)
    pools: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return pools


def _build() -> dict[str, Any]:
    plain = Grammar([_FRAGMENTS / "cultures.txt"], {})
    lists: dict[str, people.Names] = {}
    for rule in sorted(plain.rules):
        part, _, culture = rule.partition("_")
        lists.setdefault(culture, {})[part] = " ".join(plain.lines(rule)).split()
    made: dict[str, Any] = {"people": people.build(lists), "places": places.build()}
    made |= _texts()
    named = {
        part.lower()
        for group in made["people"].values()
        for names in group.values()
        for some in names.values()
        for n in some
        for part in n.split()
    }
    named |= {n.lower() for n in made["places"]["large"]} | set(_CALENDAR.split())
    lands = Grammar([_FRAGMENTS / "lands.txt"], {})
    named |= {
        w.lower()
        for rule in ("demonym", "people", "faith", "party", "country_other")
        for n in lands.lines(rule)
        for w in n.split()
    }
    named |= {w.lower() for kind in ("country", "province") for n in made["places"][kind] for w in n.split()}
    known = Grammar([_FRAGMENTS / "firms.txt"], {}).lines("known")[0].strip("[]").split("|")
    named |= {w.lower() for n in known for w in n.split() if w.lower() not in _COMMON}
    made["dish"] = [dish for dish in made["dish"] if named.isdisjoint(dish.split())]
    made["slogan"] = [text for text in made["slogan"] if named.isdisjoint(text.lower().split())]
    made["words"] = sorted(w for w in _words() if w.isalpha() and w.islower() and len(w) > 2 and w not in named)
    return made


def _texts() -> dict[str, list[str]]:
    """Addresses, street names and firms as Faker writes them, and jobs, dishes and slogans."""
    found: dict[str, list[str]] = {"address": [], "street": [], "company": [], "job": [], "slogan": [], "dish": []}
    for locale in _ADDRESS_LOCALES.split():
        faker = Faker(locale)
        faker.seed_instance(12)
        found["address"] += [faker.address() for _ in range(300)]
        found["company"] += sorted({faker.company() for _ in range(150)})
        if hasattr(faker, "street_name"):
            found["street"] += sorted({faker.street_name() for _ in range(250)})
    for locale in _MIMESIS_LOCALES.split():
        address = Address(Locale(locale), seed=12)
        found["street"] += sorted({address.street_name() for _ in range(200)})
    faker = Faker("en_US")
    faker.seed_instance(12)
    food = Food(Locale.EN, seed=12)
    found["job"] = sorted({faker.job().split(",")[0] for _ in range(3000)})
    found["slogan"] = sorted({f() for f in (faker.catch_phrase, faker.bs) for _ in range(1500)})
    found["dish"] = sorted(
        {f().lower() for f in (food.dish, food.drink, food.vegetable, food.fruit) for _ in range(300)}
    )
    return {kind: [text for text in texts if text.strip()] for kind, texts in found.items()}


def _words() -> set[str]:
    faker = Faker("en_US")
    text = Text(Locale.EN, seed=12)
    return {w.lower() for w in faker.get_words_list()} | {text.word() for _ in range(40_000)}


@final
class Makers:
    """Everything that can stand in a slot.

    Args:
        cache: folder where the pools are kept.
    """

    def __init__(self, cache: Path) -> None:
        pools = load(cache)
        self._pools = pools
        self.names = people.NameMaker(pools["people"])
        self.places = places.PlaceMaker(pools["places"], lambda: self.grammar)
        files = sorted(file for file in _FRAGMENTS.glob("*.txt") if file.name != "cultures.txt")
        self.grammar: Grammar = Grammar(files, self._makers())
        self.grammar.check()

    def say(self, rule: str, rng: random.Random) -> str:
        """The text of a rule, without its labels."""
        return "".join(text for text, _ in self.grammar.expand(rule, Scene(rng)))

    def _makers(self) -> dict[str, Maker]:
        names, where = self.names, self.places
        texts: dict[str, Callable[[random.Random], str]] = {
            "xlast": names.plain_last,
            "xfull": lambda rng: names.full(rng, *names.whole(rng, native=0)),
            "xfirst": lambda rng: names.part(rng, names.culture(rng, native=0), "first"),
            "xcity": where.city,
            "xplain": where.plain_city,
            "xcaps": lambda rng: where.plain_city(rng).upper(),
            "xuscity": lambda rng: ", ".join(where.us_city(rng)),
            "xstate": where.state,
            "xprovince": where.province,
            "xcountry": where.country,
            "upperson": lambda rng: names.full(rng, *names.whole(rng, native=0)).upper(),
            "uporg": lambda rng: self.say("firm_name", rng).upper(),
            "capfirst": lambda rng: names.part(rng, names.culture(rng, native=0), "first").upper(),
            "xinvented": lambda rng: people.invented(rng, rng.choice(("first", "last"))),
            "xword": lambda rng: self.word(rng).capitalize(),
            "word": self.word,
            "uword": lambda rng: self.word(rng).capitalize(),
            "capword": lambda rng: self.word(rng).upper(),
            **{kind: self._text(kind) for kind in ("job", "slogan", "dish")},
            "xstreet": self._text("street"),
            "xaddress": self._text("address"),
            "xcompany": self._text("company"),
        }
        typed: dict[str, tuple[str, Callable[[random.Random], str]]] = {
            "first": ("PERSON", names.first),
            "last": ("PERSON", names.last),
            "city": ("LOCATION", where.city),
            "state": ("LOCATION", where.state),
            "province": ("LOCATION", where.province),
        }
        makers: dict[str, Maker] = {name: _untyped(make) for name, make in texts.items()}
        makers |= {name: _labelled(type_, make) for name, (type_, make) in typed.items()}
        return makers | {
            "person": self._person,
            "casual": self._casual,
            "anyname": self._anyname,
            "titled": self._titled,
            "persona": self._persona,
            "forename": lambda scene: [(self._of_persona(scene)[0], "PERSON")],
            "surname": lambda scene: [(self._of_persona(scene)[1], "PERSON")],
            "country": where.country_pieces,
            "place": where.place_pieces,
            "citystate": where.city_state,
            "nrp": where.nationality,
            "nrps": where.peoples,
            "org": self._ruled("org"),
            "bank": self._ruled("bank"),
            "inst": self._ruled("inst"),
            "band": self._ruled("band"),
            "addr": self._ruled("addr"),
            "line": self._ruled("line"),
            "amount": self._ruled("amount"),
            "date": self._ruled("date"),
            "mail": self._mail,
            "url": self._url,
        }

    def word(self, rng: random.Random) -> str:
        """An ordinary English word."""
        words: list[str] = self._pools["words"]
        return rng.choice(words)

    def job(self, rng: random.Random) -> str:
        """What somebody does for a living."""
        return self._text("job")(rng)

    def _text(self, kind: str) -> Callable[[random.Random], str]:
        texts: list[str] = self._pools[kind]
        return lambda rng: rng.choice(texts)

    def _ruled(self, rule: str) -> Maker:
        return lambda scene: self.grammar.expand(rule, scene)

    def _person(self, scene: Scene) -> list[Piece]:
        return [(self.names.full(scene.rng, *self.names.whole(scene.rng)), "PERSON")]

    def _anyname(self, scene: Scene) -> list[Piece]:
        """A whole name, a given name or a surname."""
        make = scene.rng.choices((self._person, None), (65, 35))[0]
        if make:
            return make(scene)
        return [(scene.rng.choice((self.names.first, self.names.last))(scene.rng), "PERSON")]

    def _casual(self, scene: Scene) -> list[Piece]:
        """A name as people type it."""
        text = self._anyname(scene)[0][0]
        roll = scene.rng.random()
        return [(text.lower() if roll < 0.2 else text.upper() if roll < 0.25 else text, "PERSON")]

    def _titled(self, scene: Scene) -> list[Piece]:
        """Title and name; the title stands outside of the span."""
        title = scene.rng.choice(self.grammar.lines("title"))
        name = self._person(scene) if scene.rng.random() < 0.5 else [(self.names.last(scene.rng), "PERSON")]
        return [(title + " ", None), *name]

    def _of_persona(self, scene: Scene) -> tuple[str, str]:
        """Given name and surname of the text's main person."""
        if "persona" not in scene.memo:
            first, last = self.names.whole(scene.rng)
            scene.memo["persona"] = [(first, None), (last, None)]
        (first, _), (last, _) = scene.memo["persona"]
        return first, last

    def _persona(self, scene: Scene) -> list[Piece]:
        return [(self.names.full(scene.rng, *self._of_persona(scene)), "PERSON")]

    def _mail(self, scene: Scene) -> list[Piece]:
        rng = scene.rng
        first, last = self._of_persona(scene) if "persona" in scene.memo else self.names.whole(rng, native=0)
        user = rng.choice(
            (
                f"{first}.{last}",
                f"{first[0]}{last}",
                f"{first}{rng.randint(1, 99)}",
                f"{last}_{first}",
                "info",
                "support",
            )
        )
        host = rng.choice(
            (
                "example.com",
                "example.org",
                f"{people.invented(rng, 'last')}.com",
                "mail.example.net",
                f"{self.names.plain_last(rng)}.{rng.choice(('de', 'co.uk', 'fr', 'info', 'biz', 'org'))}",
            )
        )
        return [("".join(c for c in f"{user}@{host}".lower() if c.isalnum() or c in "@._-"), "OTHER_ID")]

    def _url(self, scene: Scene) -> list[Piece]:
        rng = scene.rng
        host = people.invented(rng, "last").lower()
        start = rng.choice(("https://www.", "http://", "www.", "https://", ""))
        end = rng.choice((".com", ".org", ".com/", ".net", ".de", ".co.uk", ".io", ".fr/contact", ".com/login?id=7"))
        return [(start + "".join(c for c in host if c.isalnum()) + end, "OTHER_ID")]


def _untyped(make: Callable[[random.Random], str]) -> Maker:
    return lambda scene: [(make(scene.rng), None)]


def _labelled(type_: str, make: Callable[[random.Random], str]) -> Maker:
    return lambda scene: [(make(scene.rng), type_)]
