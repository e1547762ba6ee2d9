"""What was found once is found everywhere in the document, and no ordinary word with it."""

from __future__ import annotations

import pytest

from redaction.backstop import SOURCE, known_entities
from redaction.detection import Detection
from tests.pace import assert_linear


def again(text: str, *said: tuple[str, str], score: float = 0.9, validated: bool = False) -> list[str]:
    """What else is found when the first occurrence of each value was found before."""
    found = [Detection(text.index(v), text.index(v) + len(v), t, score, "test", validated) for t, v in said]
    known = known_entities([text], [found])[0]
    assert all(d.source == SOURCE for d in known)
    new = [d for d in known if not any(f.start <= d.start and d.end <= f.end for f in found)]
    return [text[d.start : d.end] for d in new]


NAME = ("PERSON", "Margaret Anne Okonkwo")


class TestPeople:
    @pytest.mark.parametrize(
        "form",
        ["MARGARET ANNE OKONKWO", "margaret okonkwo", "Okonkwo, Margaret", "OKONKWO, MARGARET ANNE", "M. Okonkwo",
         "M.A. Okonkwo", "MA Okonkwo", "m. okonkwo", "Okonkwo M", "Okonkwo", "okonkwo", "OKONKWO", "Margaret",
         "MARGARET", "Margaret\nOkonkwo", "margaret_okonkwo"],
    )  # fmt: skip
    def test_other_forms_of_a_name(self, form):
        assert again(f"Margaret Anne Okonkwo wrote: {form} was not paid", NAME) == [form]

    def test_the_s_of_possession_stays(self):
        assert again("Margaret Anne Okonkwo: Okonkwo's account", NAME) == ["Okonkwo"]

    @pytest.mark.parametrize("rest", ["margaret", "the MO", "a letter", "Okonkwoland", "Annex", "the mark"])
    def test_what_is_no_form_of_it(self, rest):
        assert again(f"Margaret Anne Okonkwo wrote {rest} here", NAME) == []

    def test_an_inverted_name_is_turned(self):
        assert again("Okonkwo, Margaret. Then margaret okonkwo", ("PERSON", "Okonkwo, Margaret")) == [
            "margaret okonkwo"
        ]

    def test_titles_and_particles_are_no_names(self):
        text = "Dr. Maria van der Berg called. The Dr said van means from; berg agreed; m. van der berg too"
        assert again(text, ("PERSON", "Dr. Maria van der Berg")) == ["berg", "m. van der berg"]

    @pytest.mark.parametrize("name", ["Will Young", "Mark Bank", "Grace Price"])
    def test_words_of_the_day_are_left_alone(self, name):
        given, family = name.lower().split()
        text = f"{name} called. {given} {family} people; you {given} {family}; Young Price"
        assert again(text, ("PERSON", name)) == []

    def test_a_weak_guess_is_not_spread(self):
        assert again("Zorbla here, Zorbla there", ("PERSON", "Zorbla"), score=0.4) == []
        assert again("Zorbla here, zorbla there, Zorbla", ("PERSON", "Zorbla"), score=0.6) == ["Zorbla"]

    def test_names_of_any_script(self):
        assert again("Иван Петров писал. ПЕТРОВ, ИВАН", ("PERSON", "Иван Петров")) == ["ПЕТРОВ, ИВАН"]
        assert again("山田 太郎 様、 太郎 は", ("PERSON", "山田 太郎")) == ["太郎"]

    def test_names_of_one_leaf_are_found_in_another(self):
        texts = ["Margaret Okonkwo", "paid by OKONKWO"]
        first = [Detection(0, 16, "PERSON", 0.9, "test")]
        [_, [second]] = known_entities(texts, [first, []])
        assert texts[1][second.start : second.end] == "OKONKWO"


class TestFirms:
    @pytest.mark.parametrize("form", ["ACME WIDGETS LTD", "Acme Widgets", "acme widgets"])
    def test_with_and_without_its_legal_form(self, form):
        assert again(f"Acme Widgets Ltd. paid {form} today", ("ORGANIZATION", "Acme Widgets Ltd.")) == [form]

    def test_one_word_wants_its_capital(self):
        assert again("Zyxel Inc. and Zyxel, not zyxel", ("ORGANIZATION", "Zyxel Inc.")) == ["Zyxel"]


class TestCodes:
    @pytest.mark.parametrize("form", ["0210-0002-1", "0210 0002 1", "021.000.021", "021000021"])
    def test_in_other_groups(self, form):
        assert again(f"ABA 021000021, later {form}.", ("ABA_ROUTING_NUMBER", "021000021"), validated=True) == [form]

    @pytest.mark.parametrize("rest", ["9021000021", "0210000219", "x021000021", "021 and then 000021"])
    def test_not_inside_something_longer(self, rest):
        assert again(f"ABA 021000021, later {rest}.", ("ABA_ROUTING_NUMBER", "021000021"), validated=True) == []

    def test_a_birth_date_is_found_where_no_word_announces_it(self):
        assert again("born 3 May 1980; 3-May-1980 again", ("DATE_OF_BIRTH", "3 May 1980")) == ["3-May-1980"]

    def test_short_or_unproven_ones_are_not_spread(self):
        assert again("CVV 1234, 1234", ("CVV", "1234"), validated=True) == []
        assert again("acc 12345678, 12345678", ("BANK_ACCOUNT", "12345678"), score=0.5) == []


@pytest.mark.parametrize("unit", ["Okonkwo ", "M. ", "a ", "1 ", "021000021 ", "Margaret, ", "o'"])
def test_hostile_repetition_takes_linear_time(unit):
    head = "Margaret Anne Okonkwo 021000021 "
    said = [Detection(0, 21, "PERSON", 0.9, "t"), Detection(22, 31, "ABA_ROUTING_NUMBER", 1.0, "t", validated=True)]
    assert_linear(lambda size: known_entities([head + unit * (size // len(unit))], [said]), 5_000, 40_000)


def test_many_names_take_linear_time():
    names = [f"Nam{n:04x}q Fam{n:04x}z" for n in range(8_000)]
    said = [Detection(19 * n, 19 * n + 17, "PERSON", 0.9, "t") for n in range(8_000)]

    def run(count):
        assert len(known_entities(["".join(f"{name}; " for name in names[:count])], [said[:count]])[0]) == count

    run(10)
    assert_linear(run, 1_000, 8_000)
