"""Where paragraphs and tables stand in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finslm.answering.asked import read
from finslm.answering.document import HEAD_CHARS, SENTENCE_CHARS, UNIT_CHARS, Document, units
from finslm.answering.evidence import Evidence
from finslm.answering.text import layout
from finslm.answering.words import as_words, content_words
from finslm.errors import InvalidRequest

ROWS = (("", "2019", "2018"), ("Revenue", "12", "10"), ("Costs", "(7)", "-"))
BARS = "| | 2019 | 2018 |\n| --- | ---: | :-: |\n| Revenue | 12 | 10 |\n|Costs|(7)|-|"
OPEN = " | 2019 | 2018\nRevenue | 12 | 10\nCosts | (7) | -"
TABS = "\t2019\t2018\nRevenue\t12\t10\nCosts\t(7)\t-"


def document(text: str) -> Document:
    return layout(text).document(lambda place: text[place.start : place.end])


class TestTables:
    @pytest.mark.parametrize("text", [BARS, OPEN, TABS, BARS.replace("\n", "\r\n")])
    def test_every_form_gives_the_same_cells(self, text):
        assert document(text) == Document((), ROWS)

    @pytest.mark.parametrize("text", ["One line | with a bar", "One\tline", "| --- |\n| --- |"])
    def test_what_is_no_table(self, text):
        assert document(text).table == ()

    def test_a_bar_in_a_cell(self):
        assert document("| a \\| b | 1 |\n| c | 2 |").table == (("a | b", "1"), ("c", "2"))

    def test_each_table_has_its_own_head_and_scale(self):
        """Rows are numbered through; what is above one table says nothing of the other."""
        text = f"{BARS}\n\nIn between.\n\n|In thousands|2017|\n|-|-|\n|Rent|3|"
        found = document(text)
        assert (found.starts, [*found.tables()]) == ((0, 3), [range(3), range(3, 5)])
        own = units(found)
        assert [unit.row for unit in own] == [0, 1, 2, 3, 4, None]
        assert own[4].cells[0].header == "2017"
        evidence = Evidence(read("What was the Rent?"), found, own, [2, 5])
        assert [evidence.scale(own[1].cells[0]), evidence.scale(own[4].cells[0])] == ["", "thousand"]
        assert evidence.beside(own[1], evidence.rows) == [own[1]]


class TestParagraphs:
    def test_headings_and_items_are_paragraphs(self):
        text = "# Results\nRevenue rose\nby far.\n\n- first\n- second\n  goes on\n1. third"
        assert document(text).paragraphs == ("Results", "Revenue rose\nby far.", "first", "second\n  goes on", "third")

    @pytest.mark.parametrize("text", ["", " \n\t\n", "\u2028", "-----", "|---|\n|---|"])
    def test_nothing_is_nothing(self, text):
        assert document(text) == Document(())


class TestHostile:
    def test_a_row_of_more_cells_than_are_read_is_refused(self):
        """With what there is and what may be."""
        with pytest.raises(InvalidRequest, match="at most 256 cells in a row and 20000 in all, got 16000 and"):
            layout("|a" * 16_000 + "\n|b|")
        with pytest.raises(InvalidRequest, match="got 200 and 2"):
            layout(("|" + "a|" * 200 + "\n") * 110)

    def test_a_head_that_stands_above_many_cells_does_not_add_up(self):
        """A few kilobytes that would be megabytes of words; the cells are all still there."""
        head = "| |" + "long " * 3000 + "| short |" + "|" * 240
        own = units(document(f"{head}\n| row |{'1|' * 240}"))
        assert len(own[1].cells) == 240
        assert max(len(unit.text) for unit in own) <= UNIT_CHARS
        assert max(len(cell.header) for cell in own[1].cells) <= 2 * HEAD_CHARS + 1

    def test_heads_above_each_other_do_not_add_up_either(self):
        rows = "".join(f"| x |{'h' * 190}{number}| |\n" for number in range(150))
        own = units(document(f"| | a | b |\n{rows}| r | 1 | 2 |"))
        assert sum(len(unit.text) for unit in own) < 150 * SENTENCE_CHARS


@given(st.text(st.sampled_from("a1. |\t\n\\-#:\r\u2028"), max_size=60))
def test_every_unit_stands_where_it_says(text):
    """Sentences are the text's own letters; every visible one but marks and bars is in some unit."""
    found = layout(text)
    for unit in units(document(text)):
        place = found.place(unit)
        assert 0 <= place.start <= place.end <= len(text)
        if unit.row is None:
            assert text[place.start : place.end] == unit.text != ""
    kept = "".join(text[slice(*found.place(unit))] for unit in units(document(text)))
    assert kept.count("a") == text.count("a")


def test_a_placeholder_is_one_word():
    """As a name is: the same for the same value, another for another; its number is no figure and no word."""
    text = "Did <ORGANIZATION_1> pay <ORGANIZATION_12> 5?"
    assert as_words(text) == "Did organization1 pay organization12 5?"
    assert content_words(text) == {"pay", "organization1", "organization12", "5"}
    assert as_words("a < b_1 > c") == "a < b_1 > c"
