"""What fills the slots of a note: facts, the same each time one text names them, and what only stands beside them."""

from __future__ import annotations

import calendar
import datetime as dt
import random
from collections.abc import Callable
from typing import Final, final

from finslm.train.documents.money import formatted
from finslm.train.documents.values import Values, phone
from finslm.train.names.grammar import Maker, Piece, Scene, digits
from finslm.train.names.makers import Makers

Say = Callable[[Scene], str]

_MARKS: Final = ("${}",) * 8 + ("£{}",) * 3 + ("€{}",) * 2 + ("{} EUR", "USD {}", "{} dollars", "GBP {}")
_TIMES: Final = ("twice", "three times", "four times", "five times", "six times", "several times")
_SPANS: Final = (
    "24 hours", "48 hours", "3 business days", "5 business days", "5 working days", "7 days", "10 business days",
    "10 working days", "two weeks", "30 days", "15 days", "one week",
)  # fmt: skip
_CURRENCIES: Final = ("euros", "US dollars", "Swiss francs", "yen", "pounds", "Canadian dollars", "Mexican pesos")
_DAYS: Final = ("%B %-d", "%B %-d, %Y", "%-d %B", "%-d %B %Y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d", "%Y-%m-%d", "%b %-d")
_FIRST_DAY: Final = dt.date(2023, 2, 1)
_PLAIN_CARD: Final = 0.7
"""Share of cards and accounts of which only the last four digits are written."""


@final
class NoteValues:
    """Makes the values of notes.

    Args:
        makers: pools of names, firms and places.
        split: names of the test notes stand in no other.
    """

    def __init__(self, makers: Makers, split: str) -> None:
        values = Values(makers, split)
        self._values = values
        self._facts: dict[str, Say] = {
            "amount": lambda scene: money(scene, scene.rng.randint(2000, 900_000)),
            "part": lambda scene: money(scene, scene.rng.randint(500, 40_000)),
            "fee": lambda scene: money(scene, scene.rng.choice((1200, 1500, 2500, 2900, 3000, 3400, 3500, 3900, 4500))),
            "large": lambda scene: money(scene, scene.rng.randint(40, 900) * 50_000, whole=True),
            "limit": lambda scene: money(scene, scene.rng.randint(4, 40) * 50_000, whole=True),
            "cash": lambda scene: money(scene, scene.rng.randint(10, 40) * 2000, whole=True),
            "short": lambda scene: money(scene, scene.rng.randint(1, 8) * 2000, whole=True),
            "rate": lambda scene: f"{scene.rng.randint(2, 6)}.{scene.rng.choice(('25', '5', '75', '9', '1', '49'))}%",
            "old_rate": lambda scene: f"{scene.rng.randint(7, 11)}.{scene.rng.choice(('25', '5', '75', '9', '1'))}%",
            "date": lambda scene: day(scene, 0),
            "contact_date": lambda scene: day(scene, 9),
            "deadline": lambda scene: day(scene, 30),
            "month": lambda scene: calendar.month_name[(_event(scene)).month],
            "within": lambda scene: scene.rng.choice(_SPANS),
            "times": lambda scene: scene.rng.choice(_TIMES),
            "currency": lambda scene: scene.rng.choice(_CURRENCIES),
            "card": lambda scene: _card(scene.rng),
            "account": lambda scene: self._account(scene.rng),
            "case": lambda scene: digits(
                scene.rng.choice(("??-######", "%#######", "?#####", "20##-#####")), scene.rng
            ),
            "party": lambda scene: values.org(scene.rng),
            "bank": lambda scene: values.bank(scene.rng),
            "payee": lambda scene: values.person(scene.rng),
            "deceased": lambda scene: values.person(scene.rng),
            "customer": lambda scene: values.person(scene.rng),
            "agent": lambda scene: values.given(scene.rng),
            "new_name": lambda scene: values.person(scene.rng),
            "address": lambda scene: values.address(scene.rng),
            "city": lambda scene: values.city(scene.rng),
        }

    @property
    def facts(self) -> frozenset[str]:
        """Names of the facts."""
        return frozenset(self._facts)

    def slots(self) -> dict[str, Maker]:
        """The slots of a grammar: every fact with its name, everything else without one."""
        values = self._values
        beside: dict[str, Say] = {
            "othermoney": lambda scene: money(scene, scene.rng.randint(500, 300_000)),
            "otherdate": lambda scene: day(scene, -scene.rng.randint(40, 900)),
            "otherperson": lambda scene: values.person(scene.rng),
            "given": lambda scene: values.given(scene.rng),
            "othercity": lambda scene: values.city(scene.rng),
            "otherorg": lambda scene: values.org(scene.rng),
            "otheraddress": lambda scene: values.address(scene.rng),
            "email": lambda scene: values.email(scene.rng),
            "phone": lambda scene: phone(scene.rng),
            "time": lambda scene: f"{scene.rng.randint(8, 19)}:{scene.rng.randint(0, 59):02}",
            "year": lambda scene: str(scene.rng.randint(1988, 2021)),
            "years": lambda scene: str(scene.rng.randint(3, 30)),
            "minutes": lambda scene: str(scene.rng.randint(5, 18) * 5),
            "today": lambda scene: day(scene, 17),
        }
        made: dict[str, Maker] = {name: _beside(say) for name, say in beside.items()}
        return made | {name: _fact(name, say) for name, say in self._facts.items()}

    def _account(self, rng: random.Random) -> str:
        if rng.random() < _PLAIN_CARD:
            return digits("####", rng)
        return rng.choice((self._values.iban(rng), digits("%#########", rng), digits("%#######", rng)))


def money(scene: Scene, cents: int, *, whole: bool = False) -> str:
    """An amount in the currency and the form of the text."""
    rng = scene.rng
    mark = _once(scene, "mark!", lambda: rng.choice(_MARKS))
    thousands = _once(scene, "thousands!", lambda: rng.choice((",", ",", "none"))).replace("none", "")
    bare = whole or rng.random() < 0.3
    return mark.format(formatted(cents // 100, "" if bare else f"{cents % 100:02d}", (thousands, ".")))


def day(scene: Scene, after: int) -> str:
    """A day so many days after what happened, or a few more, in the form of the text."""
    form = _once(scene, "days!", lambda: scene.rng.choice(_DAYS))
    return (_event(scene) + dt.timedelta(after + scene.rng.randint(0, 6))).strftime(form)


def _event(scene: Scene) -> dt.date:
    started = _once(scene, "event!", lambda: str(scene.rng.randint(0, 1300)))
    return _FIRST_DAY + dt.timedelta(int(started))


def _card(rng: random.Random) -> str:
    if rng.random() < _PLAIN_CARD:
        return digits("####", rng)
    number = rng.choice("45") + digits("##############", rng)
    doubled = [int(char) * (2 - at % 2) for at, char in enumerate(number)]
    whole = number + str(-sum(value // 10 + value % 10 for value in doubled) % 10)
    return " ".join(whole[at : at + 4] for at in range(0, 16, 4)) if rng.random() < 0.5 else whole


def _once(scene: Scene, key: str, say: Callable[[], str]) -> str:
    """The same each time in one text."""
    if key not in scene.memo:
        scene.memo[key] = [(say(), None)]
    return scene.memo[key][0][0]


def _fact(name: str, say: Say) -> Maker:
    return lambda scene: [(_once(scene, f"{name}!", lambda: say(scene)), name)]


def _beside(say: Say) -> Maker:
    def make(scene: Scene) -> list[Piece]:
        return [(say(scene), None)]

    return make
