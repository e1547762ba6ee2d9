r"""A small grammar of text with labels: what is said is fixed by files, what is named by slots.

A file holds rules. ``:: name`` begins one; each line below it is one way to write it; ``*3 `` before a line makes it
three times as likely. Inside a line:

* ``{slot}`` asks a maker (or a rule of that name) for something invented; ``{slot1}`` gives the same thing each
  time it stands in one text;
* ``{~%##-??}`` is digits (``%`` never zero), capitals (``?``) and small letters (``@``);
* ``{TYPE:...}`` makes one labelled span of all that is inside, and so does ``{=field:...}``;
* ``<rule>`` is another rule; ``[a|b|]`` one of its parts;
* ``\n`` and ``\t`` are what they look like, a backslash before any other character takes its meaning away.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from finslm.train.names.sample import Sample

Piece = tuple[str, str | None]
BREAK: Final = "\x1f"
"""Stands in an address where one of its lines ends; what is written there is chosen once for each address."""

_BREAKS: Final = (", ",) * 5 + ("\n",) * 5 + (",\n", ",\n", "\n    ", ",\n   ", " ", " \n", ", \n", "\n, ", " - ", "; ")
_SLOT: Final = re.compile(r"\{([a-z_]+)(\d?)\}")
_DIGITS: Final = re.compile(r"\{~([^}]+)\}")
_TYPED: Final = re.compile(r"\{(?:([A-Z_]+)|=([a-z_]+)):")
_RULE: Final = re.compile(r"<([a-z_0-9]+)>")
_ESCAPES: Final = {"n": "\n", "t": "\t"}
_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"


@final
@dataclass(slots=True)
class Scene:
    """One text in the making: its random source, and what was named in it so far."""

    rng: random.Random
    memo: dict[str, list[Piece]] = field(default_factory=dict)


def once(scene: Scene, key: str, make: Callable[[], str]) -> str:
    """What a text says by this name: the same each time."""
    if key not in scene.memo:
        scene.memo[key] = [(make(), None)]
    return scene.memo[key][0][0]


Maker = Callable[[Scene], list[Piece]]
Node = Callable[[Scene], list[Piece]]


@final
class Grammar:
    """Rules that expand to labelled pieces.

    Args:
        files: files of rules; no rule may stand twice.
        makers: what fills the slots.
    """

    def __init__(self, files: Iterable[Path], makers: Mapping[str, Maker]) -> None:
        self._makers = makers
        self._lines: dict[str, list[str]] = {}
        for file in files:
            self._read(file.read_text("utf-8"))
        self._nodes: dict[str, list[Node]] = {}

    def _read(self, text: str) -> None:
        rule: list[str] = []
        for line in text.splitlines():
            if line.startswith("::"):
                name = line[2:].strip()
                if name in self._lines:
                    raise ValueError(f"rule {name!r} stands twice")
                rule = self._lines[name] = []
            elif line.strip() and not line.startswith("# "):
                weight = re.match(r"\*(\d+) ", line)
                rule += [line[weight.end() :]] * int(weight[1]) if weight else [line]

    @property
    def rules(self) -> frozenset[str]:
        """Names of all rules."""
        return frozenset(self._lines)

    def lines(self, rule: str) -> list[str]:
        """The lines of a rule that is a plain list."""
        return self._lines[rule]

    def expand(self, rule: str, scene: Scene) -> list[Piece]:
        """Write a rule out."""
        nodes = self._nodes.get(rule)
        if nodes is None:
            nodes = self._nodes[rule] = [self.parse(line) for line in self._lines[rule]]
        return scene.rng.choice(nodes)(scene)

    def check(self) -> None:
        """Parse everything.

        Raises:
            ValueError: a slot or rule that does not exist, or a part that is not closed.
        """
        for rule, lines in self._lines.items():
            self._nodes[rule] = [self.parse(line) for line in lines]

    def parse(self, line: str) -> Node:
        """Read a line that may stand outside of the files.

        Raises:
            ValueError: see :meth:`check`.
        """
        node, at = _Reader(self, line, self._makers).sequence(0, "")
        if at != len(line):
            raise ValueError(f"rule does not end where its line does: {line[:64]!r}")
        return node


@final
class _Reader:
    """Reads one line into a node."""

    def __init__(self, grammar: Grammar, line: str, makers: Mapping[str, Maker]) -> None:
        self._grammar = grammar
        self._line = line
        self._makers = makers

    def sequence(self, at: int, stops: str) -> tuple[Node, int]:
        parts: list[Node] = []
        plain = ""
        while at < len(self._line) and self._line[at] not in stops:
            node, after = self._special(at)
            if node is None:
                char, after = self._character(at)
                plain += char
            else:
                if plain:
                    parts.append(_literal(plain))
                    plain = ""
                parts.append(node)
            at = after
        if plain:
            parts.append(_literal(plain))
        return _joined(parts), at

    def _character(self, at: int) -> tuple[str, int]:
        char = self._line[at]
        if char == "\\" and at + 1 < len(self._line):
            following = self._line[at + 1]
            return _ESCAPES.get(following, following), at + 2
        return char, at + 1

    def _special(self, at: int) -> tuple[Node | None, int]:
        line = self._line
        if line[at] == "[":
            return self._choice(at + 1)
        if found := _SLOT.match(line, at):
            return self._slot(found[1], found[2]), found.end()
        if found := _DIGITS.match(line, at):
            return _digits(found[1]), found.end()
        if found := _TYPED.match(line, at):
            inner, end = self.sequence(found.end(), "}")
            self._closed(end)
            return _typed(found[1] or found[2], inner), end + 1
        if found := _RULE.match(line, at):
            if found[1] == "br":
                return _literal(BREAK), found.end()
            return self._rule(found[1]), found.end()
        return None, at

    def _choice(self, at: int) -> tuple[Node, int]:
        options: list[Node] = []
        while True:
            option, at = self.sequence(at, "|]")
            options.append(option)
            self._closed(at)
            if self._line[at] == "]":
                return (lambda scene: scene.rng.choice(options)(scene)), at + 1
            at += 1

    def _closed(self, at: int) -> None:
        if at >= len(self._line):
            raise ValueError(f"a part is not closed: {self._line[:64]!r}")

    def _rule(self, name: str) -> Node:
        if name not in self._grammar.rules:
            raise ValueError(f"no rule or slot {name!r}, wanted in {self._line[:64]!r}")
        return lambda scene: self._grammar.expand(name, scene)

    def _slot(self, name: str, number: str) -> Node:
        make = self._makers.get(name) or self._rule(name)
        if not number:
            return make
        key = name + number

        def again(scene: Scene) -> list[Piece]:
            if key not in scene.memo:
                scene.memo[key] = make(scene)
            return scene.memo[key]

        return again


def _literal(text: str) -> Node:
    pieces: list[Piece] = [(text, None)]
    return lambda _: pieces


def _joined(parts: list[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    return lambda scene: [piece for part in parts for piece in part(scene)]


def _digits(pattern: str) -> Node:
    return lambda scene: [(digits(pattern, scene.rng), None)]


def digits(pattern: str, rng: random.Random) -> str:
    """Fill a pattern: ``#`` a digit, ``%`` one that is not zero, ``?`` a capital, ``@`` a small letter."""
    fill = {
        "#": lambda: rng.choice("0123456789"),
        "%": lambda: rng.choice("123456789"),
        "?": lambda: rng.choice(_LETTERS),
        "@": lambda: rng.choice(_LETTERS).lower(),
    }
    return "".join(fill[char]() if char in fill else char for char in pattern)


def _typed(type_: str, inner: Node) -> Node:
    def one(scene: Scene) -> list[Piece]:
        text = "".join(part for part, _ in inner(scene)).strip()
        if BREAK in text:
            text = text.replace(BREAK, scene.rng.choice(_BREAKS))
        return [(text, type_)]

    return one


def assemble(pieces: Iterable[Piece]) -> Sample:
    """Join pieces to a text and note where the labelled ones are."""
    text, at, spans = [], 0, []
    for part, type_ in pieces:
        part = part.replace(BREAK, ", ")
        if type_ and part:
            spans.append((at, at + len(part), type_))
        text.append(part)
        at += len(part)
    return Sample("".join(text), tuple(spans))
