"""Policies: what is refused, and that every refusal says where."""

from __future__ import annotations

import pytest

from redaction import Policy, Redactor
from redaction.errors import ModelMissing, PolicyError

GOOD = "version: 1\nname: mine\nentities:\n  PERSON: placeholder\n  DATE_TIME: {action: keep, score_threshold: 0.8}\n"


def test_the_built_in_policy_keeps_dates_and_replaces_what_points_at_somebody():
    policy = Policy.builtin()
    assert policy.kept == {"DATE_TIME"}
    assert {policy.action(t) for t in ("PERSON", "DATE_OF_BIRTH", "IBAN_CODE", "ORGANIZATION")} == {"placeholder"}
    assert policy.threshold("PERSON") == 0.35


def test_a_type_nobody_thought_of_is_replaced():
    assert Policy.parse(GOOD).action("NEVER_HEARD_OF") == "placeholder"


def test_a_threshold_can_be_set_per_type():
    policy = Policy.parse(GOOD)
    assert (policy.threshold("DATE_TIME"), policy.threshold("PERSON")) == (0.8, 0.35)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("surprise: 1", "surprise"),
        ("default_action: keep", "default_action"),
        ("default_action: shred", "default_action.*known: keep, placeholder"),
        ("score_threshold: 2", "score_threshold"),
        ("language: de", "language"),
        ("name: again", "line 6.*name.*twice"),
        ("  EMAIL_ADDRESS: shred", "entities.EMAIL_ADDRESS.action.*known: keep, placeholder"),
        ("  EMAIL_ADDRESS: {action: keep, colour: red}", "entities.EMAIL_ADDRESS.colour"),
        ("  LITERAL: keep", "LITERAL cannot be configured"),
        ("  person: keep", "'person' is no type name"),
        ("  ? [a]\n  : keep", "line 6"),
        ("\t", "line 6"),
    ],
)
def test_a_wrong_policy_is_refused_and_the_message_says_where(tmp_path, change, where):
    file = tmp_path / "policy.yaml"
    file.write_text(GOOD + change + "\n", "utf-8")
    with pytest.raises(PolicyError, match=f"(?s)policy.yaml.*{where}"):
        Policy.load(file)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff", b"- a list", b""])
def test_an_unreadable_policy_is_refused(tmp_path, content):
    file = tmp_path / "policy.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PolicyError, match=r"policy\.yaml"):
        Redactor.from_policy(str(file))


def test_the_digest_is_that_of_the_meaning_not_of_the_file():
    reordered = "entities: {DATE_TIME: {score_threshold: 0.8, action: keep}, PERSON: placeholder}\nname: mine\n"
    assert Policy.parse(GOOD).digest == Policy.parse(reordered).digest
    assert Policy.parse(GOOD).digest != Policy.parse(GOOD.replace("0.8", "0.81")).digest
    assert len(Policy.builtin().digest) == 64


def test_a_missing_model_names_the_command_that_gets_it(tmp_path):
    with pytest.raises(ModelMissing, match="finslm models pull rampart"):
        Redactor.from_policy(models_dir=tmp_path)
