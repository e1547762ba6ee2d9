"""Given names and surnames by script and gender, from Faker's lists of all languages."""

from __future__ import annotations

import pkgutil
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Final, final

LATIN: Final = "LATIN"
FEWEST: Final = 100
"""Names of a sort that a script must have, or those of the Latin script stand in."""

_FEMALE, _MALE, _SURNAME = "first_names_female", "first_names_male", "last_names"


@final
@dataclass(frozen=True, slots=True)
class Names:
    """The names of one script, sorted, so that a number always means the same one.

    Args:
        female: given names of women.
        male: given names of men.
        surnames: surnames.
    """

    female: Sequence[str]
    male: Sequence[str]
    surnames: Sequence[str]


def script(text: str) -> str:
    """Return the script of the first letter by the beginning of its Unicode name, ``LATIN`` if there is none."""
    letter = next((char for char in text if char.isalpha()), "a")
    return unicodedata.name(letter, LATIN).split()[0]


def names(of_script: str) -> Names:
    """Return the names of a script; where too few are known, those of the Latin script."""
    return _all().get(of_script) or _all()[LATIN]


@lru_cache(maxsize=4096)
def gender(given: str) -> str:
    """Return ``f``, ``m``, or nothing for a given name that is either or unknown."""
    wanted = given.title()
    known = names(script(given))
    female, male = _holds(known.female, wanted), _holds(known.male, wanted)
    return "" if female == male else "f" if female else "m"


def _holds(listed: Sequence[str], name: str) -> bool:
    at = bisect_left(listed, name)
    return at < len(listed) and listed[at] == name


@cache
def _all() -> dict[str, Names]:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for sort, name in _listed():
        found[script(name), sort].add(name)
    scripts = {of_script for of_script, _ in found}
    made = {
        of_script: Names(*(sorted(found[of_script, sort]) for sort in (_FEMALE, _MALE, _SURNAME)))
        for of_script in scripts
    }
    return {s: n for s, n in made.items() if min(map(len, (n.female, n.male, n.surnames))) >= FEWEST}


def _listed() -> Iterator[tuple[str, str]]:
    import faker.providers.person as person

    for module in pkgutil.iter_modules(person.__path__):
        provider = import_module(f"{person.__name__}.{module.name}").Provider
        for sort in (_FEMALE, _MALE, _SURNAME):
            listed = getattr(provider, sort, ())
            if not isinstance(listed, property):
                yield from ((sort, name) for name in listed if _is_word(name))


def _is_word(name: str) -> bool:
    """One word of letters and vowel signs."""
    return bool(name) and all(unicodedata.category(char)[0] in "LM" for char in name)
