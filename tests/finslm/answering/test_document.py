"""Documents as units: numbered, whole, at the offsets they have."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finslm.answering.document import SENTENCE_CHARS, Document, header_rows, sentences, units
from finslm.answering.figures import is_year, sole_figure

TABLE = (
    ("", "", "Years Ended September 30,", ""),
    ("", "2019", "2018", "2017"),
    ("Fixed price", "$  1,452.4", "(1,146.2)", "27.1%"),
    ("Assets:", "", "", ""),
    ("Cash", "44", "—", "70.8"),
    ("Total assets", "45", "46", "47"),
)


class TestUnits:
    def test_a_row_has_its_headers(self) -> None:
        """A row is read alone, so what stands above and before it must be in it."""
        found = units(Document(("One. Two.",), TABLE))
        assert [unit.number for unit in found] == list(range(1, 9))
        assert found[2].text == ("Fixed price (Years Ended September 30,): 2019 $  1,452.4; 2018 (1,146.2); 2017 27.1%")
        assert found[4].label == "Assets: Cash"
        assert found[5].label == "Assets: Total assets"
        assert [unit.is_header for unit in found[:3]] == [True, True, False]
        assert found[4].cells[0].header == "Years Ended September 30, 2019"

    @given(st.text(alphabet="Ab. (12)\n!?;", max_size=2000))
    def test_sentences_lose_nothing(self, text: str) -> None:
        """Between the offsets stands all of the text that is no space, in order, in pieces of bounded length."""
        spans = list(sentences(text))
        assert all(a < b for a, b in spans)
        assert all(b - a <= SENTENCE_CHARS for a, b in spans)
        assert all(b <= c for (_, b), (c, _) in zip(spans, spans[1:], strict=False))
        joined = "".join(text[a:b] for a, b in spans)
        assert [c for c in joined if c.isalnum()] == [c for c in text if c.isalnum()]

    def test_abbreviations_end_nothing(self) -> None:
        """Inc. and U.S. are no ends."""
        text = "Acme Inc. Paid in the U.S. Government's bonds. Then it sold."
        assert [text[a:b] for a, b in sentences(text)] == [text[:46], "Then it sold."]

    @given(st.lists(st.lists(st.sampled_from(["", "2019", "Cash", "1.5", "—"]), max_size=4).map(tuple), max_size=6))
    def test_any_table_has_units(self, table: list[tuple[str, ...]]) -> None:
        """One for each row, whatever its form."""
        assert [unit.row for unit in units(Document((), tuple(table)))] == list(range(len(table)))

    def test_headers_end_at_the_first_figure(self) -> None:
        assert header_rows(TABLE) == 2
        assert header_rows((("Name", "Title"), ("Ann", "Chair"))) == 1


class TestFigures:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("$ 1,452.4", "1452.4"),
            ("(12.5)", "-12.5"),
            ("$(1,000)", "-1000"),
            ("-3.5", "-3.5"),
            ("27.1%", "27.1"),
            (".5", "0.5"),
        ],
    )
    def test_as_documents_write_them(self, text: str, value: str) -> None:
        found = sole_figure(text)
        assert found is not None
        assert found.value == Decimal(value)

    def test_years(self) -> None:
        assert is_year(" 2019 ")
        assert not is_year("20190")
