"""What is kept without a map: no key undoes it, and redacting it again changes nothing."""

from __future__ import annotations

import pytest

from redaction import Policy
from redaction.for_good import for_good, known_placeholders_kept, one_way

KEYED = """
version: 1
name: keyed
default_action: keyed_hash
entities:
  PERSON: surrogate
  CREDIT_CARD: {action: fpe, score_threshold: 0.5}
  DATE_TIME: date_shift
  IBAN_CODE: mask
  CVV: drop
  AGE: {action: generalise}
  URL: keep
"""


def test_only_what_no_key_undoes_stays_as_the_policy_has_it():
    policy = one_way(Policy.parse(KEYED))
    actions = {type_: policy.action(type_) for type_ in (*policy.entities, "PHONE_NUMBER")}
    assert actions == {
        "PERSON": "placeholder",
        "CREDIT_CARD": "placeholder",
        "DATE_TIME": "placeholder",
        "IBAN_CODE": "mask",
        "CVV": "drop",
        "AGE": "generalise",
        "URL": "keep",
        "PHONE_NUMBER": "placeholder",
    }
    assert policy.threshold("CREDIT_CARD") == 0.5


def test_a_policy_of_placeholders_is_left_as_it_is(redactor):
    assert for_good(redactor) is redactor


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Tell <PERSON_1> and <PERSON_12>.", "Tell <PERSON_1> and <PERSON_12>."),
        ("Tell <PERSON_3_7H3KQ2ZD>.", "Tell <PERSON_3>."),
        ("Card <CREDIT_CARD_1>, <UK_SORT_CODE_2>.", "Card <CREDIT_CARD_1>, <UK_SORT_CODE_2>."),
        ("<MARGARET_HOLLOWAY_1> <PERSON_4111> <CARD_4111111111111111>", "<LITERAL_1> <LITERAL_2> <LITERAL_3>"),
        ("<PERSON_4111_41111111>", "<LITERAL_1>"),
    ],
)
def test_placeholders_stay_and_lookalikes_go(redactor, text, kept):
    once = known_placeholders_kept(redactor.redact(text))
    assert once == kept
    assert known_placeholders_kept(redactor.redact(once)) == once


def test_redacting_again_changes_nothing(redactor):
    text = "I am Margaret Holloway, IBAN DE89 3704 0044 0532 0130 00, mail m.holloway@example.com."
    once = redactor.redact(text).text
    assert known_placeholders_kept(redactor.redact(once)) == once
