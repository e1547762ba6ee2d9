"""Only a whole, valid object is passed on, and nothing that is not in the text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finslm.errors import InvalidOutput
from finslm.tasks.extraction import MENTIONED_AS, VERBATIM, parse
from redaction.text import RedactedText

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": ["string", "null"], VERBATIM: True},
        "count": {"type": "integer"},
        "unit": {"type": ["string", "null"], MENTIONED_AS: {"EUR": ["euro", "€"]}},
    },
    "additionalProperties": False,
}
ANY = {"type": "object"}
SOURCE = RedactedText("Pay 1,250.00 euro  to Jane Roe at <ORGANIZATION_1>")


def test_words_around_the_object_are_dropped() -> None:
    assert parse('Here you are: {"count": 3} Anything else {?', SCHEMA) == '{"count":3}'


def test_braces_and_quotes_inside_strings_do_not_end_it() -> None:
    assert json.loads(parse(r'{"name": "a } \" { b"}', SCHEMA)) == {"name": 'a } " { b'}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("no object at all", "no JSON object"),
        ('{"count": 3', "not JSON"),
        ('{"name": {"count": 1}', "not JSON"),
        ("{'count': 3}", "not JSON"),
        ('{"count": 3, "count": 4}', "twice"),
        ('{"count": NaN}', "NaN"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"count": "canary"}', r"rule 'type' at \$\.count"),
        ('{"canary": 1}', r"rule 'additionalProperties' at \$"),
    ],
)
def test_anything_else_is_refused_with_the_reason_and_no_value(answer: str, reason: str) -> None:
    with pytest.raises(InvalidOutput, match=reason) as refusal:
        parse(answer, SCHEMA)
    assert "canary" not in str(refusal.value)


def test_names_that_only_the_answer_knows_are_not_shown() -> None:
    nested = {"type": "object", "additionalProperties": {"type": "integer"}}
    with pytest.raises(InvalidOutput) as refusal:
        parse('{"canary": "x"}', nested)
    assert str(refusal.value).endswith("rule 'type' at $.*")


def test_remote_references_are_not_followed() -> None:
    with pytest.raises(Exception, match="Unresolvable"):
        parse("{}", {"$ref": "http://127.0.0.1:9/schema.json"})


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))
def test_every_object_survives(document: dict[str, Any]) -> None:
    assert json.loads(parse(f"x {json.dumps(document)} y", ANY)) == document


@given(st.text() | st.text('{}[]":, 0a\\n'))
def test_any_answer_is_an_object_or_a_refusal(answer: str) -> None:
    try:
        assert isinstance(json.loads(parse(answer, ANY)), dict)
    except InvalidOutput as error:
        assert str(error).startswith("the answer")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("Jane Roe", "Jane Roe"),
        ("JANE  roe", "JANE  roe"),
        ("1,250.00", "1,250.00"),
        ("250.00", None),
        ("1,250", None),
        ("Jan", None),
        ("John", None),
        ("", None),
        ("<ORGANIZATION_1>", "<ORGANIZATION_1>"),
        ("ORGANIZATION_1", "<ORGANIZATION_1>"),
        ("<ORGANIZATION_2>", None),
    ],
)
def test_a_verbatim_value_stands_in_the_text_or_becomes_null(value: str, kept: str | None) -> None:
    assert json.loads(parse(json.dumps({"name": value}), SCHEMA, SOURCE)) == {"name": kept}


@pytest.mark.parametrize(("value", "kept"), [("EUR", "EUR"), ("USD", None)])
def test_a_code_is_kept_if_the_text_mentions_it_in_its_words(value: str, kept: str | None) -> None:
    assert json.loads(parse(json.dumps({"unit": value}), SCHEMA, SOURCE)) == {"unit": kept}


def test_where_null_is_not_allowed_an_invented_value_is_refused() -> None:
    strict = {"type": "object", "properties": {"name": {"type": "string", VERBATIM: True}}}
    with pytest.raises(InvalidOutput, match=r"rule 'type' at \$\.name"):
        parse('{"name": "canary"}', strict, SOURCE)
