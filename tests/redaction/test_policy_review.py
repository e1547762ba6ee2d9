"""Policies under review: what is remarked on, what a change makes weaker, and what becomes of each finding."""

from __future__ import annotations

import json

import pytest

from redaction.policy import resolve
from redaction.policy.check import check
from redaction.policy.diff import OTHERS, Kind, diff
from redaction.policy.explain import Outcome, explain_text, explain_types
from redaction.policy.resolve import known_types, resolve_text


def on_finance(text: str):
    return resolve_text("name: mine\nextends: finance\n" + text)


class TestCheck:
    def codes(self, text: str) -> list[str]:
        return [remark.code for remark in check(on_finance(text))]

    def test_the_built_in_policy_needs_no_remark(self):
        assert check(resolve("finance")) == []

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("entities: {PERSON: keep}", "confidential-kept"),
            ("switched_off: {types: [AGE]}", "confidential-kept"),
            ("switched_off: {recognizers: [iban]}", "recognizer-off"),
            ("score_threshold: 0.9", "high-threshold"),
            ("entities: {PERSON: {score_threshold: 0.9}}", "high-threshold"),
            ("allow: [{values: Acme, even_if_validated: true}]", "allows-proven"),
            ("allow: [{pattern: '[0-9]+'}]", "allows-widely"),
            ("allow: [{pattern: '[A-Za-z]+'}]", "allows-widely"),
            ("allow: [{pattern: 'DE[0-9 ]+'}]", "allows-identifiers"),
            ("allow: [Falcon]\ndeny: [{type: P, values: falcon}]", "lists-overlap"),
            ("allow: [Project Falcon]\ndeny: [{type: P, values: falcon}]", "lists-overlap"),
            ("allow: [{pattern: 'Fal.{3}'}]\ndeny: [{type: P, values: Falcon}]", "lists-overlap"),
            ("deny: [{type: PERSN, values: Falcon}]", "new-type"),
            ("deny: [{type: P, values: it}]", "short-value"),
            ("deny: [{type: P, pattern: '[a-z]+'}]", "denies-widely"),
        ],
    )
    def test_it_remarks_on_what_a_reviewer_should_see(self, text, code):
        assert code in self.codes(text)

    @pytest.mark.parametrize(
        "text",
        [
            "entities: {ISIN: placeholder}",
            "allow: [Acme Bank plc]",
            "allow: [{pattern: 'ACME-[0-9]{6}'}]",
            "allow: [Acme]\ndeny: [{type: PROJECT, values: [Falcon, Falcon Two]}]",
            "deny: [{type: CLIENT_ID, pattern: 'CL-[0-9]{8}'}]",
            "deny: [{type: P, values: IT, case: exact}]",
        ],
    )
    def test_it_leaves_what_is_in_order(self, text):
        assert self.codes(text) == []

    def test_it_never_quotes_a_list(self):
        remarks = check(on_finance("allow: [Falconer]\ndeny: [{type: P, values: [falconer, it]}]"))
        assert remarks
        assert "falconer" not in str(remarks).lower()


class TestDiff:
    def kinds(self, a: str, b: str) -> list[tuple[str, str]]:
        return [(change.kind, change.subject) for change in diff(on_finance(a), on_finance(b))]

    def test_a_policy_does_not_differ_from_itself(self):
        assert self.kinds("allow: [Acme]", "allow: [{values: [Acme], reason: public}]") == []

    @pytest.mark.parametrize(
        ("change", "subject"),
        [
            ("entities: {PERSON: keep}", "PERSON"),
            ("entities: {PERSON: {score_threshold: 0.6}}", "PERSON"),
            ("switched_off: {types: [AGE]}", "AGE"),
            ("switched_off: {recognizers: [iban]}", "recognizer iban"),
            ("score_threshold: 0.6", OTHERS),
            ("allow: [Acme]", "allow"),
        ],
    )
    def test_what_lets_more_through_is_weaker_and_its_reverse_stronger(self, change, subject):
        assert self.kinds("", change) == [(Kind.WEAKER, subject)]
        assert self.kinds(change, "") == [(Kind.STRONGER, subject)]

    def test_what_finds_more_is_stronger(self):
        assert self.kinds("", "deny: [{type: P, values: Falcon}]") == [(Kind.STRONGER, "deny")]
        assert self.kinds("deny: [{type: P, values: Falcon}]", "") == [(Kind.WEAKER, "deny")]
        assert self.kinds("", "entities: {ISIN: placeholder}") == [(Kind.STRONGER, "ISIN")]

    def test_an_allowed_value_that_may_be_proven_is_weaker(self):
        kinds = self.kinds("allow: [Acme]", "allow: [{values: Acme, even_if_validated: true}]")
        assert (Kind.WEAKER, "allow") in kinds

    def test_limits_only_differ(self):
        changed = self.kinds("", "budget_ms: 50\nmax_chars: 1000")
        assert changed == [(Kind.CHANGED, "budget_ms"), (Kind.CHANGED, "max_chars")]

    def test_the_weaker_comes_first(self):
        kinds = [kind for kind, _ in self.kinds("allow: [A]", "budget_ms: 5\nallow: [B]")]
        assert kinds == [Kind.WEAKER, Kind.STRONGER, Kind.CHANGED]

    def test_it_never_quotes_a_list(self):
        changes = diff(on_finance("allow: [Falconer]"), on_finance("deny: [{type: P, pattern: 'Falconer-[0-9]+'}]"))
        assert [change.kind for change in changes] == ["stronger", "stronger"]
        assert "Falconer" not in str(changes)


class TestExplain:
    def facts(self, text: str, type_: str):
        return next(fact for fact in explain_types(on_finance(text)) if fact.type == type_)

    def test_a_type_says_its_rule_where_it_stands_and_who_finds_it(self):
        fact = self.facts("entities:\n  IBAN_CODE: {score_threshold: 0.6}\n", "IBAN_CODE")
        assert (fact.action, fact.threshold, fact.said_by) == ("placeholder", 0.6, "policy:4")
        assert "iban" in fact.found_by
        assert self.facts("", "PERSON").said_by.startswith("finance:")

    def test_what_is_off_shows(self):
        fact = self.facts("switched_off: {types: [AGE], recognizers: [iban]}", "AGE")
        assert (fact.action, fact.threshold, fact.said_by) == ("off", None, "policy:3")
        assert "iban" not in self.facts("switched_off: {recognizers: [iban]}", "IBAN_CODE").found_by

    def test_a_type_says_which_entries_concern_it(self):
        lists = "allow: [{values: Acme, types: [ORGANIZATION]}, Bravo]\ndeny: [{type: PROJECT, values: Falcon}]"
        assert self.facts(lists, "ORGANIZATION").allow == (0, 1)
        assert self.facts(lists, "PERSON").allow == (1,)
        assert self.facts(lists, "PROJECT").deny == (0,)

    def test_it_covers_every_known_type(self):
        assert {fact.type for fact in explain_types(resolve("finance"))} == known_types()

    def test_a_text_says_what_becomes_of_each_finding_and_why(self, redactor):
        """The real redactor."""
        resolved = on_finance(
            "allow: [{values: ops@example.com, even_if_validated: true}, DE89 3704 0044 0532 0130 00]\n"
            "deny: [{type: PROJECT, values: Falcon}]\nswitched_off: {types: [CREDIT_CARD]}\n"
        )
        text = (
            "ops@example.com pays DE89 3704 0044 0532 0130 00 for falcon, card 4111 1111 1111 1111, ISIN US0378331005"
        )
        findings = {text[f.detection.start : f.detection.end]: f for f in explain_text(resolved, redactor, text)}
        allowed = findings["ops@example.com"]
        assert (allowed.outcome, allowed.why) == (Outcome.DROPPED, "allow 0 (policy:3)")
        iban = findings["DE89 3704 0044 0532 0130 00"]
        assert iban.outcome is Outcome.REPLACED
        assert "proven" in iban.why
        assert "even_if_validated" in iban.why
        assert (findings["falcon"].outcome, findings["falcon"].detection.type) == (Outcome.REPLACED, "PROJECT")
        assert findings["4111 1111 1111 1111"].why == "type CREDIT_CARD is switched off"
        assert findings["4111 1111 1111 1111"].threshold is None

    def test_explaining_agrees_with_redacting(self, redactor):
        resolved = on_finance("entities: {PERSON: keep, IBAN_CODE: {score_threshold: 0.9}}\nallow: [London]\n")
        text = "Ada Lovelace of London, born 10 December 1815, DE89 3704 0044 0532 0130 00, mail ada@example.com"
        findings = explain_text(resolved, redactor, text)
        replaced = [f.detection for f in findings if f.outcome is Outcome.REPLACED]
        assert replaced == list(redactor.with_policy(resolved.policy).redact(text).detections)

    def test_a_finding_says_nothing_of_the_text(self, redactor):
        findings = explain_text(resolve("finance"), redactor, "DE89 3704 0044 0532 0130 00")
        assert findings
        assert "3704" not in json.dumps([str(finding) for finding in findings])
