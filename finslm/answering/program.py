"""A small language for arithmetic over figures of a document, and what executes it. Nothing of it is ever ``eval``.

::

    program  = call | operand | constant
    call     = name "(" program { "," program } ")"
    operand  = "#" digits            the figure of that number, from 1, among those the program comes with
    constant = digits [ "." digits ]

``percentage_change(#1, #2)`` is by how many per cent the first differs from the second. Decimals of 28 digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Final, final

from finslm.errors import InvalidRequest

MAX_NODES: Final = 64
"""Calls, operands and constants of one program."""
MAX_CHARS: Final = 600
"""Length of a program's text: parsing recurses once for each bracket, so this bounds that too."""
_CONTEXT: Final = Context(prec=28, Emax=999, Emin=-999, traps=[DivisionByZero, InvalidOperation, Overflow])
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<name>[a-z_]+)|#(?P<operand>\d{1,4})|(?P<constant>\d{1,28}(?:\.\d{1,28})?)|(?P<mark>[(),]))"
)


class InvalidProgram(InvalidRequest):
    """A program that cannot be read or executed."""


@final
@dataclass(frozen=True, slots=True)
class Operand:
    """A figure of the document, by its number from 1."""

    number: int

    def __str__(self) -> str:
        return f"#{self.number}"


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """A number that stands in no document."""

    value: Decimal

    def __str__(self) -> str:
        return f"{self.value:f}"


@final
@dataclass(frozen=True, slots=True)
class Call:
    """An operation on programs.

    Raises:
        InvalidProgram: no such operation, or it takes another number of arguments.
    """

    operation: str
    arguments: tuple[Program, ...]

    def __post_init__(self) -> None:
        if (found := OPERATIONS.get(self.operation)) is None:
            raise InvalidProgram(f"no operation {self.operation[:64]!r}; known: {', '.join(sorted(OPERATIONS))}")
        got, (least, most, _) = len(self.arguments), found
        if not least <= got <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise InvalidProgram(f"{self.operation} takes {wanted} arguments, got {got}")

    def __str__(self) -> str:
        return f"{self.operation}({', '.join(map(str, self.arguments))})"


Program = Call | Operand | Constant

_Compute = Callable[[Sequence[Decimal]], Decimal]


def _percentage_change(values: Sequence[Decimal]) -> Decimal:
    return (values[0] - values[1]) / abs(values[1]) * 100


OPERATIONS: Final[Mapping[str, tuple[int, int, _Compute]]] = {
    "add": (2, 2, lambda v: v[0] + v[1]),
    "subtract": (2, 2, lambda v: v[0] - v[1]),
    "multiply": (2, 2, lambda v: v[0] * v[1]),
    "divide": (2, 2, lambda v: v[0] / v[1]),
    "sum": (1, MAX_NODES, lambda v: sum(v, Decimal(0))),
    "average": (1, MAX_NODES, lambda v: sum(v, Decimal(0)) / len(v)),
    "count": (1, MAX_NODES, lambda v: Decimal(len(v))),
    "percentage_change": (2, 2, _percentage_change),
    "greater": (2, 2, lambda v: max(v)),
}
"""Fewest and most arguments of each operation, and what it does. ``greater`` is the greater of the two."""


def parse(text: str) -> Program:
    """The program that a text says.

    Raises:
        InvalidProgram: it does not follow the grammar, or is too long.
    """
    if len(text) > MAX_CHARS:
        raise InvalidProgram(f"a program of {len(text)} characters; at most {MAX_CHARS}")
    tokens = list(_tokens(text))
    program, after = _read(tokens, 0)
    if after < len(tokens):
        raise InvalidProgram(f"at character {tokens[after].start()}: the program has ended before")
    if (nodes := size(program)) > MAX_NODES:
        raise InvalidProgram(f"a program of {nodes} parts; at most {MAX_NODES}")
    return program


def execute(program: Program, operands: Sequence[Decimal]) -> Decimal:
    """The program's value.

    Args:
        operands: figures that the program refers to, the first is ``#1``.

    Raises:
        InvalidProgram: it refers to a figure that is not there, divides by zero, leaves the range of numbers, or is
            too large.
    """
    if (nodes := size(program)) > MAX_NODES:
        raise InvalidProgram(f"a program of {nodes} parts; at most {MAX_NODES}")
    with localcontext(_CONTEXT):
        try:
            return _value(program, operands)
        except DivisionByZero:
            raise InvalidProgram("division by zero") from None
        except DecimalException as error:
            # 0 / 0 is an invalid operation, not a division by zero, to the standard.
            raise InvalidProgram(f"arithmetic without a result: {type(error).__name__}") from None


def size(program: Program) -> int:
    """Number of its calls, operands and constants."""
    return 1 + (sum(map(size, program.arguments)) if isinstance(program, Call) else 0)


def _value(program: Program, operands: Sequence[Decimal]) -> Decimal:
    if isinstance(program, Constant):
        return program.value
    if isinstance(program, Operand):
        if not 1 <= program.number <= len(operands):
            raise InvalidProgram(f"the program refers to figure {program}, there are {len(operands)}")
        return operands[program.number - 1]
    compute = OPERATIONS[program.operation][2]
    return compute([_value(argument, operands) for argument in program.arguments])


def _tokens(text: str) -> Iterator[re.Match[str]]:
    place, text = 0, text.rstrip()
    while place < len(text):
        if (match := _TOKEN.match(text, place)) is None:
            raise InvalidProgram(f"at character {place}: neither a name, a figure, a number nor a bracket")
        yield match
        place = match.end()


def _read(tokens: Sequence[re.Match[str]], at: int) -> tuple[Program, int]:
    if at >= len(tokens):
        raise InvalidProgram("the program ends too early")
    token = tokens[at]
    if token["operand"] is not None:
        return Operand(int(token["operand"])), at + 1
    if token["constant"] is not None:
        return Constant(Decimal(token["constant"])), at + 1
    if token["name"] is None:
        raise InvalidProgram(f"at character {token.start()}: an operation, a figure or a number is wanted")
    arguments, after = _arguments(tokens, at + 1)
    return Call(token["name"], tuple(arguments)), after


def _arguments(tokens: Sequence[re.Match[str]], at: int) -> tuple[list[Program], int]:
    _expect(tokens, at, "(")
    found, mark = [], ","
    while mark == ",":
        argument, at = _read(tokens, at + 1)
        found.append(argument)
        mark = _expect(tokens, at, ",", ")")
    return found, at + 1


def _expect(tokens: Sequence[re.Match[str]], at: int, *marks: str) -> str:
    if at >= len(tokens):
        raise InvalidProgram(f"the program ends where {' or '.join(marks)} is wanted")
    if (mark := tokens[at]["mark"]) not in marks:
        raise InvalidProgram(f"at character {tokens[at].start()}: {' or '.join(marks)} is wanted")
    return str(mark)
