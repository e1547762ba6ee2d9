"""Layouts that nobody wrote down: fields in any order, under many names, as lists, tables, data or sentences.

A model that sees a few dozen structures learns them by heart. These are put together anew for each training document
from ``structures/KIND.words.txt``; the documents that calibrate and test are all of structures written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, final

from finslm.train.documents import rows
from finslm.train.names.grammar import Grammar, Maker, Piece, Scene

_SEPARATORS: Final = (
    *(": ",) * 6, *(":",) * 2, *(" ",) * 2, *("\t",) * 2, *("\n",) * 2, *(":\n",) * 2, " - ", " = ", "=", ":\t", "   ",
    " .... ", "......", "; ", " – ", " | ", " / ", " -> ", " => ", " : ", " >> ", ", ", ") ", "\n  ", " is ", "\n> ",
)  # fmt: skip
_ENDS: Final = (*("\n",) * 10, *("\n\n",) * 2, "; ", ", ", " | ", " / ", " // ", ". ", " · ", "   ", "\t", ",\n", ";\n")
_BULLETS: Final = (*("",) * 8, "- ", "* ", "• ", "{n}. ", "{n}) ", "({n}) ", "> ", "[x] ", "| ", "{n} ", "o ", "– ")
_COLUMNS: Final = ("\t", "\t", " | ", " | ", ";", ",", "   ", "  ", " / ")
_MERGED: Final = 0.7
"""Share of documents whose amount has its currency beside it."""
_STYLES: Final[tuple[Callable[[str], str], ...]] = (*(str,) * 6, str.upper, str.lower, str.title)
_DATA_STYLES: Final = ("snake", "camel", "kebab", "pascal", "upper")
_JOINED: Final = 0.5
"""Share of sentences that go on with clauses of further fields."""


@final
class Kind(NamedTuple):
    """How documents of a kind are put together.

    Args:
        always: fields that are nearly always there.
        money: fields that may have their currency beside them, and their slot then.
        totals: fields that stand together, in this order.
        opened: fields that the first sentence has.
    """

    always: tuple[str, ...]
    money: Mapping[str, str]
    totals: tuple[str, ...]
    opened: tuple[str, ...]


KINDS: Final = {
    "payment": Kind(("beneficiary", "account", "amount", "currency"), {"amount": "money"}, (),
                    ("amount", "currency", "beneficiary")),
    "invoice": Kind(("number", "seller", "buyer", "issue_date", "total"),
                    {"net": "netmoney", "tax": "taxmoney", "total": "totalmoney"},
                    ("net", "tax_rate", "tax", "total"), ()),
    "kyc": Kind(("full_name", "date_of_birth"), {}, (), ("full_name",)),
}  # fmt: skip


@final
class Layouts:
    """Puts documents of one kind together.

    Args:
        kind: one of :data:`KINDS`.
        grammar: has the rules of ``KIND.words.txt`` and of ``common.txt``.
        makers: what fills the slots.
        fields: all of the kind.
    """

    def __init__(self, kind: str, grammar: Grammar, makers: Mapping[str, Maker], fields: Sequence[str]) -> None:
        self._kind, self._grammar, self._makers = KINDS[kind], grammar, makers
        self._fields = [name for name in fields if not name.startswith("item_")]
        self._has_rows = len(self._fields) < len(fields)
        self._forms = (self._list, self._list, self._list, self._table, self._data, self._sentences, self._sentences)

    def make(self, scene: Scene) -> list[Piece]:
        """Put one together."""
        rng = scene.rng
        chosen = self._chosen(scene)
        totals = [name for name in self._kind.totals if name in chosen]
        head = [name for name in chosen if name not in totals]
        blocks = [self._block(scene, head)] if not self._has_rows else self._parts(scene, head, totals)
        pieces: list[Piece] = [*self._rule("o_title", scene), ("\n", None)] if rng.random() < 0.5 else []
        for block in blocks:
            pieces += [*block, (rng.choice(("\n", "\n", "\n\n")), None)]
        if rng.random() < 0.3:
            pieces = [*self._rule("hello", scene), *self._rule("chatter", scene), *pieces, *self._rule("bye", scene)]
        return pieces

    def _parts(self, scene: Scene, head: Sequence[str], totals: Sequence[str]) -> list[list[Piece]]:
        """Of an invoice: what it is about, its rows, its sums, and how to pay."""
        rng = scene.rng
        cut = len(head) if rng.random() < 0.4 else rng.randint(1, max(1, len(head) - 1))
        first, last = head[:cut], head[cut:]
        blocks = [self._block(scene, first)] if first else []
        if rng.random() < 0.85:
            blocks.append(rows.block(scene, self._makers, lambda name: self._words(f"h_{name}", scene)))
        blocks += [self._block(scene, totals)] if totals else []
        blocks += [self._block(scene, last)] if last else []
        if rng.random() < 0.15:
            rng.shuffle(blocks)
        return blocks

    def _chosen(self, scene: Scene) -> list[str]:
        rng = scene.rng
        often = rng.choice((0.3, 0.6, 0.9))
        found = [name for name in self._fields if rng.random() < (0.93 if name in self._kind.always else often)]
        scene.memo["merged!"] = [("yes" if rng.random() < _MERGED else "", None)]
        if self._is_merged(scene) and any(name in self._kind.money for name in found):
            found = [name for name in found if name != "currency"]
        if rng.random() < 0.7:
            rng.shuffle(found)
        in_order = [name for name in self._kind.totals if name in found]
        rest = [name for name in found if name not in in_order]
        return rest + in_order

    def _block(self, scene: Scene, names: Sequence[str]) -> list[Piece]:
        return scene.rng.choice(self._forms)(scene, names)

    def _list(self, scene: Scene, names: Sequence[str]) -> list[Piece]:
        """A name and a value a line, or all on one line."""
        rng = scene.rng
        between, end, bullet = rng.choice(_SEPARATORS), rng.choice(_ENDS), rng.choice(_BULLETS)
        if "\n" in between or between.strip() == end.strip():
            end = rng.choice(("\n", "\n\n"))
        style, sections = rng.choice(_STYLES), rng.random() < 0.15
        pieces: list[Piece] = []
        for number, (key, value) in enumerate(self._entries(scene, names, style), 1):
            if sections and rng.random() < 0.3:
                heading = "".join(text for text, _ in self._rule("o_section", scene))
                pieces += [(f"{style(heading)}\n", None)]
            pieces += [(f"{bullet.format(n=number)}{key}{between}", None), *value, (end, None)]
        return pieces

    def _table(self, scene: Scene, names: Sequence[str]) -> list[Piece]:
        """A line of names above a line of values, or Markdown with both in each row."""
        rng = scene.rng
        entries = list(self._entries(scene, names, rng.choice(_STYLES)))
        if rng.random() < 0.3:
            lines = [[(f"| {key} | ", None), *value, (" |\n", None)] for key, value in entries]
            return [("| | |\n|---|---|\n" if rng.random() < 0.5 else "", None), *(p for line in lines for p in line)]
        mark = rng.choice(_COLUMNS)
        edge = mark.strip() if mark == " | " and rng.random() < 0.5 else ""
        pieces: list[Piece] = [(f"{edge}{mark.join(key for key, _ in entries)}{edge}\n{edge}", None)]
        for number, (_, value) in enumerate(entries):
            pieces += [*([(mark, None)] if number else []), *value]
        return [*pieces, (edge, None)]

    def _data(self, scene: Scene, names: Sequence[str]) -> list[Piece]:
        """JSON, XML, YAML or the like, with names as programs write them."""
        rng = scene.rng
        case = rng.choice(_DATA_STYLES)
        entries = list(self._entries(scene, names, lambda key: _as_data(key, case)))
        before, between, after, mark = rng.choice((
            ("{", '": "', '"', ", "), ('{\n  ', '": "', '"', ",\n  "), ("", "=", "", "&"), ("", ": ", "", "\n"),
            ("", "='", "'", " "), ("", '="', '"', " "), ("", " = ", "", "\n"), ("<>", ">", "", ""),
        ))  # fmt: skip
        pieces: list[Piece] = [(before.removesuffix("<>"), None)]
        for number, (key, value) in enumerate(entries):
            opened = f'"{key}' if '": "' in between else f"<{key}" if before == "<>" else key
            closed = f"</{key}>" if before == "<>" else after
            pieces += [(f"{mark if number else ''}{opened}{between}", None), *value, (closed, None)]
        return [*pieces, ("\n}" if "\n" in before else "}" if before == "{" else "", None)]

    def _sentences(self, scene: Scene, names: Sequence[str]) -> list[Piece]:
        """A first one that goes on with clauses, then one a field; what misleads stands between."""
        rng = scene.rng
        opened, left, pieces = self._opened(scene, names)
        while opened and left and rng.random() < 0.75:
            clause = f"p_{left[0]}"
            if clause not in self._grammar.rules:
                break
            said = self._rule(clause, scene)
            pieces += [("" if said[0][0].startswith(",") else rng.choice((" ", ", ", " ")), None), *said]
            left = left[1:]
        if opened:
            pieces.append((". ", None))
        gap = rng.choice((" ", " ", " ", "\n"))
        for name in left:
            if rng.random() < 0.2:
                pieces += [*self._rule("o_sentence", scene), (gap, None)]
            pieces += [*self._sentence(name, scene), (gap, None)]
        return pieces

    def _opened(self, scene: Scene, names: Sequence[str]) -> tuple[bool, list[str], list[Piece]]:
        first = self._kind.opened
        if not first or first[0] not in names or scene.rng.random() > _JOINED:
            return False, list(names), []
        return True, [name for name in names if name not in first], self._rule("p_start", scene)

    def _sentence(self, name: str, scene: Scene) -> list[Piece]:
        if name == "currency" and f"s_{name}" not in self._grammar.rules:
            return [(f"{self._words('k_currency', scene)}: ", None), *self._value(name, scene), (".", None)]
        if f"s_{name}" in self._grammar.rules:
            return self._rule(f"s_{name}", scene)
        return [(f"{self._words(f'k_{name}', scene)} ", None), *self._value(name, scene), (".", None)]

    def _entries(
        self, scene: Scene, names: Sequence[str], style: Callable[[str], str]
    ) -> list[tuple[str, list[Piece]]]:
        """Name and value of each field, with some that are none among them."""
        entries: list[tuple[str, list[Piece]]] = []
        misleading = scene.rng.choice((0.0, 0.1, 0.3))
        for name in names:
            if scene.rng.random() < misleading:
                key, _, value = "".join(text for text, _ in self._rule("o_key", scene)).partition("=")
                entries.append((style(key), [(value, None)]))
            entries.append((style(self._words(f"k_{name}", scene)), self._value(name, scene)))
        return entries

    def _value(self, name: str, scene: Scene) -> list[Piece]:
        merged = self._is_merged(scene) and name in self._kind.money
        return self._makers[self._kind.money[name] if merged else name](scene)

    def _is_merged(self, scene: Scene) -> bool:
        return bool(scene.memo["merged!"][0][0])

    def _rule(self, name: str, scene: Scene) -> list[Piece]:
        return list(self._grammar.expand(name, scene))

    def _words(self, rule: str, scene: Scene) -> str:
        """What a rule says, the same wherever it stands in one document."""
        if (key := f"{rule}!") not in scene.memo:
            scene.memo[key] = [("".join(text for text, _ in self._rule(rule, scene)), None)]
        return scene.memo[key][0][0]


def _as_data(key: str, case: str) -> str:
    words = re.findall(r"[^\W_]+", key.lower())
    if case in ("snake", "upper"):
        joined = "_".join(words)
        return joined.upper() if case == "upper" else joined
    if case == "kebab":
        return "-".join(words)
    capitals = "".join(word.capitalize() for word in words)
    return capitals if case == "pascal" else capitals[:1].lower() + capitals[1:]
