"""A record says what happened and cannot say what was said."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finslm.audit.records import MAX_INT, STATUSES, Kind, Record, parse
from finslm.types import FinishReason

NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,20}\Z")
DIGESTS = st.one_of(st.just(""), st.from_regex(r"\A[0-9a-f]{64}\Z"))
COUNTS = st.integers(0, MAX_INT)
UPPER = st.from_regex(r"\A[A-Z][A-Z0-9_]{0,20}\Z")
CALL = {
    "request_id": st.uuids(version=4).map(str),
    "principal": NAMES,
    "tenant": NAMES,
    "method": st.just("InferenceService/Generate"),
    "time": st.datetimes().map(lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")),
}
OUTCOMES = st.builds(
    Record,
    kind=st.just(Kind.OUTCOME),
    **CALL,
    task=st.one_of(st.just(""), NAMES),
    model_name=NAMES,
    model_digest=DIGESTS,
    policy_digest=DIGESTS,
    entity_counts=st.dictionaries(UPPER, COUNTS, max_size=4),
    action_counts=st.dictionaries(st.sampled_from(["placeholder", "mask"]), COUNTS),
    answer_counts=st.dictionaries(st.sampled_from(["found.PERSON.refuse", "leaks.IBAN_CODE.mask"]), COUNTS),
    input_chars=st.none() | COUNTS,
    duration_ms=st.none() | COUNTS,
    status=st.sampled_from(sorted(STATUSES)),
    reason=st.one_of(st.just(""), UPPER),
    finish_reason=st.sampled_from(["", *FinishReason]),
    abstained=st.none() | st.booleans(),
    intent_index=st.none() | COUNTS,
)
EVENTS = st.builds(
    Record,
    kind=st.just(Kind.EVENT),
    time=CALL["time"],
    event=UPPER,
    details=st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9_]{0,9}\Z"), NAMES, max_size=3),
)


@given(st.one_of(OUTCOMES, EVENTS))
def test_parse_inverts_canonical(record: Record) -> None:
    """parse(r.canonical()) is r, and its canonical form is the same bytes."""
    data = record.canonical()
    assert parse(data) == record
    assert parse(data).canonical() == data
    assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode()


@given(st.one_of(OUTCOMES, EVENTS), st.data())
def test_no_other_spelling_is_accepted(record: Record, data: st.DataObject) -> None:
    """Any one byte changed gives another valid record or a refusal; never the same record."""
    entry = bytearray(record.canonical())
    at = data.draw(st.integers(0, len(entry) - 1))
    entry[at] ^= data.draw(st.integers(1, 255))
    try:
        other = parse(bytes(entry))
    except ValueError:
        return
    assert other != record


FREE_TEXT = "Pay John Smith 4111 1111 1111 1111"


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Record)])
@pytest.mark.parametrize("value", [FREE_TEXT, "john smith\n", {FREE_TEXT: 1}, {"a": FREE_TEXT}, -1, True, 1.5, None])
def test_no_field_takes_free_text(name: str, value: object, make_record: Callable[..., Record]) -> None:
    """Each field refuses text, and its error shows the field's name and not the text."""
    base = make_record()
    if value is None and getattr(base, name) is None:
        return
    with pytest.raises(ValueError, match="audit record") as caught:
        dataclasses.replace(base, **{name: value})
    assert "ohn" not in str(caught.value)
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": Kind.OUTCOME},  # without status
        {"status": "OK"},  # on an INTENT
        {"intent_index": 3},
        {"abstained": False},
        {"event": "SERVER_STARTED"},
        {"details": {"version": "1"}},
        {"request_id": ""},
        {"method": ""},
        {"kind": Kind.EVENT},
        {"time": "2026-02-30T00:00:00.000000Z"},
        {"principal": "loans\n"},
        {"request_id": "00000000-0000-4000-8000-00000000000G"},
    ],
)
def test_fields_must_fit_the_kind(changes: dict[str, object], make_record: Callable[..., Record]) -> None:
    """An outcome has a status, an event a name and no call, an intent neither."""
    with pytest.raises(ValueError, match="audit record"):
        make_record(**changes)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"[" * 16_000, b'{"kind":"X"}', b'{"event":"A","kind":"EVENT","time":"","version":1}']
    + [b'{"event":"A","kind":"EVENT","version":2}', b'{"event":"A","kind":"EVENT","text":"hi","version":1}']
    + [b'{"event":"A","kind":"EVENT","version":1} ', b'{"event":"A","event":"A","kind":"EVENT","version":1}']
    + [b"{" + b" " * 20_000 + b"}", b"\xff", b'{"event":"A","kind":["EVENT"],"version":1}'],
)
def test_parse_is_strict(data: bytes) -> None:
    """Unknown fields, other spellings, other versions and things that are not records are refused."""
    with pytest.raises(ValueError, match="audit record"):
        parse(data)


def test_a_record_does_not_change_with_its_makers_dict(make_record: Callable[..., Record]) -> None:
    """The maps are copied."""
    counts = {"PERSON": 1}
    record = make_record(entity_counts=counts)
    counts["PERSON"] = 2
    assert record.entity_counts["PERSON"] == 1
    with pytest.raises(TypeError):
        record.entity_counts["PERSON"] = 3  # type: ignore[index]
