"""Spans become a document that matches its schema; code makes of a value only what is certain."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from finslm.tasks import TASKS
from finslm.tasks.fields import currency, decimal, iso_date
from finslm.tasks.forms import Form
from finslm.types import TaggedSpan

FORMS = [task.form for task in TASKS if task.form is not None]
TEXT = "Pay DKK86 <PERSON_1> 3 x Tea 1.20 3.60, 2 x Cup 5 10"


def spans(form: Form, **values: str) -> list[TaggedSpan]:
    return [
        TaggedSpan(TEXT.index(value), TEXT.index(value) + len(value), f"{form.task}.{name}", 0.9)
        for name, value in values.items()
    ]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.task)
class TestSchema:
    def test_an_empty_document_matches(self, form: Form) -> None:
        document = form.complete(filled := form.fill("", []), filled)
        Draft202012Validator(form.schema()).validate(document)
        assert {value for name, value in document.items() if name != "items"} == {None}

    @settings(max_examples=40, deadline=None)
    @given(data=st.data())
    def test_whatever_is_tagged_matches(self, form: Form, data: st.DataObject) -> None:
        text = data.draw(st.text(min_size=1, max_size=80))
        places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
        drawn = data.draw(st.lists(st.tuples(places, st.sampled_from(form.labels), st.floats(0, 1)), max_size=12))
        found = [TaggedSpan(start, end, name, score) for (start, end), name, score in drawn]
        filled = form.fill(text, found)
        Draft202012Validator(form.schema()).validate(form.complete(filled, filled))


class TestFilling:
    def test_the_surest_of_several_counts(self) -> None:
        form = Form("t", ("a",))
        found = [TaggedSpan(0, 3, "t.a", 0.4), TaggedSpan(4, 9, "t.a", 0.8)]
        assert form.fill(TEXT, found) == {"a": "DKK86"}
        assert form.scores(found) == {"a": 0.8}

    def test_what_is_not_sure_enough_is_left_out(self) -> None:
        form = Form("t", ("a",), least_score=0.5)
        assert form.fill(TEXT, [TaggedSpan(0, 3, "t.a", 0.4)]) == {"a": None}

    def test_rows_begin_where_their_first_field_comes_again(self) -> None:
        form = Form("t", (), items=("quantity", "description", "amount"))
        places = [
            ("3", "quantity"),
            ("Tea", "description"),
            ("2", "quantity"),
            ("Cup", "description"),
            ("10", "amount"),
        ]
        at, found = TEXT.index("3 x"), []
        for value, name in places:
            at = TEXT.index(f" {value}", at - 1) + 1
            found.append(TaggedSpan(at, at + len(value), f"t.item_{name}", 1.0))
        assert form.fill(TEXT, found)["items"] == [
            {"quantity": "3", "description": "Tea", "amount": None},
            {"quantity": "2", "description": "Cup", "amount": "10"},
        ]

    @pytest.mark.parametrize(
        "account",
        [
            "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000", "DE89.3704.0044.0532.0130.00", "DE89  3704  0044",
            "19-2000145399/0800", "<IBAN_CODE_1>", "ＤＥ89 3704 0044", "GB29 NWBK\n6016 1331",
        ],
    )  # fmt: skip
    def test_an_account_is_never_cut(self, account: str) -> None:
        """Only words before it that name one are cut off; half an account pays somebody else."""
        form = TASKS.get("payment_instruction").form
        assert form is not None
        filled = form.fill(TEXT, spans(form, account="<PERSON_1>"))
        assert form.complete(filled, filled | {"account": account})["account"] == account
        assert form.complete(filled, filled | {"account": f"IBAN no.: {account}"})["account"] == account

    def test_a_value_longer_than_any_field_becomes_null(self) -> None:
        form = TASKS.get("payment_instruction").form
        assert form is not None
        filled = form.fill(TEXT, spans(form, reference="<PERSON_1>"))
        document = form.complete(filled, filled | {"reference": "x" * 501})
        assert document["reference"] is None
        Draft202012Validator(form.schema()).validate(document)

    @pytest.mark.parametrize(
        ("text", "tagged", "amount", "value"),
        [
            ("Total 3.104.624,05 EUR", "3.104.624", "3.104.624,05", "3104624.05"),
            ("Total 20,702.00 USD", "20,702", "20,702.00", "20702.00"),
            ("Total 1 677.13 EUR", "1", "1", None),
            ("Total 4 200,77 EUR", "200,77", "200,77", None),
            ("Total 1 677.13 EUR", "1 677.13", "1 677.13", "1677.13"),
            ("Total -1,250.00 EUR", "1,250.00", "1,250.00", None),
            ("Total (1,250.00)", "1,250.00", "1,250.00", None),
            ("Total 12.345 KWD", "12.345", "12.345", None),
        ],
    )
    def test_a_piece_of_a_number_is_no_amount(self, text: str, tagged: str, amount: str, value: str | None) -> None:
        """A tag that misses digits takes them along; where a sign or a group may be missing, nothing is made of it."""
        form = TASKS.get("invoice").form
        assert form is not None
        at = text.index(tagged)
        found = [TaggedSpan(at, at + len(tagged), "invoice.total", 0.9)]
        if "KWD" in text:
            found.append(TaggedSpan(text.index("KWD"), text.index("KWD") + 3, "invoice.currency", 0.9))
        filled = form.fill(text, found)
        document = form.complete(filled, filled, form.doubtful(text, filled))
        assert (document["total"], document["total_value"]) == (amount, value)

    def test_a_currency_that_redaction_took_along_is_found(self) -> None:
        """And what stood beside an amount is not part of it."""
        form = TASKS.get("payment_instruction").form
        assert form is not None
        filled = form.fill(TEXT, spans(form, amount="<PERSON_1>"))
        document = form.complete(filled, filled | {"amount": "DKK86 600.50"})
        assert (document["amount"], document["currency"], document["amount_value"]) == ("86 600.50", "DKK", "86600.50")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1,250.00", "1250.00"), ("1.250,00", "1250.00"), ("1 250.00", "1250.00"), ("1'250", "1250"), ("12", "12"),
        ("1.250", "1250"), ("1.250.000", "1250000"), ("0,50", "0.50"), ("007", "7"), ("1,25,000", None), ("", None),
        ("1.250,000", None), ("ten", None), ("1,2,3", None), ("12.5.2020", None), ("0.125", None), ("0.500", None),
        ("1234.567", None), ("12 34", None), ("100 200", "100200"), ("00.001", None), ("１２.５０", None),
        ("0.05", "0.05"), ("9" * 5000, "9" * 5000), ("000", "0"),
        ("-1,250.00", None), ("(1,250.00)", None), ("1250.00", "1250.00"), ("4 200,77", "4200.77"), ("4 2000", None),
    ],
)  # fmt: skip
def test_amounts_as_decimals(written: str, value: str | None) -> None:
    assert decimal(written) == value


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-02-03", "2026-02-03"), ("3 February 2026", "2026-02-03"), ("Feb 3, 2026", "2026-02-03"),
        ("3rd of March 2026", "2026-03-03"), ("03-Mar-2026", "2026-03-03"), ("31/12/2026", "2026-12-31"),
        ("12/31/2026", "2026-12-31"), ("03/04/2026", None), ("04.04.2026", "2026-04-04"), ("3.4.26", None),
        ("31 February 2026", None), ("soon", None), ("3 Foo 2026", None), ("5. marraskuu 2026", None),
        ("1 mayonnais 2026", None), ("7 sept 2026", "2026-09-07"),
    ],
)  # fmt: skip
def test_days_only_where_they_are_certain(written: str, day: str | None) -> None:
    assert iso_date(written) == day


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("€", "EUR"),
        ("us  dollars", "USD"),
        ("chf", "CHF"),
        ("Pounds", "GBP"),
        ("x", None),
        ("lei", None),
        ("the", None),
        ("Rs", "INR"),
        ("Fr.", "CHF"),
    ],
)
def test_currencies(written: str, code: str | None) -> None:
    assert currency(written) == code
