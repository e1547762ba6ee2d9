"""The program language: what it says, what it refuses, and that it is plain arithmetic."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finslm.answering.program import OPERATIONS, Call, Constant, InvalidProgram, Operand, Program, execute, parse, size

_NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False)
_LEAVES = st.one_of(
    st.builds(Operand, st.integers(1, 6)),
    st.builds(Constant, st.decimals(min_value=0, max_value=10**6, places=2, allow_nan=False)),
)


def _calls(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    def of(name: str) -> st.SearchStrategy[Program]:
        least, most, _ = OPERATIONS[name]
        return st.lists(inner, min_size=least, max_size=min(most, 3)).map(lambda a: Call(name, tuple(a)))

    return st.sampled_from(sorted(OPERATIONS)).flatmap(of)


_PROGRAMS: st.SearchStrategy[Program] = st.recursive(_LEAVES, _calls, max_leaves=12)


class TestParse:
    @given(_PROGRAMS)
    def test_a_written_program_reads_back(self, program: Program) -> None:
        """What is shown to a person is what was executed."""
        if size(program) <= 64 and len(str(program)) <= 600:
            assert parse(str(program)) == program

    @given(st.text(max_size=80))
    def test_any_text_is_a_program_or_refused(self, text: str) -> None:
        """No text raises anything else, and none is executed as code."""
        try:
            parse(text)
        except InvalidProgram:
            return

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "ends too early"),
            ("add(#1", "ends where"),
            ("add(#1, #2) #3", "has ended before"),
            ("power(#1, #2)", "no operation 'power'; known: add"),
            ("add(#1)", "add takes 2 arguments, got 1"),
            ("__import__('os')", "neither a name"),
            ("add(#1; #2)", "neither a name"),
            (")", "is wanted"),
            ("add(" * 300, "at most 600"),
            ("sum(" + ", ".join(["#1"] * 80) + ")", "takes 1 to 64 arguments, got 80"),
        ],
    )
    def test_says_what_is_wrong(self, text: str, why: str) -> None:
        with pytest.raises(InvalidProgram, match=why):
            parse(text)


class TestExecute:
    @given(st.lists(_NUMBERS, min_size=6, max_size=6), _PROGRAMS)
    def test_a_number_or_a_refusal(self, operands: list[Decimal], program: Program) -> None:
        """Whatever the program, the result is a finite number or one clear error."""
        try:
            assert execute(program, operands).is_finite()
        except InvalidProgram:
            return

    @given(st.lists(_NUMBERS, min_size=1, max_size=6))
    def test_agrees_with_exact_fractions(self, values: list[Decimal]) -> None:
        """Sum and average are those of exact arithmetic, to 20 digits."""
        inner = tuple(Operand(i) for i in range(1, len(values) + 1))
        total = sum(map(Fraction, values), Fraction(0))
        for name, exact in (("sum", total), ("average", total / len(values))):
            assert abs(Fraction(execute(Call(name, inner), values)) - exact) <= Fraction(1, 10**12)

    def test_published_derivation(self) -> None:
        """(44.1-56.7)/56.7 of a TAT-QA table is -22.22 per cent."""
        value = execute(parse("percentage_change(#1, #2)"), [Decimal("44.1"), Decimal("56.7")])
        assert round(value, 2) == Decimal("-22.22")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("divide(#1, subtract(#1, #1))", "division by zero"),
            ("divide(0, 0)", "without a result"),
            ("add(#1, #2)", "refers to figure #2, there are 1"),
            ("#0", "refers to figure #0"),
        ],
    )
    def test_says_what_is_wrong(self, text: str, why: str) -> None:
        with pytest.raises(InvalidProgram, match=why):
            execute(parse(text), [Decimal(5)])
