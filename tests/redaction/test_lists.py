"""A policy's lists at work: what is denied is found, what is allowed goes, and what is proven does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction import Detection, Policy
from redaction.lists import DENY, AllowList, DenyList, lists_of
from redaction.policy import LITERAL, DenyEntry
from tests.pace import assert_linear, cpu_s


def policy(text: str) -> Policy:
    return Policy.parse(f"name: mine\n{text}")


def denied(entries: str, text: str) -> list[tuple[str, str]]:
    found = DenyList(policy(f"deny: {entries}")).detect(text)
    return [(d.type, text[d.start : d.end]) for d in found]


class TestDenyList:
    @pytest.mark.parametrize(
        ("entry", "text", "found"),
        [
            ("values: Project Falcon", "on PROJECT falcon now", ["PROJECT falcon"]),
            ("values: Project Falcon", "project\n  falcon", ["project\n  falcon"]),
            ("values: Project Falcon", "project-falcon, project_falcon", ["project-falcon", "project_falcon"]),
            ("values: Project Falcon", "project ... and a falcon", []),
            ("values: Falcon", "falconry Falcon5 xfalcon", []),
            ("values: Falcon", "(falcon) 'falcon's falcon", ["falcon", "falcon", "falcon"]),
            ("values: IT, case: exact", "it is IT", ["IT"]),
            ("values: [Falcon, Falcon Two]", "falcon two, falcon", ["falcon two", "falcon"]),
            ("values: Straße", "STRASSE straße", ["STRASSE", "straße"]),
            ("values: O'Brien & Co.", "for O’Brien & Co today", ["O’Brien & Co"]),
            ("values: 猎鹰", "项目猎鹰启动", ["猎鹰"]),
            ("values: Ｆａｌｃｏｎ", "falcon", ["falcon"]),
            ("pattern: 'CL-[0-9]{8}'", "see cl-12345678.", ["cl-12345678"]),
            ("pattern: 'CL-[0-9]{8}', case: exact", "see cl-12345678, CL-12345678", ["CL-12345678"]),
            (r"pattern: '\bX[0-9]+'", "X1 aX2 ÄX3", ["X1", "X3"]),
        ],
    )
    def test_values_and_patterns_are_found_as_they_are_written(self, entry, text, found):
        assert denied(f"[{{type: P, {entry}}}]", text) == [("P", value) for value in found]

    def test_a_finding_is_proven(self):
        """So that nothing else names it, and the second look sees it."""
        (found,) = DenyList(policy("deny: [{type: P, values: Falcon}]")).detect("a falcon")
        assert found == Detection(2, 8, "P", 1.0, DENY, validated=True)

    def test_each_entry_gives_its_type(self):
        entries = "[{type: P, values: Falcon}, {type: Q, pattern: 'Q-[0-9]+'}, {type: R, values: Eagle, case: exact}]"
        assert sorted(denied(entries, "Q-1 Falcon Eagle")) == [("P", "Falcon"), ("Q", "Q-1"), ("R", "Eagle")]

    def test_the_version_is_that_of_the_list(self):
        one, two = (DenyList(policy(f"deny: [{{type: P, values: {v}}}]")).version for v in ("Falcon", "Eagle"))
        assert one != two

    @pytest.mark.parametrize("unit", ["a ", "a", "a b ", "-", "\u0301"])
    def test_hostile_text_takes_linear_time(self, unit):
        values = ", ".join(["a " * n + "b" for n in range(1, 100)])
        found = DenyList(policy(f"deny: [{{type: P, values: [{values}]}}, {{type: P, pattern: '(a+ ?)+b'}}]"))
        assert_linear(lambda size: found.detect(unit * (size // len(unit))), 5_000, 40_000)

    def test_a_hundred_thousand_clients_are_looked_for_in_one_pass(self):
        def of(clients):
            entry = DenyEntry(type="CLIENT", values=tuple(f"Client{n} Holdings" for n in clients))
            return DenyList(Policy(name="mine", deny=(entry,)))

        one, many = of([99_999]), of(range(100_000))
        text = "We met Client99999 Holdings today. " * 1000
        assert len(many.detect(text)) == 1000
        alone, among = cpu_s(lambda: one.detect(text), lambda: many.detect(text))
        assert among < 5 * alone

    @given(st.text(max_size=80), st.text(max_size=80))
    def test_a_value_between_words_is_always_found(self, before, after):
        found = DenyList(policy("deny: [{type: P, values: Project Falcon}]"))
        text = f"{before} project falcon {after}"
        start = len(before) + 1
        assert Detection(start, start + 14, "P", 1.0, DENY, validated=True) in found.detect(text)


class TestAllowList:
    def drops(self, allow: str, value: str, type_: str = "ORGANIZATION", **more) -> bool:
        detection = Detection(0, len(value), type_, 0.9, "names", **more)
        return AllowList(policy(allow)).drops(detection, value)

    @pytest.mark.parametrize(
        ("allow", "value", "drops"),
        [
            ("[Acme Bank]", "Acme Bank", True),
            ("[Acme Bank]", "Acme \n Bank", True),
            ("[Acme Bank]", "ACME BANK", False),
            ("[{values: Acme Bank, case: ignore}]", "ACME bank", True),
            ("[Acme Bank]", "Acme Bank 4111", False),
            ("[Acme Bank]", "Acme", False),
            ("[José]", "Jose\u0301", True),
            ("[Acme]", "Аcme", False),  # a Cyrillic A
            ("[{values: [Acme, Bravo]}]", "Bravo", True),
            ("[{pattern: 'ACME-[0-9]{6}'}]", "ACME-123456", True),
            ("[{pattern: 'ACME-[0-9]{6}'}]", "ACME-1234567", False),
            ("[{pattern: 'ACME-[0-9]{6}'}]", "acme-123456", False),
            ("[{pattern: 'ACME-[0-9]{6}', case: ignore}]", "acme-123456", True),
            ("[{values: Acme, types: [PERSON]}]", "Acme", False),
            ("[{values: Acme, types: [ORGANIZATION, PERSON]}]", "Acme", True),
            ("[{pattern: 'A.me', types: [PERSON]}]", "Acme", False),
        ],
    )
    def test_only_the_whole_value_in_the_given_form_and_type_goes(self, allow, value, drops):
        assert self.drops(f"allow: {allow}", value) is drops

    def test_what_is_proven_stays_unless_the_entry_says_so(self):
        iban = "DE89370400440532013000"
        assert not self.drops(f"allow: [{iban}]", iban, "IBAN_CODE", validated=True)
        allow = f"allow: [{{values: {iban}, even_if_validated: true}}]"
        assert self.drops(allow, iban, "IBAN_CODE", validated=True)

    def test_what_is_denied_is_never_allowed(self):
        allowed = AllowList(policy("allow: [{values: Falcon, even_if_validated: true}]"))
        assert not allowed.drops(Detection(0, 6, "P", 1.0, DENY, validated=True), "Falcon")

    def test_a_placeholder_lookalike_is_never_allowed(self):
        text = "<PERSON_1>"
        allowed = AllowList(policy("allow: [{values: '<PERSON_1>', even_if_validated: true}]"))
        assert not allowed.drops(Detection(0, 10, LITERAL, 1.0, "literal", validated=True), text)

    def test_what_is_switched_off_goes(self):
        off = AllowList(policy("switched_off: {types: [AGE], recognizers: [iban]}"))
        assert off.drops(Detection(0, 2, "AGE", 0.9, "age"), "44")
        assert off.drops(Detection(0, 2, "IBAN_CODE", 1.0, "iban", validated=True), "x1")
        assert not off.drops(Detection(0, 2, "IBAN_CODE", 1.0, "other"), "x1")

    @given(st.text(max_size=50))
    def test_no_value_breaks_it(self, value):
        allowed = AllowList(policy("allow: [Acme, {pattern: 'A-[0-9]+', case: ignore}]"))
        assert not allowed.drops(Detection(0, len(value), "PERSON", 0.9, "names"), f"{value}\ud800")


class TestInTheRedactor:
    """The real redactor under a policy with lists."""

    def redact(self, redactor, text: str, lists: str) -> str:
        made = redactor.with_policy(policy(f"extends: finance\n{lists}"))
        redacted = made.redact(text)
        assert made.restore(redacted.text, redacted) == text
        assert made.second_look(redacted) == []
        return redacted.text

    def test_a_denied_value_gets_its_placeholder_and_comes_back(self, redactor):
        lists = "deny: [{type: PROJECT, values: Project Falcon}]"
        assert self.redact(redactor, "On project falcon again", lists) == "On <PROJECT_1> again"

    def test_a_denied_value_is_found_behind_unicode_tricks(self, redactor):
        """Full width, zero width: the lists see the same views as every detector."""
        lists = "deny: [{type: PROJECT, values: Falcon}]"
        assert self.redact(redactor, "the Ｆａｌ\u200bｃｏｎ deal", lists) == "the <PROJECT_1> deal"

    def test_an_allowed_proven_value_stays_only_when_told_so(self, redactor):
        text, iban = "pay DE89370400440532013000 now", "DE89370400440532013000"
        assert self.redact(redactor, text, f"allow: [{iban}]") == "pay <IBAN_CODE_1> now"
        assert self.redact(redactor, text, f"allow: [{{values: {iban}, even_if_validated: true}}]") == text

    def test_a_type_that_is_off_stays(self, redactor):
        text = "pay DE89370400440532013000 now"
        assert self.redact(redactor, text, "switched_off: {types: [IBAN_CODE]}") == text

    def test_a_policy_without_lists_brings_nothing(self):
        assert lists_of(Policy.builtin()) == ((), None)
