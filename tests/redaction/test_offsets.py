"""Offsets are exact on every input: what is redacted comes back, and nothing is half redacted."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction import Policy, Redactor
from redaction.operators import PLACEHOLDER
from redaction.recognizers.scan import Recognizers
from redaction.views import views_of

SECRETS = {
    "CREDIT_CARD": "4111111111111111",
    "IBAN_CODE": "DE89370400440532013000",
    "EMAIL_ADDRESS": "ada.lovelace@example.com",
}
FULL_WIDTH = {ord("0") + n: chr(0xFF10 + n) for n in range(10)}
ARABIC = {ord("0") + n: chr(0x0660 + n) for n in range(10)}
DISGUISES = {
    "plain": lambda s: s,
    "full width": lambda s: s.translate(FULL_WIDTH),
    "arabic digits": lambda s: s.translate(ARABIC),
    "zero width": lambda s: "\u200b".join(s),
    "struck through": lambda s: "".join(c + "\u0336" for c in s),
    "entities": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "percent": lambda s: "".join(f"%{ord(c):02X}" for c in s),
    "json": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "quoted printable": lambda s: "".join(f"={ord(c):02X}" for c in s),
    "hex": lambda s: s.encode().hex(),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 twice": lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
}
NOISE = st.text(
    st.characters(exclude_categories=())
    | st.sampled_from("<>_ \n\r\t.,;:\u200b\u202e\u0301\ufe0f\ud800\udfff\xa0é한𝟜٤²ﷺ&#%=\\@19AZaz/+-"),
    max_size=12,
)
PIECES = st.sampled_from(
    [disguise(secret) for disguise in DISGUISES.values() for secret in SECRETS.values()]
    + ["<PERSON_1>", "<CREDIT_CARD_1>", "<LITERAL_1>", "<b>", "&amp;", "four one one one", "3 May 1980"]
)
ANYTHING = st.lists(NOISE | PIECES, max_size=8).map("".join)


@pytest.fixture(scope="module")
def patterns() -> Redactor:
    """The pattern-only path: every recognizer there is."""
    recognizers = Recognizers()
    return Redactor(Policy.builtin(), [recognizers], [recognizers], budget_s=60)


@given(ANYTHING)
@settings(max_examples=300, deadline=None)
def test_redacting_and_restoring_gives_the_text_back(patterns, text):
    redacted = patterns.redact(text)
    assert patterns.restore(redacted.text, redacted) == text


@given(ANYTHING)
@settings(max_examples=40, deadline=None)
def test_with_the_models_too(redactor, text):
    redacted = redactor.redact(text)
    assert redactor.restore(redacted.text, redacted) == text


@given(ANYTHING)
@settings(max_examples=200, deadline=None)
def test_detections_are_in_order_apart_and_inside(patterns, text):
    found = patterns.analyze(text)
    assert all(0 <= d.start < d.end <= len(text) for d in found)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))


@given(NOISE, NOISE, st.sampled_from(sorted(SECRETS)), st.sampled_from(sorted(DISGUISES)))
@settings(max_examples=300, deadline=None)
def test_a_disguised_secret_is_replaced_whole(patterns, before, after, type_, disguise):
    secret = DISGUISES[disguise](SECRETS[type_])
    text = f"{before} . {secret} . {after}"
    start = text.rindex(secret)
    found = [d for d in patterns.analyze(text) if d.start < start + len(secret) and d.end > start]
    assert found, disguise
    covered = {place for d in found for place in range(d.start, d.end)}
    missed = "".join(text[place] for place in range(start, start + len(secret)) if place not in covered)
    assert not any(char.isalnum() for char in missed), disguise


@given(ANYTHING)
@settings(max_examples=200, deadline=None)
def test_every_placeholder_shape_that_comes_out_was_issued(patterns, text):
    redacted = patterns.redact(text)
    assert set(PLACEHOLDER.findall(redacted.text)) == set(redacted.placeholders)
    assert sum(redacted.entity_counts.values()) == len(redacted.detections)


@given(ANYTHING)
def test_each_view_maps_into_the_text(text):
    for view in views_of(text):
        if view.text:
            start, end = view.span(0, len(view.text))
            assert 0 <= start < end <= len(text)
