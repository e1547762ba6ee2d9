"""Other readings of a text: what each shows, what of the original it stands for, and that hostile text is cheap."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redaction.detection import Detection
from redaction.views import View, views_of
from redaction.views.normalise import normalise, plain
from tests.pace import assert_linear

CARD = "4111111111111111"
ANY = st.text(
    st.characters(exclude_categories=())
    | st.sampled_from("&#52;%34\\u0031x=3D <b>/@at dot one two\u200b\u0301\ufe0f４١é०²Аа\xa0\u202e\ud800ﷺ"),
    max_size=60,
)


def shown(text: str) -> list[str]:
    return [view.text for view in views_of(text)]


def carriers(text: str, wanted: str) -> list[str]:
    """What of the original stands behind ``wanted``, per view that shows it and has it as its own."""
    pieces = []
    for view in views_of(text):
        at = view.text.find(wanted)
        if at >= 0:
            found = view.back([Detection(at, at + len(wanted), "X", 1.0, "test")])
            pieces += [text[d.start : d.end] for d in found]
    return pieces


class TestMainView:
    @pytest.mark.parametrize(
        ("text", "reading"),
        [
            ("４１１１\u3000１１１１", "4111 1111"),
            ("٤١١١ ۴۱ ४१ ৪১ ๔๑ ④① ❹❶ 𝟜𝟙", "4111 41 41 41 41 41 41 41"),
            ("4\u200b1\u200c1\u200d1\ufeff1\u20601\u202e1\xad1", "41111111"),
            ("4\ufe0f\u20e31\ufe0f\u20e3", "41"),
            ("4\u03361\u0336", "41"),
            ("4111\xa01111\u202f1111\u2007", "4111 1111 1111 "),
            ("078–05—1120‐1−2", "078-05-1120-1-2"),
            ("4111·1111․1111", "4111.1111.1111"),
            ("&#52;&#x31;&#49 &nbsp;&amp;&commat;", "411  &@"),
            ("&amp;#52;&amp;#49;", "41"),
            ("4\x001\x7f1", "411"),
            ("O’Brien “x”", 'O\'Brien "x"'),
            ("José Muñoz, Zoe\u0308 Nguye\u0302\u0303n", "José Muñoz, Zoë Nguyễn"),
            ("Иван Петров, Αθηνά, 한국, नेहा, محمد", "Иван Петров, Αθηνά, 한국, नेहा, محمد"),
            ("\u1112\u1161\u11ab", "한"),
            ("12345678¹ end, 5½", "12345678  end, 5½"),
            ("🅰 ﬁ ™ № ﷺ", "A fi  No ﷺ"),
            ("a\u2028b\r\nc", "a\nb\r\nc"),
            ("\ud800x", "\ufffdx"),
        ],
    )
    def test_one_plain_form(self, text, reading):
        assert views_of(text)[0].text == reading

    def test_plain_text_is_its_own_only_reading(self):
        text = "Move 1,250.00 to Margaret Okonkwo by Friday; call 020 7946 0958 & ask <b> for ada@example.com."
        assert views_of(text) == [View(text)]

    @given(ANY)
    def test_it_is_plain_already_once_it_is_plain(self, text):
        once = plain(text)
        assert plain(plain(once)) == plain(once)

    @given(st.text(st.characters(max_codepoint=127, exclude_characters="&"), max_size=40))
    def test_printable_ascii_is_untouched(self, text):
        assert plain(text) == "".join(c for c in text if c >= " " and c != "\x7f" or c in "\t\n\v\f\r")


class TestOtherReadings:
    @pytest.mark.parametrize(
        ("text", "wanted", "carrier"),
        [
            ("IBAN DЕ89 3704", "DE89", "DЕ89"),
            ("Маrgaret", "Margaret", "Маrgaret"),
            ("x=%34%31%31%31&y", "4111", "%34%31%31%31"),
            ("%2534%2531", "41", "%2534%2531"),
            ("caf%C3%A9", "é", "%C3%A9"),
            (r"\u0034\u0031\x31\u{31}", "4111", r"\u0034\u0031\x31\u{31}"),
            (r"\\u0034\\u0031", "41", r"\\u0034\\u0031"),
            (r"\ud835\udfdc", "4", r"\ud835\udfdc"),
            (r"a\nMargaret", "\nMargaret", r"\nMargaret"),
            ("=34=31=31", "411", "=34=31=31"),
            ("4111=\n1111 =3D", "41111111", "4111=\n1111"),
            ("41<b>11</b>22", "411122", "41<b>11</b>22"),
            ("41<!-- x -->11", "4111", "41<!-- x -->11"),
            ("ada [at] example (dot) com", "ada@example.com", "ada [at] example (dot) com"),
            ("to ada dot l at example dot com", "ada.l@example.com", "ada dot l at example dot com"),
        ],
    )
    def test_exactly_the_carrier_characters_are_behind_it(self, text, wanted, carrier):
        assert carrier in carriers(text, wanted)

    @pytest.mark.parametrize(
        "carrier",
        [
            base64.b64encode(CARD.encode()).decode(),
            base64.b64encode(CARD.encode()).decode().rstrip("="),
            base64.urlsafe_b64encode(f"???>>> {CARD}".encode()).decode(),
            base64.encodebytes(f"{CARD} is my card, and it was charged twice last week, please look".encode()).decode()[
                :-1
            ],
            base64.b64encode(CARD.encode("utf-16-le")).decode(),
            CARD.encode().hex(),
            CARD.encode().hex(" "),
            "0x" + CARD.encode().hex().upper(),
        ],
    )
    @pytest.mark.parametrize("frame", ["{}", "card: {} thanks", "data:text/plain;base64,{}", '"{}"'])
    def test_what_is_wrapped_as_a_whole_is_replaced_as_a_whole(self, carrier, frame):
        assert carrier in carriers(frame.format(carrier), CARD)

    def test_two_wrappings_are_taken_off(self):
        inner = base64.b64encode(CARD.encode())
        assert any(CARD in text for text in shown(base64.b64encode(inner).decode()))
        assert any(CARD in text for text in shown(quote(inner.decode())))

    @pytest.mark.parametrize(
        "said",
        [
            "four one one one, one one one one, one one one one, one one one one",
            "Four triple one - quadruple is no word",
            "four-one-one-one",
            "4 one one 1",
        ],
    )
    def test_digits_that_are_spelled_out(self, said):
        assert any("4111" in text for text in shown(f"my card is {said} thanks"))

    @pytest.mark.parametrize(
        "text",
        [
            "one of two or three",
            "transactions internationally-recognised",
            "d41d8cd98f00b204e9800998ecf8427e",
            "order 4111111111111111",
            "Margaret Okonkwo at Leeds",
            "РЕСТ и Москва",
            "<td>12345678</td><td>9012</td>",
        ],
    )
    def test_ordinary_text_has_no_other_reading(self, text):
        assert len(views_of(text)) == 1

    def test_what_lies_beside_a_decoded_piece_does_not_count_there(self):
        [_, view] = views_of("ada 4111 %34 end")
        assert "ada 4111" in view.text
        assert view.back([Detection(0, 3, "PERSON", 1.0, "test")]) == []

    def test_context_stands_around_a_decoded_piece(self):
        [_, view] = views_of("x " * 200 + "sort code %34%35 please" + " y" * 200)
        assert "sort code 45 please" in view.text
        assert len(view.text) < 250


@given(ANY)
@example("&#52;\u0301&#52;\u0301")
@example("e\u200b\u0301\u0301" * 5)
def test_every_character_of_every_view_stands_for_a_piece_of_the_original(text):
    for view in views_of(text):
        spans = [view.span(n, n + 1) for n in range(len(view.text))]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)
        assert len(view.text) <= 4 * len(text) + 8


@given(ANY)
def test_nothing_is_lost_in_the_main_view_but_what_is_invisible(text):
    view = normalise(text)
    seen = {place for n in range(len(view.text)) for place in range(*view.span(n, n + 1))}
    lost = "".join(char for place, char in enumerate(text) if place not in seen)
    assert not any(char.isalnum() and plain(char) for char in lost)


@pytest.mark.parametrize(
    "unit",
    ["%34", "&#52;", "&amp;", r"\u0034", r"\x34", "=34", "=\n", "NDEx", "QUJD+/", "34 ", "0x", "<b>", "<b",
     "<!--", "a<b>", "four ", "double ", "one-", " at ", " dot ", "a dot ", "[at]", "А1", "e\u0301", "\u0301",
     "\u200b", "４", "a b\\n", "%25", "TWFyZ2FyZXQgT2tvbmt3bw== "],
)  # fmt: skip
def test_anything_repeated_takes_linear_time_and_room(unit):
    def run(size):
        assert sum(len(view.text) for view in views_of(unit * (size // len(unit)))) < 20 * size

    assert_linear(run, 5_000, 40_000)
