"""Values that become others of their format: encryption, and surrogates that nobody has."""

from __future__ import annotations

import json
import re

import pytest
from ffx import FF1
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.us import rtn

from redaction import Policy, Redactor
from redaction.errors import RedactionError
from redaction.operators import Context, Fpe, make
from redaction.operators.layout import Layout, mask, rank, size, unrank
from redaction.operators.names import gender, names, script
from redaction.operators.never_issued import NOBODYS_CODE, prefixed
from redaction.operators.numbering import numbering
from redaction.structured import redact_document
from tests.redaction.test_operators import BANK, OTHER

NUMBERS = st.text("0123456789", min_size=8, max_size=18)
CODES = st.text("0123456789ABCDEFXYZabcxyz -", min_size=10, max_size=24).filter(
    lambda code: size(re.sub("[ -]", "", code)) >= 10**6 and len(re.sub("[ -]", "", code)) > 1
)
KEY = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")


def symbols(value: str) -> str:
    return "".join(char for char in value if char.isalnum())


def fpe(context: Context = BANK, **options) -> Fpe:
    made = make("fpe", options, context)
    assert isinstance(made, Fpe)
    return made


@pytest.mark.parametrize(
    ("key", "radix", "tweak", "plain", "cipher"),
    [
        (KEY, 10, "", "0123456789", "2433477484"),
        (KEY, 10, "39383736353433323130", "0123456789", "6124200773"),
        (KEY, 36, "3737373770717273373737", "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
        (KEY + bytes.fromhex("EF4359D8D580AA4F"), 10, "", "0123456789", "2830668132"),
        (KEY + bytes.fromhex("EF4359D8D580AA4F"), 10, "39383736353433323130", "0123456789", "2496655549"),
        (KEY + bytes.fromhex("EF4359D8D580AA4F7F036D6F04FC6A94"), 10, "", "0123456789", "6657667009"),
        (
            KEY + bytes.fromhex("EF4359D8D580AA4F7F036D6F04FC6A94"), 10, "39383736353433323130", "0123456789",
            "1001623463",
        ),
    ],
)  # fmt: skip
def test_the_cipher_is_ff1(key, radix, tweak, plain, cipher):
    """The sample values of NIST for SP 800-38G."""
    assert FF1(key, radix=radix).encrypt(plain, tweak=bytes.fromhex(tweak)) == cipher


class TestLayout:
    @settings(deadline=None)
    @given(CODES)
    def test_a_number_and_its_place_among_all_of_its_format(self, code):
        value = symbols(code)
        assert unrank(rank(value), value) == value
        assert 0 <= rank(value) < size(value)

    def test_full_width_digits_are_digits(self):
        assert Layout.of("４１１１-1").symbols == "41111"
        assert Layout.of("٤١١١-१").symbols == "41111"

    @pytest.mark.parametrize("value", ["", "--", "Ünal 123456", "счёт 12345678"])
    def test_other_letters_are_refused(self, value):
        with pytest.raises(RedactionError, match="other than 0-9, A-Z, a-z"):
            Layout.of(value)


class TestFpe:
    @settings(deadline=None)
    @given(st.lists(CODES, min_size=2, max_size=8, unique_by=symbols))
    def test_one_to_one_and_back(self, codes):
        cipher = fpe()
        images = [cipher.replace("CLIENT_ID", code) for code in codes]
        assert len({*map(symbols, images)}) == len(codes)
        assert [cipher.decrypt("CLIENT_ID", image) for image in images] == codes
        assert [mask(symbols(image)) for image in images] == [mask(symbols(code)) for code in codes]
        assert [re.sub("[A-Za-z0-9]", "x", image) for image in images] == [
            re.sub("[A-Za-z0-9]", "x", code) for code in codes
        ]

    @settings(deadline=None)
    @given(st.lists(NUMBERS, min_size=2, max_size=5, unique=True))
    def test_same_per_key_and_type_only(self, values):
        one, again, other = fpe(), fpe(), fpe(OTHER)
        assert [one.replace("X_ID", v) for v in values] == [again.replace("X_ID", v) for v in values]
        for others in ([other.replace("X_ID", v) for v in values], [one.replace("Y_ID", v) for v in values]):
            assert others != [one.replace("X_ID", v) for v in values]

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(["4", "5105", "37", "6011"]), st.text("0123456789", min_size=11, max_size=11))
    def test_cards_stay_cards(self, prefix, rest):
        body = (prefix + rest)[:14] if prefix == "37" else (prefix + rest)[:15].ljust(15, "7")
        number = body + luhn.calc_check_digit(body)
        image = fpe().replace("CREDIT_CARD", number)
        assert luhn.is_valid(image)
        assert numbering("CREDIT_CARD").kind(image) == numbering("CREDIT_CARD").kind(number)
        mistyped = number[:-1] + str((int(number[-1]) + 3) % 10)
        assert not luhn.is_valid(fpe().replace("CREDIT_CARD", mistyped))

    @pytest.mark.parametrize(
        ("type_", "value"),
        [
            ("IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
            ("IBAN_CODE", "gb29nwbk60161331926819"),
            ("ABA_ROUTING_NUMBER", "021000021"),
            ("US_SSN", "219-09-9999"),
            ("UK_NINO", "AB 12 34 56 C"),
            ("IT_FISCAL_CODE", "RSSMRA85T10A562S"),
            ("PL_PESEL", "44051401359"),
            ("FR_NIR", "1 55 08 31 168 025 38"),
            ("CA_SIN", "046 454 286"),
            ("DE_TAX_ID", "36574261809"),
            ("NL_BSN", "111222333"),
            ("BR_CPF", "111.444.777-35"),
            ("CREDITOR_REFERENCE", "RF18 5390 0754 7034"),
        ],
    )
    def test_right_numbers_become_right_ones(self, type_, value):
        image = fpe().replace(type_, value)
        kind = numbering(type_).kind
        assert image != value
        assert kind(symbols(image).upper()) == kind(symbols(value).upper())
        assert fpe().decrypt(type_, image) == value
        if type_ == "IBAN_CODE":
            assert iban.is_valid(image, check_country=False)
            assert image[:2] == value[:2]

    def test_what_is_kept(self):
        image = fpe(keep_first=4, keep_last=4).replace("CREDIT_CARD", "4111 1111 1111 1111")
        assert re.fullmatch(r"4111 \d{4} \d{4} 1111", image)
        assert luhn.is_valid(symbols(image))

    @pytest.mark.parametrize("value", ["12345", "1", "Ünal-12345678", "счёт 12345678"])
    def test_too_few_values_or_other_letters_are_refused_or_masked(self, value):
        with pytest.raises(RedactionError):
            fpe().replace("BANK_ACCOUNT", value)
        masked = fpe(otherwise="mask").replace("BANK_ACCOUNT", value)
        assert not any(map(str.isalnum, masked))
        assert len(masked) == len(value)

    def test_nothing_without_a_key(self):
        with pytest.raises(RedactionError, match="needs a key"):
            make("fpe", {}, Context())


class TestSurrogate:
    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(["4", "51", "2221", "37", "6011", "81"]), st.lists(NUMBERS, min_size=2, max_size=6))
    def test_cards_become_right_numbers_that_nobody_has(self, prefix, rests):
        bodies = {(prefix + rest).ljust(15, "0")[:15] for rest in rests}
        numbers = [body + luhn.calc_check_digit(body) for body in bodies]
        made = [make("surrogate", {}, BANK).replace("CREDIT_CARD", number) for number in numbers]
        assert len({*made}) == len(numbers)
        free = {*prefixed()["CREDIT_CARD"].free}
        issued = {*prefixed()["CREDIT_CARD"].issued}
        for number, surrogate in zip(numbers, made, strict=True):
            if number[:4] in issued:
                assert luhn.is_valid(surrogate)
                assert surrogate[:4] in free
            else:
                assert surrogate[-1] == "X"

    @settings(deadline=None)
    @given(st.lists(st.text("0123456789", min_size=9, max_size=9), min_size=2, max_size=8, unique=True))
    def test_routing_numbers_are_one_to_one(self, values):
        operator = make("surrogate", {}, BANK)
        made = [operator.replace("ABA_ROUTING_NUMBER", value) for value in values]
        assert len({*made}) == len(values)
        right = {value: surrogate for value, surrogate in zip(values, made, strict=True) if rtn.is_valid(value)}
        issued = {*prefixed()["ABA_ROUTING_NUMBER"].issued}
        assert all(surrogate[:2] not in issued for value, surrogate in right.items() if value[:2] in issued)
        assert all(value not in made for value in right if value[:2] in issued)

    def test_the_free_numbers_are_enough_and_no_scheme_s(self):
        for table in prefixed().values():
            assert len(table.free) >= len(table.issued)
            assert not {*table.free} & {*table.issued}

    @settings(deadline=None)
    @given(st.lists(st.text("0123456789", min_size=7, max_size=12), min_size=2, max_size=8, unique=True))
    def test_telephones_are_nobody_s(self, values):
        operator = make("surrogate", {}, BANK)
        made = [operator.replace("PHONE_NUMBER", value) for value in values]
        assert len({*made}) == len(values)
        assert all(surrogate.startswith(f"{NOBODYS_CODE} ") for surrogate in made)

    def test_telephones_in_other_digits_and_letters(self):
        operator = make("surrogate", {}, BANK)
        plain = operator.replace("PHONE_NUMBER", "14155552671")
        for value in ("+１４１５５５５２６７１", "+١٤١٥٥٥٥٢٦٧١", "1-415-555-COR1"):
            assert operator.replace("PHONE_NUMBER", value) == plain

    @pytest.mark.parametrize("type_", ["PERSON", "ORGANIZATION", "STREET_ADDRESS", "EMAIL_ADDRESS"])
    def test_ten_thousand_values_get_as_many(self, type_):
        operator, other = make("surrogate", {}, BANK), make("surrogate", {}, OTHER)
        values = [f"Value Number{n}" for n in range(10_000)]
        made = [operator.replace(type_, value) for value in values]
        assert len({*made}) == len(values)
        fresh = [make("surrogate", {}, BANK).replace(type_, value) for value in values[:50]]
        assert fresh == made[:50]
        assert not {*made[:50]} & {other.replace(type_, value) for value in values[:50]}

    @pytest.mark.parametrize(
        ("value", "sex", "of_script"),
        [
            ("John Smith", "m", "LATIN"),
            ("Anna Lee", "f", "LATIN"),
            ("Mrs K. Lee", "f", "LATIN"),
            ("Иван Петров", "m", "CYRILLIC"),
            ("Μαρία Παππά", "f", "GREEK"),
            ("محمد علي", "m", "ARABIC"),
        ],
    )
    def test_names_keep_gender_and_script(self, value, sex, of_script):
        made = make("surrogate", {}, BANK).replace("PERSON", value)
        given_name = made.removeprefix("Mrs ").split()[0]
        assert script(made.removeprefix("Mrs ")) == of_script
        assert given_name in (names(of_script).female if sex == "f" else names(of_script).male)
        assert gender(given_name) in {sex, ""}

    def test_the_same_person_in_other_words(self):
        operator = make("surrogate", {}, BANK)
        made = operator.replace("PERSON", "John Smith")
        assert operator.replace("PERSON", "Mr John  Smith") == f"Mr {made}"
        assert operator.replace("PERSON", "JOHN SMITH") == made.upper()

    def test_companies_keep_their_form_and_addresses_their_look(self):
        operator = make("surrogate", {}, BANK)
        assert operator.replace("ORGANIZATION", "Acme Trading Ltd").endswith(" Ltd")
        assert operator.replace("ORGANIZATION", "Muster GmbH").endswith(" GmbH")
        assert re.fullmatch(r"[1-9]\d{2,3} \S.*-\S+ [A-Z][a-z]+", operator.replace("STREET_ADDRESS", "1 High Street"))
        assert re.fullmatch(r"[a-z.]+[a-z2-7]{8}@example\.com", operator.replace("EMAIL_ADDRESS", "a@b.ch"))

    def test_types_without_a_safe_range_are_refused_at_load(self):
        with pytest.raises(RedactionError, match="surrogate does not suit US_SSN.*fpe or placeholder"):
            Policy.parse("name: mine\nentities: {US_SSN: surrogate}")


RULES = "CREDIT_CARD: fpe, IBAN_CODE: fpe, PERSON: surrogate, EMAIL_ADDRESS: surrogate, PHONE_NUMBER: surrogate"
TEXT = (
    "Dear John Smith, card 4111 1111 1111 1111 and IBAN DE89 3704 0044 0532 0130 00 "
    "are yours; write to john.smith@acme.com or call +44 20 7946 0958."
)


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor.from_policy(Policy.parse(f"name: mine\nextends: finance\nentities: {{{RULES}}}"))


class TestInTexts:
    def test_the_second_look_knows_them(self, redactor):
        done = redactor.redact(TEXT, BANK)
        assert redactor.second_look(done) == []
        for value in ("John Smith", "4111 1111", "DE89 3704", "acme.com", "7946"):
            assert value not in done.text
        assert done.placeholders == {}
        assert done.action_counts == {"fpe": 2, "surrogate": 3}

    def test_documents_stay_valid(self, redactor):
        document = json.dumps({"name": "John Smith", "card": 4111111111111111, "note": TEXT})
        done = redact_document(redactor, document, "json", BANK)
        tree = json.loads(done.text)
        assert luhn.is_valid(str(tree["card"]))
        assert "4111111111111111" not in done.text
        assert "John Smith" not in done.text
