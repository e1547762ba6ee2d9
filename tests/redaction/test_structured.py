"""Documents by structure, with recognizers and a crude detector of names: what they say and that they come back."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redaction import Detection, Policy, RawText
from redaction.detection import merge
from redaction.errors import DetectionFailed, RedactionError
from redaction.operators import OPERATORS, Placeholder
from redaction.recognizers.scan import Recognizers
from redaction.structured import DocumentTooLarge, Kind, find, parse, redact_document, restore_document
from redaction.structured import document as document_module
from redaction.structured.fields import Field, words
from tests.pace import assert_linear

PLACEHOLDER = r"<[A-Z][A-Z0-9_]*_[0-9]+>"
WORDS = re.compile(r"\b[A-Z]\w+(?: [A-Z]\w+)*")


class Analyzer:
    """All recognizers, and every capitalised word is a name; what it was asked is kept."""

    policy = Policy.builtin()
    scan = Recognizers()

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or self.policy
        self.asked: list[str] = []

    def analyze_batch(self, texts):
        self.asked = list(texts)
        return [self._one(str(text)) for text in texts]

    def _one(self, text):
        names = [Detection(*m.span(), "PERSON", 0.6, "words") for m in WORDS.finditer(text)]
        patterns = [d for d in self.scan.detect(text.encode("utf-8", "replace").decode()) if d.score >= 0.35]
        return merge(names + patterns, yielding=self.policy.kept)


def redacted(document, form="auto"):
    done = redact_document(Analyzer(), document, form)
    assert restore_document(done.text, done) == document
    return done


CARD = "4111111111111111"
IBAN = "DE89370400440532013000"


class TestJson:
    def test_a_bare_number_becomes_a_string_and_comes_back_bare(self):
        done = redacted('{"card": 4111111111111111, "as text": "4111111111111111", "amount": 12.50}')
        assert done.format == "json"
        assert done.text == '{"card": "<CREDIT_CARD_1>", "as text": "<CREDIT_CARD_2>", "amount": 12.50}'
        assert restore_document('["<CREDIT_CARD_1>", "<CREDIT_CARD_2>"]', done) == f'[{CARD}, "{CARD}"]'
        assert (
            restore_document('{"note": "charged <CREDIT_CARD_1> twice"}', done) == f'{{"note": "charged {CARD} twice"}}'
        )

    def test_the_key_is_the_cue_in_any_spelling(self):
        for key in ("sort_code", "sortCode", "Sort Code", "SORT-CODE"):
            assert redacted(json.dumps({key: "20-00-00"})).entity_counts == {"UK_SORT_CODE": 1}, key
        assert redacted('{"bic": "DEUTDEFF"}').entity_counts == {"BIC": 1}

    def test_the_path_gives_a_general_key_its_meaning(self):
        assert redacted('{"customer": {"name": "jun wu"}}').entity_counts == {"PERSON": 1}
        assert redacted('{"employer": {"name": "acme"}}').entity_counts == {"ORGANIZATION": 1}
        assert redacted('{"product": {"name": "gold plan"}}').entity_counts == {}
        assert redacted('[{"key": "sort_code", "value": "200000"}]').entity_counts == {"UK_SORT_CODE": 1}

    def test_escapes_are_read_and_each_spelling_comes_back_as_it_was(self):
        document = '["Ren\\u00e9e", "Renée", "\\ud83d\\ude00 Ren\\u00e9e", "DE89\\u00203704 0044 0532 0130 00"]'
        done = redacted(document)
        assert done.text == '["<PERSON_1>", "<PERSON_2>", "\\ud83d\\ude00 <PERSON_1>", "<IBAN_CODE_1>"]'
        assert done.placeholders["<PERSON_1>"] == done.placeholders["<PERSON_2>"] == "Renée"

    def test_keys_that_hold_data_are_replaced_and_field_names_are_not(self):
        done = redacted(f'{{"{CARD}": 1, "Ada Lovelace": 2, "Account Holder": 3, "First_Name": "", "{CARD}": 4}}')
        assert list(json.loads(done.text)) == ["<CREDIT_CARD_1>", "<PERSON_1>", "Account Holder", "First_Name"]

    def test_everything_around_the_values_stays(self):
        document = f'\ufeff {{\r\n\t"n" : 123456789012345678901234567890 ,"n":1e400,"x":[ ],"iban":"{IBAN}"\r\n}}\n'
        done = redacted(document)
        assert done.format == "json"
        assert done.text == document.replace(IBAN, "<IBAN_CODE_1>")

    def test_timestamps_and_amounts_stay_numbers(self):
        document = '{"ts": 1699999999999, "created": 1699999999, "amount": 1250, "balance": -12.5, "id": 83}'
        assert redacted(document).text == document

    def test_lookalikes_cannot_fetch_a_value(self):
        done = redacted('{"a": "<PERSON_1> \\u003cPERSON_2>", "b": "Ada"}')
        assert done.entity_counts == {"LITERAL": 2, "PERSON": 1}
        assert json.loads(done.text) == {"a": "<LITERAL_1> <LITERAL_2>", "b": "<PERSON_1>"}

    def test_json_in_a_string_is_read_by_its_own_keys_and_stays_json(self):
        inner = {"sort_code": "20-00-00", "card": int(CARD), "note": 'Ren\u00e9e, "Ada"', "n": 1.5, "e": ""}
        for levels in range(1, 4):
            text = json.dumps(inner)
            for _ in range(levels):
                text = json.dumps({"Metadata": text}, indent=1)
            done = redacted(text)
            read = json.loads(done.text)
            for _ in range(levels):
                read = json.loads(read["Metadata"])
            assert read["sort_code"] == "<UK_SORT_CODE_1>"
            assert read["card"] == "<CREDIT_CARD_1>"
            assert read["note"] == '<PERSON_1>, "<PERSON_2>"'
            assert (read["n"], read["e"]) == (1.5, "")

    def test_a_number_in_a_string_and_one_outside_come_back_as_they_were(self):
        done = redacted(json.dumps({"card": int(CARD), "raw": json.dumps({"card": int(CARD)}), "text": CARD}))
        assert len(set(re.findall(PLACEHOLDER, done.text))) == 3
        assert restore_document("paid with <CREDIT_CARD_2>", done) == f"paid with {CARD}"

    def test_a_string_that_only_looks_like_json_is_one_value(self):
        for string in (f"[{CARD}", f"[x {CARD}]", f"{{{CARD}}}", "[" * 600 + CARD + "]" * 600):
            done = redacted(json.dumps({"note": string}))
            assert json.loads(done.text) == {"note": string.replace(CARD, "<CREDIT_CARD_1>")}

    @pytest.mark.parametrize("levels", [4, 8])
    def test_below_the_deepest_level_it_is_still_redacted(self, levels):
        text = json.dumps([CARD, IBAN])
        for _ in range(levels):
            text = json.dumps([text])
        done = redacted(text)
        assert CARD not in done.text
        assert IBAN not in done.text
        assert shape(done.text) == shape(text)

    @pytest.mark.parametrize(
        "wrong",
        [
            '{"a": 1,}',
            "[1 2]",
            '{"a" 1}',
            '["\\x"]',
            '["a\nb"]',
            "[01]",
            "[1] x",
            "[",
            '["a',
            "{1: 2}",
            "[,]",
            "[.5]",
            '{"a":}',
        ],
    )
    def test_what_is_no_json_is_read_as_text_and_says_so_without_a_quote(self, wrong):
        with pytest.raises(json.JSONDecodeError):
            json.loads(wrong)
        document = wrong + f" secret {CARD}"
        for form in ("auto", "json"):
            done = redacted(document, form)
            assert done.format == "text"
            assert done.note.startswith("not valid JSON: ")
            assert done.note.endswith("read as plain text")
            assert CARD not in done.text + done.note

    def test_json_lines_and_a_bad_line_among_them(self):
        lines = '{"card": 4111111111111111}\r\n\n{"name": "Ada"}\n'
        done = redacted(lines)
        assert (done.format, done.note) == ("jsonl", "")
        assert done.text == '{"card": "<CREDIT_CARD_1>"}\r\n\n{"name": "<PERSON_1>"}\n'
        done = redacted(lines + f"oops {CARD}", "jsonl")
        assert done.note == "1 of 3 lines are not valid JSON (first: line 4); they were read as plain text"
        assert done.text.endswith("\noops <CREDIT_CARD_2>")


class TestCsv:
    def test_headers_are_cues_and_quoting_stays(self):
        document = (
            "id,Name,Sort code,CVV,Amount,Note\r\n"
            '1,"okonkwo, margaret",20-00-00,123,45.00,"said ""hi"" to ""Ada"""\r\n'
            "2,bob smith,20-00-01,456,50.00,\r\n"
        )
        done = redacted(document)
        assert (done.format, list(csv.reader(io.StringIO(done.text)))) == (
            "csv",
            [
                ["id", "Name", "Sort code", "CVV", "Amount", "Note"],
                ["1", "<PERSON_1>", "<UK_SORT_CODE_1>", "<CVV_1>", "45.00", 'said "hi" to "<PERSON_2>"'],
                ["2", "<PERSON_3>", "<UK_SORT_CODE_2>", "<CVV_2>", "50.00", ""],
            ],
        )

    @pytest.mark.parametrize("delimiter", list(",;\t|"))
    def test_the_delimiter_is_found(self, delimiter):
        lines = [["name", "email", "note"], ["ada", "ada@example.com", "a, b"], ["jun", "jun@example.com", 'x "y"\nz']]
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows(lines)
        assert parse(out.getvalue()).delimiter == delimiter
        assert redacted(out.getvalue()).entity_counts == {"PERSON": 2, "EMAIL_ADDRESS": 2}

    def test_a_value_that_cannot_be_of_its_headers_type_stays(self):
        done = redacted("name,city,balance\nn/a,-,10\nunknown,leeds,20\n")
        assert done.text == "name,city,balance\nn/a,-,10\nunknown,<LOCATION_1>,20\n"

    def test_in_a_column_of_one_type_the_rest_is_of_it_too(self):
        rows = "".join(f"{n},{name}\n" for n, name in enumerate(["Ada", "Jun", "Bob", "Eve", "Margaret", "zoë"]))
        assert "zoë" not in redacted("amount,who paid\n" + rows).text

    def test_an_amount_is_no_zip_code_whatever_a_model_guesses(self):
        class Guesser(Analyzer):
            def _one(self, text):
                return [Detection(text.index(":") + 2, len(text), "ZIP_CODE", 0.9, "model")] if ":" in text else []

        done = redact_document(Guesser(), 'amount,area\n12.50,12345\n"1,250.00",a 12\n', "csv")
        assert done.text == 'amount,area\n12.50,<ZIP_CODE_1>\n"1,250.00",<ZIP_CODE_2>\n'

    def test_without_a_header_the_first_row_is_data(self):
        done = redacted(f"Ada,{CARD}\nJun,5555555555554444\n", "csv")
        assert done.text == "<PERSON_1>,<CREDIT_CARD_1>\n<PERSON_2>,<CREDIT_CARD_2>\n"

    def test_header_words_stay_and_proven_data_in_them_does_not(self):
        assert redacted("Account Holder,bic DEUTDEFF\nx,1\ny,2\n").text == "Account Holder,bic <BIC_1>\nx,1\ny,2\n"

    def test_an_unclosed_quote_is_read_as_text_and_says_so(self):
        done = redacted(f'name,card\nada,"{CARD}\n', "csv")
        assert done.format == "text"
        assert done.note == "not valid CSV: a quoted cell is not closed (line 2); read as plain text"

    def test_prose_with_commas_is_no_table(self):
        for prose in ("Dear Sir, I paid.\nYours, Ada\n", "Okonkwo, Margaret\n12 High Street, Leeds\n"):
            assert parse(prose).format == "text"


class TestHtml:
    def test_text_attributes_comments_and_scripts(self):
        done = redacted(
            f'<p class="Red" title="Ada">{CARD} &amp; Jun</p><a href="mailto:ada@example.com">x</a>'
            f'<!-- {IBAN} --><script>var x = "{IBAN}"</script>'
        )
        assert done.text == (
            '<p class="Red" title="&lt;PERSON_1&gt;">&lt;CREDIT_CARD_1&gt; &amp; &lt;PERSON_2&gt;</p>'
            '<a href="mailto:&lt;EMAIL_ADDRESS_1&gt;">x</a>'
            '<!-- &lt;IBAN_CODE_1&gt; --><script>var x = "&lt;IBAN_CODE_1&gt;"</script>'
        )

    def test_entities_are_read_and_come_back(self):
        done = redacted("<p>4111&nbsp;1111&#32;1111&#x20;1111 Ren&eacute;e</p>", "html")
        assert done.text == "<p>&lt;CREDIT_CARD_1&gt; &lt;PERSON_1&gt;</p>"
        assert done.placeholders["<PERSON_1>"] == "Renée"

    def test_a_number_that_tags_part_is_found_and_the_tags_stay(self):
        done = redacted("<p>card 4111 <b>1111</b> 1111 1111, thanks</p>")
        assert re.sub("&lt;CREDIT_CARD_[0-9]&gt;", "#", done.text) == "<p>card # <b>#</b> #, thanks</p>"

    def test_headers_labels_and_elements_are_cues(self):
        table = "<table><tr><th>Name</th><th>Sort code</th></tr><tr><td>jun wu</td><td>200000</td></tr></table>"
        assert redacted(table).entity_counts == {"PERSON": 1, "UK_SORT_CODE": 1}
        pairs = "<table><tr><td>Sort code:</td><td>200000</td></tr></table><dl><dt>CVV<dd>123</dl>"
        assert redacted(pairs).entity_counts == {"UK_SORT_CODE": 1, "CVV": 1}
        form = '<label>Surname</label><input value="o&#39;brien"><input name="cvv" value=123>'
        assert redacted(form).entity_counts == {"PERSON": 1, "CVV": 1}
        iso20022 = "<Dbtr><Nm>jun wu</Nm><PstlAdr><TwnNm>leeds</TwnNm></PstlAdr></Dbtr>"
        assert redacted(iso20022).entity_counts == {"PERSON": 1, "LOCATION": 1}

    def test_an_element_that_looks_like_a_placeholder_is_never_mistaken_for_one(self):
        done = redacted("<doc><PERSON_1>Ada</PERSON_1>&lt;PERSON_2&gt; Jun</doc>")
        assert done.text == ("<doc><PERSON_1>&lt;PERSON_2&gt;</PERSON_1>&lt;LITERAL_1&gt; &lt;PERSON_3&gt;</doc>")

    def test_markup_that_nobody_closes_is_still_looked_at(self):
        for broken in (
            "<p>x</p><b ",
            "<p>x</p><!-- ",
            "<p>x</p><script>",
            '<p>x</p><a href="',
            "<p>x</p></b ",
            "<p>x</p><![CDATA[",
        ):
            assert CARD not in redacted(f"{broken}{CARD}", "html").text
        assert CARD not in redacted(f"<p a={CARD} = {CARD} {CARD}>{CARD}</p {CARD}><!x {CARD}>", "html").text


class TestText:
    def test_lines_with_a_key_are_fields_of_the_text(self):
        done = redacted(f"Surname: o'brien\nsortCode=200000\n> Cell: 07700 900123\nCard {CARD} of today\n")
        assert done.entity_counts["UK_SORT_CODE"] == done.entity_counts["CREDIT_CARD"] == 1
        assert "o'brien" not in done.text
        assert "07700" not in done.text

    def test_a_chat_is_no_form(self):
        chat = "Customer: hello there\nAgent: hi, how can i help you\nCustomer: my card is lost\n"
        assert [leaf.kind for leaf in parse(chat).leaves] == [Kind.TEXT]

    @pytest.mark.parametrize(
        "text", ["", " ", "\ufeff", "plain", "[2024-01-01] hello", "<3 you", "a < b", "<PERSON_1> is Ada", "\n"]
    )
    def test_what_has_no_structure_is_text(self, text):
        assert parse(text).format == "text"
        redacted(text)


class TestKeys:
    def test_keys_fall_into_words(self):
        assert [words(k) for k in ("sort_code", "sortCode", "IBANNumber", "card-no.", "line2", "Straße")] == [
            "sort code", "sort Code", "IBAN Number", "card no", "line 2", "Straße"
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("path", "type_"),
        [("accountNo", "BANK_ACCOUNT"), ("billing_address_1", "STREET_ADDRESS"), ("Beneficiary IBAN", "IBAN_CODE"),
         ("card.number", "CREDIT_CARD"), ("phone.number", "PHONE_NUMBER"), ("number", None), ("file_name", None),
         ("customers.name", "PERSON"), ("bank_name", "ORGANIZATION"), ("ip_address", "IP_ADDRESS"), ("names", "PERSON"),
         ("addresses", "STREET_ADDRESS"), ("mac_address", None), ("dateOfBirth", "DATE_OF_BIRTH"), ("amount", None)],
    )  # fmt: skip
    def test_a_key_declares_a_type_or_nothing(self, path, type_):
        field = Field()
        for key in path.split("."):
            field = field.child(key)
        assert field.declares == type_

    def test_the_raw_key_and_its_words_stand_before_the_value(self):
        analyzer = Analyzer()
        find(parse('{"payTo": {"sortCode": "1"}}'), analyzer.analyze_batch)
        assert "pay To sortCode sort Code: 1" in analyzer.asked

    def test_equal_texts_are_asked_once_and_in_one_batch(self):
        analyzer = Analyzer()
        find(parse(json.dumps([{"a": "x"}] * 50)), analyzer.analyze_batch)
        assert sorted(analyzer.asked) == ["a", "a: x"]

    def test_what_other_leaves_know_comes_in_through_the_backstop(self):
        def backstop(texts, found):
            assert len(texts) == len(found)
            return [[Detection(0, 3, "PERSON", 0.5, "known")] if text == "ada" else [] for text in texts]

        found = find(parse('["Ada", "ada"]'), Analyzer().analyze_batch, backstop=backstop)
        assert [(d.start, d.end) for d in found] == [(2, 5), (9, 12)]


class TestPolicy:
    def test_an_operators_answer_is_written_so_that_the_document_stays_valid(self, monkeypatch):
        class Awkward(Placeholder):
            reversible = False

            def replace(self, type_, value):
                return '"<&>,\n'

        monkeypatch.setattr(
            OPERATORS, "get", lambda name, get=OPERATORS.get: Awkward if name == "placeholder" else get(name)
        )
        analyzer = Analyzer()
        done = redact_document(analyzer, '{"a": "Ada", "card": 4111111111111111}')
        assert json.loads(done.text) == {"a": '"<&>,\n', "card": '"<&>,\n'}
        assert redact_document(analyzer, "<p>Ada</p>", "html").text == "<p>&quot;&lt;&amp;&gt;,\n</p>"
        assert list(csv.reader(io.StringIO(redact_document(analyzer, 'n,m\n"Ada",1\n', "csv").text)))[1][0] == '"<&>,\n'
        assert not done.placeholders

    def test_a_reversible_answer_that_could_be_mistaken_for_text_gives_way_to_a_placeholder(self, monkeypatch):
        class Surrogate(Placeholder):
            def replace(self, type_, value):
                return "Jane Doe" if "\0" not in value else f"<{type_}_{value.count(chr(0))}>"

        monkeypatch.setattr(OPERATORS, "get", lambda name: Surrogate)
        assert redacted('["Ada", "Jane Doe"]').text == '["<PERSON_1>", "<PERSON_2>"]'

    def test_what_the_policy_keeps_stays_and_is_counted(self):
        policy = Policy.parse("name: mine\nentities: {PERSON: keep}")
        done = redact_document(Analyzer(policy), json.dumps({"name": "Ada", "iban": IBAN}))
        assert done.text == '{"name": "Ada", "iban": "<IBAN_CODE_1>"}'
        assert done.action_counts == {"keep": 1, "placeholder": 1}

    def test_no_repr_shows_text(self):
        document = parse('{"Secretkey": "Ada"}')
        done = redact_document(Analyzer(), RawText('{"Secretkey": "Ada"}'))
        assert not [
            word for word in ("Ada", "Secretkey") if word in repr(done) + repr(document) + repr(document.leaves)
        ]

    def test_a_failing_detector_fails_the_document(self):
        class Broken(Analyzer):
            def analyze_batch(self, texts):
                raise DetectionFailed("no")

        with pytest.raises(DetectionFailed):
            redact_document(Broken(), "[1]")


class TestBounds:
    def test_an_unknown_format_lists_the_known_ones(self):
        with pytest.raises(RedactionError, match="unknown format 'xlsx'; known: auto, text, json, jsonl, csv, html"):
            parse("", "xlsx")

    @pytest.mark.parametrize("document", ["[" * 100_000, "[" * 600 + "]" * 600, '{"a":' * 100_000])
    def test_deep_nesting_is_refused(self, document):
        for form in ("auto", "json", "jsonl"):
            with pytest.raises(DocumentTooLarge, match="nested more than 500 deep"):
                parse(document, form)
        assert parse("[" * 500 + "]" * 500).format == "json"

    def test_size_is_bounded(self, monkeypatch):
        with pytest.raises(DocumentTooLarge, match="8000001 characters, the limit is 8000000"):
            parse(" " * 8_000_001)
        monkeypatch.setattr(document_module, "MAX_LEAVES", 500)
        for document, form in (("[" + "1," * 500 + "1]", "json"), ("," * 501, "csv"), ("<i a=b>" * 251, "html")):
            with pytest.raises(DocumentTooLarge, match="more than 500 values"):
                parse(document, form)

    @pytest.mark.parametrize("form", ["auto", "text", "json", "jsonl", "csv", "html"])
    @pytest.mark.parametrize(
        "unit", ['"', '"a,', "<a ", "<!--", '<a b="', "<a b='", "<a>", "</a>", "<![CDATA[", "<script>", "&amp", "\\",
                 '{"a":1}\n', '["\\', "a: ", " ", "a" + " " * 99, "\t|", "=",
                 "<x" + "y" * 70 + ">", "key: v\n", "<td>a:"],
    )  # fmt: skip
    def test_hostile_repetition_takes_linear_time(self, unit, form):
        def run(size):
            even = size // len(unit) // 2 * 2  # an odd number of quotes makes another document of it
            return find(parse(unit * even, form), lambda texts: [[] for _ in texts])

        assert_linear(run, 10_000, 80_000)

    def test_json_in_strings_and_rows_of_backslashes_take_linear_time(self):
        def walk(size):
            text = json.dumps(["é" * 20, 1] * (size // 60))
            return find(parse(json.dumps([json.dumps([text])]), "json"), lambda texts: [[] for _ in texts])

        assert_linear(walk, 5_000, 40_000)
        done = redacted("[]")
        assert_linear(lambda size: restore_document("\\" * size, done))


# Any document comes back, and is valid in between.

PIECES = [
    "Ada", "Ada Lovelace", CARD, IBAN, "4111 1111 1111 1111", "<PERSON_1>", "&lt;PERSON_1&gt;", '"<CREDIT_CARD_1>"',
    "é", "😀", '"', '""', "\\", "\\u003c", ",", ";", "\n", "\r\n", "\t", "<", ">", "&", "&amp;", "'", " ", "name: Jun",
    "\u2028", "\ud800",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=5).map("".join)
numbers = st.integers() | st.floats() | st.sampled_from([int(CARD), -int(CARD), 10**40, 5555555555554444, 1699999999])
keys = st.sampled_from(["name", "card", "sort_code", "value", "key", "iban", "account", CARD, "Ada Lovelace"]) | texts
values = st.recursive(
    texts | numbers | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
values = st.recursive(values, lambda inner: st.lists(inner.map(json.dumps), max_size=3), max_leaves=3)
styles = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 0, 2, "\t"]), "ensure_ascii": st.booleans(),
     "separators": st.sampled_from([(",", ":"), (", ", ": "), ("\r\n,", "\t:\n ")])}
)  # fmt: skip
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shape(text):
    """The skeleton of JSON: pairs stay pairs, so that a key that stands twice is seen."""

    def of(value):
        if isinstance(value, str) and value[:1] in ("{", "[") and value[-1:] in ("}", "]"):
            try:
                return "string", of(json.loads(value, object_pairs_hook=tuple))
            except ValueError:
                return "leaf"
        if isinstance(value, tuple):
            return "{", tuple(of(inner) for _, inner in value)
        return ("[", tuple(map(of, value))) if isinstance(value, list) else "leaf"

    return of(json.loads(text, object_pairs_hook=tuple))


def test_a_string_that_is_json_without_a_value_to_find_stays():
    """Infinity alone reads like a name, but not where it is a number."""
    assert redacted('["[Infinity]", "[]"]', "json").text == '["[Infinity]", "[]"]'


@given(values, styles)
@quick
def test_any_json_stays_json_of_the_same_shape_and_comes_back(value, style):
    document = json.dumps(value, **style)
    done = redacted(document, "json")
    assert done.format == "json"
    assert shape(done.text) == shape(document)


@given(st.lists(values, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n", "\n\n"]))
@quick
def test_any_json_lines_stay_and_come_back(lines, end):
    document = end.join(map(json.dumps, lines)) + end
    done = redacted(document, "jsonl")
    assert done.note == ""
    assert [shape(line) for line in done.text.split("\n") if line.strip()] == [
        shape(line) for line in document.split("\n") if line.strip()
    ]


cells = texts.filter(lambda text: "\0" not in text)


@given(
    st.lists(st.lists(cells, min_size=2, max_size=4), min_size=1, max_size=5),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@quick
def test_any_table_keeps_its_cells_and_comes_back(lines, delimiter, quoting, end):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(lines)
    done = redacted(out.getvalue(), "csv")
    if done.format == "text":  # under another delimiter a quote may stay open; it says so
        assert done.note
        return
    used = parse(out.getvalue(), "csv").delimiter

    def widths(text):
        return [len(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=used) if row]

    assert widths(done.text) == widths(out.getvalue())


@given(st.lists(st.lists(cells, min_size=2, max_size=4), min_size=1, max_size=5), st.sampled_from(",;\t|"))
@quick
def test_cells_are_those_of_pythons_reader(lines, delimiter):
    from redaction.structured import csv_leaves

    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(lines)
    text = out.getvalue()
    ours = [[csv_leaves.text_of(text, cell) for cell in row] for row in csv_leaves.rows(text, 0, delimiter)]
    assert ours == [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]


class Tags(HTMLParser):
    """The sequence of tags with the names of their attributes."""

    def __init__(self, text):
        super().__init__()
        self.seen = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, [name for name, _ in attrs]))

    def handle_endtag(self, tag):
        self.seen.append(tag)


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


names = st.sampled_from(["p", "b", "div", "td", "th", "tr", "table", "label", "Nm", "PERSON_1", "x:Name", "li"])
attributes = st.lists(
    st.tuples(st.sampled_from(["title", "data-name", "value", "class"]), texts.map(escaped)), max_size=2
)
nodes = st.recursive(
    texts.map(escaped)
    | st.sampled_from([f"<!-- {CARD} <b> -->", "<br>", "<br/>", "&nbsp;", "&eacute;",
                       f"<script>if (a<b) '{IBAN}'</script>"]),
    lambda inner: st.builds(
        lambda tag, attrs, kids: "<{0}{1}>{2}</{0}>".format(
            tag, "".join(f' {name}="{value}"' for name, value in attrs), "".join(kids)
        ),
        names, attributes, st.lists(inner, max_size=4),
    ),
    max_leaves=10,
)  # fmt: skip


@given(nodes)
@quick
def test_any_html_keeps_its_tags_and_comes_back(document):
    done = redacted(document, "html")
    assert Tags(done.text).seen == Tags(document).seen


@given(texts | values.map(json.dumps) | nodes, st.sampled_from(["auto", "text", "json", "jsonl", "csv", "html"]))
@quick
def test_anything_in_any_format_comes_back(document, form):
    done = redacted(document, form)
    assert sum(done.entity_counts.values()) == len(done.detections)
    assert all(a.end <= b.start for a, b in zip(done.detections, done.detections[1:], strict=False))


@pytest.mark.model
def test_the_real_redactor_redacts_a_document(redactor):
    document = '{"holder": {"name": "Margaret Okonkwo"}, "note": "Margaret Okonkwo called", "card": 4111111111111111}'
    done = redact_document(redactor, document)
    assert json.loads(done.text) == {
        "holder": {"name": "<PERSON_1>"}, "note": "<PERSON_1> called", "card": "<CREDIT_CARD_1>"
    }  # fmt: skip
    assert restore_document(done.text, done) == document
