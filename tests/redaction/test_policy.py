"""Policies: what is refused and that every refusal says where; what a policy inherits; what it says of itself."""

from __future__ import annotations

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from redaction import Policy, Redactor
from redaction.errors import PolicyError
from redaction.operators import OPERATORS
from redaction.policy import KEEP, builtin_names, resolve
from redaction.policy.known import all_finders, finders
from redaction.policy.resolve import MAX_LAYERS, known_types, resolve_text
from redaction.policy.schema import SCHEMA_FILE, rendered, schema

GOOD = "version: 1\nname: mine\nentities:\n  PERSON: placeholder\n  DATE_TIME: {action: keep, score_threshold: 0.8}\n"
SECURITIES = {"ISIN", "CUSIP", "SEDOL", "WKN", "FIGI", "LEI"}


def on_finance(text: str):
    return resolve_text("name: mine\nextends: finance\n" + text)


class TestBuiltin:
    def test_it_keeps_dates_and_securities_and_replaces_what_points_at_somebody(self):
        policy = Policy.builtin()
        assert policy.kept == {"DATE_TIME", *SECURITIES}
        replaced = ("PERSON", "DATE_OF_BIRTH", "IBAN_CODE", "ORGANIZATION", "UK_SORT_CODE", "CVV", "SECRET", "US_SSN")
        assert {policy.action(t) for t in replaced} == {"placeholder"}
        assert policy.threshold("PERSON") == 0.35

    def test_it_names_every_type_that_anything_finds(self):
        """A new type is protected at once; that somebody has decided on it shows here."""
        assert set(all_finders()) - set(Policy.builtin().entities) == set()

    def test_a_type_nobody_thought_of_is_replaced(self):
        assert Policy.parse(GOOD).action("NEVER_HEARD_OF") == "placeholder"

    def test_it_is_known_by_its_name(self):
        assert builtin_names() == ["finance"]
        assert resolve("finance").policy == Policy.builtin()


class TestReading:
    def test_a_threshold_can_be_set_per_type(self):
        policy = Policy.parse(GOOD)
        assert (policy.threshold("DATE_TIME"), policy.threshold("PERSON")) == (0.8, 0.35)

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ("surprise: 1", "line 6: surprise: unknown key"),
            ("langages: [en]", "line 6: langages: unknown key; did you mean languages"),
            ("default_action: keep", "line 6: default_action"),
            ("default_action: shred", "default_action.*known: .*keep.*placeholder"),
            ("default_action: placehodler", "default_action.*did you mean placeholder"),
            ("score_threshold: 2", "score_threshold"),
            ("score_threshold: .nan", "score_threshold"),
            ("languages: [xx]", "languages.*'xx'.*known: en"),
            ("languages: []", "languages: at least one"),
            ("budget_ms: 0", "budget_ms"),
            ("max_chars: -1", "max_chars"),
            ("name: again", "line 6.*name.*twice"),
            ("  EMAIL_ADDRESS: shred", "line 6: entities.EMAIL_ADDRESS.action.*known: .*keep.*placeholder"),
            ("  EMAIL_ADDRESS: {action: keep, colour: red}", "line 6: entities.EMAIL_ADDRESS.colour: unknown key"),
            ("  EMAIL_ADRESS: keep", "line 6: entities.EMAIL_ADRESS: no type.*did you mean EMAIL_ADDRESS"),
            ("  LITERAL: keep", "LITERAL cannot be configured"),
            ("  person: keep", "'person' is no type name"),
            ("switched_off: {types: [IBAN_COD]}", "line 6: switched_off.types: no type.*IBAN_CODE"),
            ("switched_off: {recognizers: [ibann]}", "line 6: switched_off.recognizers: no recognizer.*iban"),
            ("switched_off: {types: [LITERAL]}", "LITERAL cannot be configured"),
            ("allow: [{values: x, types: [PERSN]}]", "line 6: allow.0.types: no type.*PERSON"),
            ("allow: [{values: x, pattern: y}]", "line 6: allow.0: give either"),
            ("allow: [{types: [PERSON]}]", "line 6: allow.0: give either"),
            ("allow: ['--']", "line 6: allow.0.values: value 0 has no letter"),
            ("allow: [{pattern: 'a(?=b)'}]", "line 6: allow.0: the pattern is not RE2"),
            ("allow: [{pattern: '(a'}]", "not RE2"),
            ("allow: [{pattern: 'a*'}]", "matches the empty string"),
            ("allow: [{pattern: '(?s).+'}]", "matches everything"),
            (r"allow: [{pattern: '\w+'}]", "matches everything"),
            (r"allow: [{pattern: '\S{4,}'}]", "matches everything"),
            ("allow: [{values: x, case: maybe}]", "allow.0.case"),
            ("deny: [{values: x}]", "line 6: deny.0.type"),
            ("deny: [x]", "line 6: deny.0"),
            ("deny: [{type: PROJECT, values: [12]}]", "deny.0.values"),
            ("deny: [{type: DATE_TIME, values: x}]", "DATE_TIME, kept or switched off"),
            ("extends: finace", "line 6: extends.*did you mean finance.*known: finance"),
            ("extends: [finance]", "line 6: extends: the name or the path"),
            ("extends: nothing.yaml", "nothing.yaml"),
            ("  ? [a]\n  : keep", "line 6"),
            ("\t", "line 6"),
        ],
    )
    def test_a_wrong_policy_is_refused_and_the_message_says_where(self, tmp_path, change, where):
        file = tmp_path / "policy.yaml"
        file.write_text(GOOD + change + "\n", "utf-8")
        with pytest.raises(PolicyError, match=f"(?s)policy.yaml.*{where}"):
            Policy.load(file)

    @pytest.mark.parametrize("content", [None, b"\xff\xfe\xff", b"- a list", b"", b"a: &a [*a]\nname: x\n"])
    def test_an_unreadable_policy_is_refused(self, tmp_path, content):
        file = tmp_path / "policy.yaml"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(PolicyError, match=r"policy\.yaml"):
            Redactor.from_policy(str(file))

    def test_an_error_never_quotes_a_list(self):
        """A deny list names clients; an error may end in a log."""
        for entry in ("{type: CLIENT, values: [Falconer, '']}", "{type: CLIENT, pattern: 'Falconer('}", "Falconer"):
            with pytest.raises(PolicyError) as caught:
                Policy.parse(f"name: mine\ndeny: [{entry}]\n")
            assert "Falconer" not in str(caught.value)

    def test_a_type_that_the_deny_list_gives_is_known(self):
        policy = Policy.parse("name: mine\ndeny: [{type: PROJECT, values: Falcon}]\nentities: {PROJECT: placeholder}\n")
        assert policy.action("PROJECT") == "placeholder"

    def test_what_is_registered_now_is_known(self):
        """Computed when asked: a recognizer of tomorrow brings its types along."""
        assert set(finders()) <= known_types()
        assert "PERSON" in known_types()

    @given(st.text(max_size=200))
    def test_any_text_is_a_policy_or_a_policy_error(self, text):
        try:
            assert Policy.parse(text).name
        except PolicyError as error:
            assert str(error).startswith("policy")


class TestDigest:
    def test_it_is_that_of_the_meaning_not_of_the_file(self):
        reordered = "entities: {DATE_TIME: {score_threshold: 0.8, action: keep}, PERSON: placeholder}\nname: mine\n"
        assert Policy.parse(GOOD).digest == Policy.parse(reordered).digest
        assert Policy.parse(GOOD).digest != Policy.parse(GOOD.replace("0.8", "0.81")).digest
        assert len(Policy.builtin().digest) == 64

    def test_it_covers_what_is_extended(self, tmp_path):
        """The same file on another base is another policy."""
        top, base = tmp_path / "top.yaml", tmp_path / "base.yaml"
        top.write_text("name: top\nextends: base.yaml\n", "utf-8")
        base.write_text("name: base\nscore_threshold: 0.4\n", "utf-8")
        first = Policy.load(top).digest
        base.write_text("name: base\nscore_threshold: 0.5\n", "utf-8")
        assert Policy.load(top).digest != first

    @pytest.mark.parametrize(
        "change",
        [
            "switched_off: {types: [AGE]}",
            "switched_off: {recognizers: [iban]}",
            "allow: [Acme]",
            "deny: [{type: P, values: Falcon}]",
            "budget_ms: 50",
            "max_chars: 50",
        ],
    )
    def test_every_part_counts(self, change):
        assert on_finance(change).policy.digest != on_finance("").policy.digest


class TestExtends:
    def test_what_is_not_said_is_inherited(self):
        policy = on_finance("entities: {IBAN_CODE: {score_threshold: 0.6}, LEI: placeholder}").policy
        assert policy.name == "mine"
        assert (policy.action("IBAN_CODE"), policy.threshold("IBAN_CODE")) == ("placeholder", 0.6)
        assert policy.kept == {"DATE_TIME", *SECURITIES} - {"LEI"}

    def test_an_action_is_inherited_where_only_a_threshold_is_said(self):
        assert on_finance("entities: {DATE_TIME: {score_threshold: 0.6}}").policy.action("DATE_TIME") == KEEP

    def test_lists_and_what_is_off_add_up(self, tmp_path):
        """A desk cannot switch on what the bank switched off, nor drop what the bank denies."""
        bank, desk = tmp_path / "bank.yaml", tmp_path / "desk" / "desk.yaml"
        desk.parent.mkdir()
        bank.write_text(
            "name: bank\nextends: finance\nallow: [Acme]\ndeny: [{type: P, values: Falcon}]\n"
            "switched_off: {types: [AGE]}\n",
            "utf-8",
        )
        desk.write_text(
            "name: desk\nextends: ../bank.yaml\nallow: [Bravo]\ndeny: [{type: P, values: Eagle}]\n"
            "switched_off: {types: [NRP]}\nentities: {AGE: placeholder}\n",
            "utf-8",
        )
        resolved = resolve(desk)
        policy = resolved.policy
        assert [entry.values for entry in (*policy.allow, *policy.deny)] == [
            ("Acme",), ("Bravo",), ("Falcon",), ("Eagle",),
        ]  # fmt: skip
        assert policy.switched_off.types == ("AGE", "NRP")
        assert policy.threshold("AGE") > 1
        assert [layer.rpartition("/")[2] for layer in resolved.layers] == ["finance", "bank.yaml", "desk.yaml"]
        assert [origin.rpartition("/")[2] for origin in resolved.allow_origins] == ["bank.yaml:3", "desk.yaml:3"]
        assert resolved.origins["AGE"].endswith("bank.yaml:5")
        assert resolved.origins["PERSON"].startswith("finance:")

    def test_a_circle_is_refused(self, tmp_path):
        (tmp_path / "a.yaml").write_text("name: a\nextends: b.yaml\n", "utf-8")
        (tmp_path / "b.yaml").write_text("name: b\nextends: a.yaml\n", "utf-8")
        with pytest.raises(PolicyError, match=r"b\.yaml: line 2: extends: a circle"):
            resolve(tmp_path / "a.yaml")

    def test_a_tower_is_refused(self, tmp_path):
        for number in range(MAX_LAYERS + 1):
            text = f"name: p{number}\nextends: p{number + 1}.yaml\n"
            (tmp_path / f"p{number}.yaml").write_text(text, "utf-8")
        with pytest.raises(PolicyError, match=f"more than {MAX_LAYERS}"):
            resolve(tmp_path / "p0.yaml")

    def test_text_without_a_folder_extends_built_in_policies_only(self):
        with pytest.raises(PolicyError, match="extends: no built-in policy"):
            Policy.parse("name: mine\nextends: /etc/passwd\n")

    def test_an_error_below_names_the_file_below(self, tmp_path):
        (tmp_path / "a.yaml").write_text("name: a\nextends: b.yaml\n", "utf-8")
        (tmp_path / "b.yaml").write_text("name: b\nentities:\n  PERSN: keep\n", "utf-8")
        with pytest.raises(PolicyError, match=r"b\.yaml: line 3: entities\.PERSN"):
            resolve(tmp_path / "a.yaml")


class TestSwitchedOff:
    def test_a_type_that_is_off_is_dropped_and_stays_in_the_text(self):
        policy = on_finance("switched_off: {types: [AGE]}").policy
        assert policy.threshold("AGE") > 1
        assert policy.action("AGE") == KEEP
        assert "AGE" in policy.kept


class TestSchema:
    def test_the_file_is_up_to_date(self):
        """``python -m redaction.policy.schema`` writes it."""
        assert SCHEMA_FILE.read_text("utf-8") == rendered()

    def test_it_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(schema())
        rule = schema()["$defs"]["EntityRule"]["anyOf"][0]["enum"]
        assert rule == [KEEP, *OPERATORS.names()]

    @pytest.mark.parametrize("name", builtin_names())
    def test_the_built_in_policies_keep_it(self, name):
        text = (SCHEMA_FILE.parent / f"{name}.yaml").read_text("utf-8")
        jsonschema.validate(yaml.safe_load(text), schema())

    @pytest.mark.parametrize(
        ("text", "good"),
        [
            (GOOD, True),
            ("name: a\nextends: finance\nallow: [Acme, {values: [A, B], types: [PERSON], reason: public}]", True),
            ("name: a\ndeny: [{type: P, pattern: 'P-[0-9]+', case: exact}]\nbudget_ms: 5\nmax_chars: 9", True),
            ("name: a\nswitched_off: {types: [AGE], recognizers: [iban]}\nlanguages: [en]", True),
            ("extends: finance", False),
            ("name: a\nextends: 5", False),
            ("name: a\nsurprise: 1", False),
            ("name: a\nentities: {PERSON: shred}", False),
            ("name: a\nentities: {LITERAL: keep}", False),
            ("name: a\ndefault_action: keep", False),
            ("name: a\nlanguages: [xx]", False),
            ("name: a\nallow: [{values: a, pattern: b}]", False),
            ("name: a\nallow: [{types: [PERSON]}]", False),
            ("name: a\ndeny: [{values: a}]", False),
            ("name: a\nbudget_ms: 0", False),
            ("name: a\nscore_threshold: 3", False),
        ],
    )
    def test_it_and_the_program_agree(self, text, good):
        try:
            jsonschema.validate(yaml.safe_load(text), schema())
            valid = True
        except jsonschema.ValidationError:
            valid = False
        assert valid is good
        try:
            Policy.parse(text)
            read = True
        except PolicyError:
            read = False
        assert read is good
