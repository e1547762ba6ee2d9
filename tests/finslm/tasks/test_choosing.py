"""What a document has once is chosen once; rows are in order and multiply up, sums add up, values end in place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finslm.tasks import TASKS, edges
from finslm.tasks.choosing import choose
from finslm.tasks.forms import Form
from finslm.tasks.invoice import INVOICE
from finslm.types import TaggedSpan

ORDER = Form("t", ("payer", "beneficiary", "note"), required=("beneficiary",))
ROWS = Form("t", (), items=("quantity", "what", "price"), counts=("quantity", "price"))
FORMS = [task.form for task in TASKS if task.form is not None]


def tag(text: str, value: str, name: str, gain: float, score: float = 0.9, task: str = "t", nth: int = 0) -> TaggedSpan:
    at = -1
    for _ in range(nth + 1):
        at = text.index(value, at + 1)
    return TaggedSpan(at, at + len(value), f"{task}.{name}", score, gain)


def chosen(form: Form, text: str, *spans: TaggedSpan) -> list[tuple[str, str]]:
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    found = choose(form, text, ordered)
    return [(span.field.partition(".")[2], text[span.start : span.end]) for span in found]


class TestOnce:
    def test_a_second_value_of_a_field_goes_to_the_field_that_lacks_one(self) -> None:
        text = "Ann to Bob"
        spans = (
            tag(text, "Ann", "beneficiary", 2.0),
            tag(text, "Ann", "payer", 1.0),
            tag(text, "Bob", "beneficiary", 3.0),
        )
        assert chosen(ORDER, text, *spans) == [("payer", "Ann"), ("beneficiary", "Bob")]

    def test_a_value_may_stand_there_twice(self) -> None:
        text = "Ann, I mean ANN, and Bob"
        spans = [tag(text, word, "payer", gain) for word, gain in (("Ann", 3.0), ("ANN", 3.0), ("Bob", 4.0))]
        assert chosen(ORDER, text, *spans) == [("payer", "Ann"), ("payer", "ANN")]

    def test_the_best_of_spans_that_overlap(self) -> None:
        text = "rent of May"
        spans = tag(text, "rent", "note", 1.0), tag(text, "rent of May", "note", 2.0), tag(text, "May", "payer", -1.5)
        assert chosen(ORDER, text, *spans) == [("note", "rent of May")]
        assert chosen(ORDER, text, *spans[:1], spans[2]) == [("note", "rent"), ("payer", "May")]

    def test_what_must_be_there_is_taken_when_unsure_and_says_so(self) -> None:
        text = "Ann"
        unsure = {name: tag(text, text, name, -4.0, 0.02) for name in ("beneficiary", "payer")}
        assert chosen(ORDER, text, unsure["payer"]) == []
        (span,) = choose(ORDER, text, [unsure["beneficiary"]])
        assert 0.02 < span.score < 0.5

    def test_nothing_is_chosen_from_nothing(self) -> None:
        assert choose(INVOICE, "", []) == []


class TestRows:
    TEXT = "4 / Tea / 1.50\n7 / Cup / 2.25\n9 / Jug / 8.00"

    def spans(self) -> list[TaggedSpan]:
        found = []
        for line in self.TEXT.split("\n"):
            for value, name in zip(line.split(" / "), ("quantity", "what", "price"), strict=True):
                found.append(tag(self.TEXT, value, f"item_{name}", 4.0))
        return found

    def test_a_row_that_lacks_a_column_is_filled_by_what_stands_there(self) -> None:
        spans = self.spans()
        spans[3] = tag(self.TEXT, "7", "item_quantity", -2.0, 0.005)
        found = chosen(ROWS, self.TEXT, *spans)
        assert [value for _, value in found] == ["4", "Tea", "1.50", "7", "Cup", "2.25", "9", "Jug", "8.00"]

    def test_a_column_that_one_row_takes_for_another_is_put_right(self) -> None:
        spans = [*self.spans(), tag(self.TEXT, "2.25", "item_quantity", 5.0)]
        assert ("item_price", "2.25") in chosen(ROWS, self.TEXT, *spans)

    def test_a_single_value_stays(self) -> None:
        assert chosen(ROWS, "Tea", tag("Tea", "Tea", "item_what", 3.0)) == [("item_what", "Tea")]

    def test_a_sure_value_of_another_field_is_no_cell(self) -> None:
        form = Form("t", ("note",), items=ROWS.items)
        found = chosen(form, self.TEXT, *self.spans(), tag(self.TEXT, "8.00", "note", 9.0))
        assert found[-3:] == [("item_quantity", "9"), ("item_what", "Jug"), ("note", "8.00")]


def sums(text: str, **values: str) -> dict[str, str]:
    spans = [tag(text, value, name, 3.0, 0.6, "invoice") for name, value in values.items()]
    return dict(chosen(INVOICE, text, *spans))


def row(text: str, *tags: tuple[str, str, float]) -> list[tuple[str, str]]:
    spans = [
        tag(text, value, f"item_{name}", 2.0 if score > 0.1 else -2.0, score, "invoice") for value, name, score in tags
    ]
    return chosen(INVOICE, text, *spans)


class TestProducts:
    def test_numbers_that_multiply_up_are_a_row_whatever_their_tags_say(self) -> None:
        text = "Tea 12.50 by the box, 4 of them: 50.00"
        found = row(text, ("12.50", "amount", 0.6), ("4", "quantity", 0.3), ("50.00", "unit_price", 0.6))
        assert found == [("item_unit_price", "12.50"), ("item_quantity", "4"), ("item_amount", "50.00")]

    def test_a_number_without_a_tag_is_found(self) -> None:
        found = row("3 / Tea / 7 602,10 / 22 806,30", ("Tea", "description", 0.9), ("22 806,30", "amount", 0.9))
        assert ("item_quantity", "3") in found
        assert ("item_unit_price", "7 602,10") in found

    def test_what_stands_between_a_rows_numbers_is_none_of_its_numbers(self) -> None:
        found = row(
            "4 boxes of 6 at 2.50 = 10.00", ("4", "quantity", 0.5), ("6", "quantity", 0.5), ("10.00", "amount", 0.9)
        )
        assert found == [("item_quantity", "4"), ("item_unit_price", "2.50"), ("item_amount", "10.00")]

    def test_the_order_that_most_rows_show_decides_what_one_could_be_either_way(self) -> None:
        text = "2 x 3.00 6.00\n5 x 5.00 25.00\n4 x 2.00 8.00"
        found = row(
            text, ("6.00", "amount", 0.9), ("25.00", "amount", 0.9), ("8.00", "amount", 0.9), ("2", "quantity", 0.9)
        )
        assert [value for name, value in found if name == "item_quantity"] == ["2", "5", "4"]
        assert [value for name, value in found if name == "item_unit_price"] == ["3.00", "5.00", "2.00"]

    @pytest.mark.parametrize(
        "text", ["1 x 7.00 = 7.00", "3 x 2.00 = 6.01", "1 " * 120], ids=["by one", "do not multiply up", "too many"]
    )
    def test_elsewhere_the_tags_count(self, text: str) -> None:
        assert row("9 ways to 63 of 7") == []
        assert row(text, (text[0], "quantity", 0.5)) == [("item_quantity", text[0])]

    @pytest.mark.parametrize(
        "text", ["1 " * 100, "9" * 5000, f"{'9' * 4400} x 2 = {'8' * 4400}"], ids=["1", "long", "x"]
    )
    def test_hostile_numbers_end_soon(self, text: str) -> None:
        words = [*dict.fromkeys(text.split())]
        found = row(text, *((word, name, 0.6) for word in words for name in INVOICE.product))
        assert {value for _, value in found} <= {*words}

    def test_any_two_alike_multiply_up_with_one_so_tags_must_say_more(self) -> None:
        text = "line 1, 80.00 and 80.00"
        assert row(text, ("80.00", "amount", 0.9)) == [("item_amount", "80.00")]

    def test_a_sure_value_of_another_field_is_none_of_its_numbers(self) -> None:
        text = "2 x 40.00; total 80.00"
        spans = (
            tag(text, "2", "item_quantity", 5.0, 0.9, "invoice"),
            tag(text, "80.00", "total", 5.0, 0.95, "invoice"),
        )
        assert chosen(INVOICE, text, *spans) == [("item_quantity", "2"), ("total", "80.00")]


class TestSums:
    def test_those_that_add_up_count(self) -> None:
        """As where the gross amount is said first."""
        text = "Asked for are 119,00 which is 100,00 and 19,00 on top"
        found = sums(text, net="119,00", tax="100,00", total="19,00")
        assert found == {"net": "100,00", "tax": "19,00", "total": "119,00"}

    def test_one_that_is_not_tagged_is_found(self) -> None:
        assert sums("80.00, 8.00, 88.00", tax="8.00", total="88.00")["net"] == "80.00"

    @pytest.mark.parametrize(
        "text",
        ["90.00 and 8.00 and 88.00", "44.00 and 44.00 and 88.00", "a lot", "1 " * 120],
        ids=["do not add up", "half is no tax", "no number", "too many numbers"],
    )
    def test_where_none_add_up_the_tags_count(self, text: str) -> None:
        tagged = {"net": text[:5]}
        assert sums(text, **tagged) == {"net": text[:5].strip()}

    def test_a_number_of_another_value_is_no_sum(self) -> None:
        text = "No. 2023 of 2.1. 2025; total 2025"
        spans = (
            tag(text, "2023", "number", 5.0, 0.95, "invoice"),
            tag(text, "2025", "total", 5.0, 0.95, "invoice", nth=1),
        )
        assert chosen(INVOICE, text, *spans) == [("number", "2023"), ("total", "2025")]


class TestEdges:
    @pytest.mark.parametrize(
        ("text", "tagged", "value"),
        [
            ("pay 8,087.76 now", "8", "8,087.76"),
            ("pay 12 345.50 now", "345", "12 345.50"),
            ("qty 3 4711", "3", "3"),
            ("<ZIP_CODE_1>,50", "<ZIP_CODE_1>", "<ZIP_CODE_1>"),
        ],
    )
    def test_a_number_is_whole(self, text: str, tagged: str, value: str) -> None:
        span = edges.of_number(text, tag(text, tagged, "a", 0.0))
        assert text[span.start : span.end] == value

    @pytest.mark.parametrize(
        ("text", "tagged", "value"),
        [
            ("bill F-2708-25, due", "F-2708-", "F-2708-25"),
            ("bill 2543/2078.", "2078", "2543/2078"),
            ("bill R20594200", "R", "R20594200"),
            ("order well-known", "well", "well"),
            ("at <IBAN_CODE_1> x", "<IBAN_CODE_1>", "<IBAN_CODE_1>"),
            ("9" * 50, "9", "9"),
        ],
    )
    def test_a_code_is_whole(self, text: str, tagged: str, value: str) -> None:
        span = edges.of_code(text, tag(text, tagged, "a", 0.0))
        assert text[span.start : span.end] == value

    @pytest.mark.parametrize(
        ("text", "tagged", "value"),
        [
            ("Tea (quantity 3)", "Tea (", "Tea"),
            ("Tea (quantity 3, net)", "Tea (quantity 3", "Tea"),
            ("clerk, Acme", "clerk,", "clerk"),
            ("Tea (May) 3", "Tea (May", "Tea (May)"),
            ("(Tea", "(Tea", "Tea"),
            ("Tea)", "Tea)", "Tea"),
            ("Acme Ltd. (x)", "Acme Ltd.", "Acme Ltd."),
        ],
    )
    def test_marks_at_the_ends_are_cut_off(self, text: str, tagged: str, value: str) -> None:
        span = edges.trimmed(text, tag(text, tagged, "a", 0.0))
        assert span is not None
        assert text[span.start : span.end] == value

    def test_marks_alone_are_no_value(self) -> None:
        assert edges.trimmed("a / b", TaggedSpan(1, 4, "t.a", 0.9)) is None


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.task)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_likely_the_chosen_are_in_order_and_apart(form: Form, data: st.DataObject) -> None:
    text = data.draw(st.text(alphabet="ab1,. ()<>/\n", min_size=1, max_size=60))
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    drawn = st.tuples(places.filter(lambda place: place[0] < place[1]), st.sampled_from(form.labels), st.floats(0, 1))
    likely = [
        TaggedSpan(*place, name, score, data.draw(st.floats(-9, 9)))
        for place, name, score in data.draw(st.lists(drawn, max_size=12))
    ]
    found = choose(form, text, sorted(likely, key=lambda span: (span.start, span.end)))
    ends = [0, *(span.end for span in found)]
    assert all(end <= span.start < span.end <= len(text) for end, span in zip(ends, found, strict=False))
    assert all(0 <= span.score <= 1 for span in found)


@pytest.mark.parametrize(
    ("tagged", "value"),
    [
        ("maturity 14/10/26", "14/10/26"),
        ("on July 28, 2026", "July 28, 2026"),
        ("by 8th of March 2025", "8th of March 2025"),
        ("2025-03-04", "2025-03-04"),
        ("1.2.2025 or 2.2.2025", "1.2.2025 or 2.2.2025"),
        ("next Monday", "next Monday"),
    ],
)
def test_a_day_has_no_words_beside_it(tagged: str, value: str) -> None:
    span = edges.of_day(tagged, TaggedSpan(0, len(tagged), "t.a", 0.9))
    assert tagged[span.start : span.end] == value


@pytest.mark.parametrize(
    ("text", "tagged", "value"),
    [
        ("last day / 06-Jul-2025\n4 / switch", "06", "06-Jul-2025"),
        ("due Jun 8, 2023 at noon", "Jun 8", "Jun 8, 2023"),
        ("due 28th June 2025", "28", "28th June 2025"),
        ("before Sep 21,\n2025?", "Sep 21", "Sep 21,\n2025"),
        ("by 21/04/2026, 12 pieces", "21", "21/04/2026"),
        ("due 2026-04-21.", "04", "2026-04-21"),
        ("paid 24 May 20 000 EUR", "24 May", "24 May"),
        ("No. 12 Oct 11, 2025", "Oct 11, 2025", "Oct 11, 2025"),
        ("from 10.0.12.24", "12", "12"),
        ("from 1.2.2026 to 3.4.2026", "1.2.2026 to 3.4.2026", "1.2.2026 to 3.4.2026"),
    ],
)
def test_a_day_is_whole(text: str, tagged: str, value: str) -> None:
    start = text.index(tagged)
    span = edges.of_day(text, TaggedSpan(start, start + len(tagged), "t.a", 0.9))
    assert text[span.start : span.end] == value
