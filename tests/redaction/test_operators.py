"""What stands in the place of a value: masks, keyed hashes, nothing."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction import Policy, Redactor
from redaction.errors import CannotReplace, PolicyError, RedactionError
from redaction.operators import OPERATORS, PLACEHOLDER, Context, make

CARD, TEXT = "4111 1111 1111 1111", "My card is 4111 1111 1111 1111, mail ann.lee@example.com."


class Keys:
    """Of a tenant, for tests."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant

    def derive(self, purpose: str) -> bytes:
        return hmac.digest(b"a test's secret", f"{self._tenant} {purpose}".encode(), hashlib.sha256)


BANK, OTHER = Context(keys=Keys("bank")), Context(keys=Keys("other"))


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor.from_policy()


def with_rules(redactor: Redactor, rules: str) -> Redactor:
    return redactor.with_policy(Policy.parse(f"name: mine\nextends: finance\nentities: {{{rules}}}"))


SUITS = {"fpe": "BANK_ACCOUNT", "date_shift": "DATE_TIME", "generalise": "AGE"}
"""A type for each action that does not suit PERSON."""


@pytest.mark.parametrize("action", OPERATORS.names())
@settings(deadline=None)
@given(value=st.text(min_size=1, max_size=40) | st.text("0123456789 -ABC", min_size=6, max_size=20))
def test_every_operator_says_the_same_of_the_same_and_never_the_value(action, value):
    type_, operator = SUITS.get(action, "PERSON"), make(action, {}, BANK)
    assert operator.unsuited(type_, operator.Options.model_validate({})) == ""
    operator.expect([(type_, value)])
    try:
        answer = operator.replace(type_, value)
    except RedactionError:
        assert action == "fpe"
        return
    assert operator.replace(type_, value) == answer
    assert make(action, {}, BANK).replace(type_, value) == answer
    if any(map(str.isalnum, value)):
        assert answer != value
    assert operator.reversible == (PLACEHOLDER.fullmatch(answer) is not None)


class TestMask:
    @pytest.mark.parametrize(
        ("type_", "options", "value", "answer"),
        [
            ("CREDIT_CARD", {"keep_last": 4}, CARD, "**** **** **** 1111"),
            ("CREDIT_CARD", {"keep_first": 6, "keep_last": 4}, CARD, "4111 11** **** 1111"),
            ("CREDIT_CARD", {"keep_first": 12, "keep_last": 12}, CARD, "4111 11** **** 1111"),
            ("IBAN_CODE", {"keep_first": 4, "char": "#"}, "DE89 3704 0044", "DE89 #### ####"),
            ("PERSON", {"keep_last": 64}, "Ann", "**n"),
            ("PERSON", {}, "Ann-Lee O'Hara", "***-*** *'****"),
            ("PERSON", {"keep_first": 2, "keep_last": 2}, "Ab", "*b"),
            ("PERSON", {}, "--", "**"),
        ],
    )
    def test_what_is_kept(self, type_, options, value, answer):
        assert make("mask", options, Context()).replace(type_, value) == answer

    @settings(deadline=None)
    @given(st.text(max_size=40), st.integers(0, 64), st.integers(0, 64))
    def test_never_more_than_half(self, value, first, last):
        answer = make("mask", {"keep_first": first, "keep_last": last}, Context()).replace("PERSON", value)
        shown = sum(a.isalnum() for a in answer)
        assert 2 * shown <= sum(map(str.isalnum, value))


class TestKeyedHash:
    @settings(deadline=None)
    @given(st.text(max_size=30), st.text(max_size=30))
    def test_values_types_and_tenants_differ(self, one, two):
        hashed = make("keyed_hash", {}, BANK)
        assert (hashed.replace("PERSON", one) == hashed.replace("PERSON", two)) == (one == two)
        assert hashed.replace("PERSON", one)[-25:] != hashed.replace("LOCATION", one)[-25:]
        assert hashed.replace("PERSON", one) != make("keyed_hash", {}, OTHER).replace("PERSON", one)

    def test_its_form(self):
        assert re.fullmatch(r"\[PERSON:[a-z2-7]{24}\]", make("keyed_hash", {}, BANK).replace("PERSON", "Ann"))
        assert len(make("keyed_hash", {"chars": 16}, BANK).replace("X", "Ann")) == 16 + len("[X:]")

    def test_without_a_key_nothing_is_passed_on(self, redactor):
        with pytest.raises(RedactionError, match="needs a key"):
            with_rules(redactor, "CREDIT_CARD: keyed_hash").redact(TEXT)


class TestInTexts:
    def test_each_type_has_its_own(self, redactor):
        rules = (
            "CREDIT_CARD: {action: mask, options: {keep_last: 4}}, EMAIL_ADDRESS: {action: drop, options: {word: '-'}}"
        )
        done = with_rules(redactor, rules).redact(TEXT)
        assert done.text == "My card is **** **** **** 1111, mail -."
        assert done.placeholders == {}
        assert done.action_counts == {"mask": 1, "drop": 1}

    def test_what_an_operator_wrote_is_no_leak(self, redactor):
        """The second look would refuse every text in which a hash or a mask looks like something."""
        own = with_rules(redactor, "CREDIT_CARD: keyed_hash, EMAIL_ADDRESS: {action: mask, options: {keep_first: 9}}")
        done = own.redact(TEXT, BANK)
        assert own.second_look(done) == []
        assert CARD not in done.text
        assert "keyed_hash" in done.action_counts

    @pytest.mark.parametrize(
        ("rules", "text", "redacted"),
        [
            ("PASSWORD: mask, PIN: mask", "my password: hunter2xyz, PIN 4321", "my password: **********, PIN ****"),
            ("PASSWORD: {action: drop, options: {word: XXX}}", "my password: hunter2xyz", "my password: XXX"),
            ("AGE: generalise", "aged 95", "aged 90+"),
            ("DATE_OF_BIRTH: generalise", "DOB 3/5/45", "DOB 1945"),
            ("ZIP_CODE: generalise", "ZIP code 03601", "ZIP code 000**"),
        ],
    )
    def test_short_answers_beside_a_cue_are_no_leak_either(self, redactor, rules, text, redacted):
        own = with_rules(redactor, rules)
        done = own.redact(text)
        assert done.text == redacted
        assert own.second_look(done) == []

    def test_what_looks_like_a_placeholder_refuses_the_text(self, redactor):
        """Presidio's replace of a type CASE_1 would be taken for the first value of a type CASE."""
        policy = Policy.parse(
            "name: mine\nextends: finance\nentities: {CASE_1: presidio, CASE: placeholder}\n"
            "deny: [{type: CASE_1, values: [bluefin]}, {type: CASE, values: [redfish]}]"
        )
        with pytest.raises(CannotReplace, match="looks like a placeholder"):
            redactor.with_policy(policy).redact("redfish and bluefin")

    def test_options_are_inherited_with_their_action_only(self, redactor):
        base = Policy.parse("name: a\nentities: {CREDIT_CARD: {action: mask, options: {keep_last: 4}}}")
        assert base.options("CREDIT_CARD") == {"keep_last": 4}
        assert base.options("PERSON") == {}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("{action: mask, options: {keep_lst: 4}}", "options of mask: keep_lst"),
        ("{action: mask, options: {keep_last: -1}}", "options of mask: keep_last"),
        ("{action: mask, options: {char: a}}", "options of mask: char"),
        ("{action: keyed_hash, options: {chars: 4}}", "options of keyed_hash: chars"),
        ("{action: drop, options: {word: '<PERSON_1>'}}", "options of drop: word"),
        ("{action: placeholder, options: {x: 1}}", "options of placeholder: x"),
        ("{action: keep, options: {x: 1}}", "options need the action"),
        ("{options: {keep_last: 4}}", "options need the action"),
        ("{action: shred}", "unknown action"),
        ("{action: date_shift}", "date_shift does not suit CREDIT_CARD: only dates"),
        ("{action: generalise}", "generalise does not suit CREDIT_CARD"),
        ("{action: generalise, options: {kind: amount}}", "kind is for types of your own"),
        ("{action: fpe, options: {keep_first: 6, keep_last: 4}}", "fpe does not suit CREDIT_CARD: .* at most 6 digits"),
        ("{action: presidio, options: {operator: shred}}", "options of presidio: operator"),
        ("{action: presidio, options: {operator: mask}}", "Presidio says: .*masking_char"),
        ("{action: presidio, options: {operator: hash, params: {salt: x}}}", "salt comes from the tenant's key"),
        ("{action: presidio, options: {params: {new_value: '<PERSON_1>'}}}", "could be taken for a placeholder"),
        ("{action: presidio, options: {params: {newvalue: x}}}", "does not know newvalue"),
    ],
)
def test_bad_options_are_told_with_their_place(rule, says):
    with pytest.raises(PolicyError, match=says) as refused:
        Policy.parse(f"name: mine\nentities:\n  CREDIT_CARD: {rule}")
    assert re.search("line [23]", str(refused.value))


@pytest.mark.parametrize("action", ["fpe", "surrogate", "date_shift", "generalise"])
def test_what_does_not_suit_every_type_is_no_default(action):
    with pytest.raises(PolicyError, match=f"{action} does not suit every type"):
        Policy.parse(f"name: mine\ndefault_action: {action}")
