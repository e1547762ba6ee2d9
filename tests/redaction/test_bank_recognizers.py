"""Bank accounts and banks: valid ones are always found, mistyped ones are near misses, others are left."""

from __future__ import annotations

import random
import string
from datetime import date, timedelta
from pathlib import Path

import pytest
from schwifty import IBAN as Reference
from stdnum import iso11649
from stdnum.eu import at_02

from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.bank_national import clabe, nrb
from redaction.recognizers.bank_uk import UkBankAccount
from redaction.recognizers.iban import Iban, mod_97, structure
from redaction.recognizers.uk_modulus import ModulusTableError, UkModulus, Weights

COUNTRIES = [a + b for a in string.ascii_uppercase for b in string.ascii_uppercase if structure(a + b)]
THRESHOLD = 0.35
"""That of the built-in policy: what scores less is dropped."""
ALPHABETS = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}
IBANS = Iban()


def iban(rng, country):
    bban = "".join(rng.choice(ALPHABETS[kind]) for kind in structure(country))
    return f"{country}{98 - mod_97(f'{country}00{bban}'):02}{bban}"


def fours(code, separator=" "):
    return separator.join(code[i : i + 4] for i in range(0, len(code), 4))


def spans(text, detector=IBANS, at_least=THRESHOLD):
    return [text[d.start : d.end] for d in detector.detect(text) if d.score >= at_least]


def found(name, text):
    return [(d.type, text[d.start : d.end], d.score) for d in RECOGNIZERS.get(name)().detect(text)]


class TestIban:
    def test_the_registry_has_all_countries_that_the_standard_has(self):
        assert len(COUNTRIES) >= 120
        assert structure("GB") == "aaaa" + "n" * 14
        assert structure("US") == ""

    @pytest.mark.parametrize("country", COUNTRIES)
    def test_every_valid_one_is_found_whole_however_it_is_written(self, country):
        rng = random.Random(country)
        for _ in range(12):
            code = iban(rng, country)
            assert mod_97(code) == 1
            cut = rng.randrange(6, len(code) - 2)
            forms = [
                code,
                code.lower(),
                fours(code),
                fours(code, "-"),
                code[:cut] + "\n" + code[cut:],
                fours(code, "\n"),
            ]
            for form in forms:
                for text in (f"pay {form} now", f"iban_number={form}", f'{{"accountIban":"{form}"}}', f"({form})."):
                    assert form in spans(text, at_least=1.0), text
            assert code in spans(f"to {code} 2 days from today", at_least=1.0)
            assert fours(code) in spans(f"to {fours(code)}, 12 days", at_least=1.0)

    @pytest.mark.parametrize("country", COUNTRIES)
    def test_one_wrong_digit_is_a_near_miss(self, country):
        rng = random.Random(country)
        for _ in range(12):
            code = iban(rng, country)
            at = rng.choice([i for i, letter in enumerate(code) if letter.isdigit()])
            wrong = code[:at] + str((int(code[at]) + rng.randint(1, 9)) % 10) + code[at + 1 :]
            if at in (2, 3) and mod_97(wrong) == 1:
                continue  # check digits 00, 01 and 99 may fit as well
            for form in (f"IBAN {wrong}", f"IBAN: {fours(wrong)}", f"pay {fours(wrong)} now"):
                hit = min((d for d in IBANS.detect(form) if d.score >= THRESHOLD), key=lambda d: d.start)
                assert 0.5 <= hit.score <= 0.6
                assert not hit.validated
                assert form[hit.start : hit.end].replace(" ", "") == wrong

    def test_letters_read_for_digits_are_put_right(self):
        rng = random.Random(1)
        alike = {"0": "Oo", "1": "Il", "5": "S", "8": "B"}
        for _ in range(200):
            code = iban(rng, "DE")
            places = [i for i in range(4, 22) if code[i] in alike][:2]
            if places:
                read = "".join(rng.choice(alike[c]) if i in places else c for i, c in enumerate(code))
                assert read in spans(f"pay {read} now", at_least=0.5)

    def test_schwifty_agrees_on_what_is_valid(self):
        rng = random.Random(2)
        for country in ("DE", "FR", "GB", "NL", "ES"):
            code = iban(rng, country)
            assert Reference(code, allow_invalid=True).checksum_digits == code[2:4]
            assert Reference.generate("DE", "37040044", "0532013000") == "DE89370400440532013000"

    def test_order_numbers_times_and_words_are_none(self):
        rng = random.Random(4)
        texts = [f"order NO {rng.randrange(10**13):013} and NO{rng.randrange(10**12):012}" for _ in range(1000)]
        start = date(2020, 1, 1)
        texts += [f"at {start + timedelta(n)} 12:30:45.{n:03} no {n}" for n in range(1000)]
        texts += [f"is {n} at {n * 7919} es {n * 104729} de {n}" for n in range(1000)]
        hits = [text for text in texts if spans(text)]
        assert len(hits) <= len(texts) // 97  # mod 97 holds once in 97 times


class TestUkModulus:
    """The published worked examples of the three methods; the exceptions over tables made for the purpose."""

    @pytest.mark.parametrize(
        ("method", "weights", "sort_code", "account"),
        [
            ("MOD10", "0 0 0 0 0 0 7 1 3 7 1 3 7 1", "089999", "66374958"),
            ("MOD11", "0 0 0 0 0 0 7 5 8 3 4 6 2 1", "000000", "58177632"),
            ("DBLAL", "2 1 2 1 2 1 2 1 2 1 2 1 2 1", "499273", "12345678"),
        ],
    )
    def test_the_worked_examples_pass_and_their_neighbours_fail(self, method, weights, sort_code, account):
        modulus = UkModulus([line(method, weights)])
        assert modulus.check(sort_code, account) is True
        assert modulus.check(sort_code, account[:-1] + str((int(account[-1]) + 1) % 10)) is False

    def test_a_sort_code_outside_the_table_cannot_be_checked(self):
        modulus = UkModulus([Weights("100000", "199999", "MOD10", (1,) * 14)])
        assert modulus.check("200000", "12345678") is None
        assert modulus.check("100000", "00000009") is True

    def test_short_account_numbers_are_filled_up_with_zeros(self):
        assert only("MOD10", "h").check("000000", "123450") is True

    def test_exception_1_adds_27(self):
        assert only("DBLAL", "h", 1).check("000000", "00000003") is True
        assert only("DBLAL", "h", 1).check("000000", "00000000") is False

    def test_exceptions_2_and_9_need_one_of_two_checks(self):
        modulus = UkModulus([line("MOD11", unit("c"), 2), line("MOD11", unit("h"), 9)])
        assert modulus.check("000000", "00000000") is True  # a = 0: the table's own weights
        assert modulus.check("000000", "00100000") is True  # first fails, second passes
        assert modulus.check("000000", "00100001") is False
        assert modulus.check("000000", "10000007") is False  # 1*1 * 1 + 7 * 1 is no multiple of 11
        assert modulus.check("000000", "10000005") is True  # no match weights: 6 * 1 + 1 * 5 = 11
        assert modulus.check("000000", "10000091") is False  # one match weights: 3 * 9 + 1 = 28
        assert modulus.check("000000", "10000096") is True  # 3 * 9 + 6 = 33

    def test_exception_3_skips_the_second_check_for_some_accounts(self):
        modulus = UkModulus([line("MOD10", unit("h")), line("DBLAL", unit("g"), 3)])
        assert modulus.check("000000", "00600010") is True
        assert modulus.check("000000", "00900010") is True
        assert modulus.check("000000", "00500010") is False

    def test_exception_4_wants_the_remainder_in_the_last_two_digits(self):
        assert only("MOD11", "a", 4).check("000000", "90000009") is True
        assert only("MOD11", "a", 4).check("000000", "90000008") is False

    def test_exception_5_has_a_check_digit_for_each_check_and_stands_in_sort_codes(self):
        table = [line("MOD11", "0 0 0 0 0 1 1 0 0 0 0 0 0 0", 5), line("DBLAL", unit("a"), 5)]
        modulus = UkModulus(table)
        assert modulus.check("000000", "20000098") is True  # 11 - 2 = 9 and 10 - 2 = 8
        assert modulus.check("000000", "20000088") is False
        assert modulus.check("000000", "20000097") is False
        assert modulus.check("000000", "10000009") is False  # a remainder of 1 has no check digit
        assert modulus.check("000000", "00000000") is True
        assert UkModulus(table, {"000000": "000003"}).check("000000", "20000068") is True  # 11 - 5 = 6

    def test_exception_6_leaves_foreign_currency_accounts_unchecked(self):
        modulus = UkModulus([line("MOD10", unit("h"), 6), line("DBLAL", unit("h"), 6)])
        assert modulus.check("000000", "40000011") is True
        assert modulus.check("000000", "40000021") is False
        assert modulus.check("000000", "90000011") is False

    def test_exception_7_drops_the_first_weights_if_g_is_9(self):
        assert only("MOD10", "a", 7).check("000000", "50000090") is True
        assert only("MOD10", "a", 7).check("000000", "50000080") is False

    def test_exception_8_checks_with_another_sort_code(self):
        weights = "0 1 0 0 0 0 0 0 0 0 0 0 0 1"  # of 090126 the second digit is 9
        assert UkModulus([line("MOD10", weights, 8)]).check("000000", "00000001") is True
        assert UkModulus([line("MOD10", weights, 8)]).check("000000", "00000000") is False

    def test_exceptions_10_and_11_need_one_of_two_checks(self):
        modulus = UkModulus([line("MOD11", unit("b"), 10), line("DBLAL", unit("h"), 11)])
        assert modulus.check("000000", "09000091") is True  # ab = 09 and g = 9: the weight of b is dropped
        assert modulus.check("000000", "09000081") is False
        assert modulus.check("000000", "09000080") is True

    def test_exceptions_12_and_13_need_one_of_two_checks(self):
        modulus = UkModulus([line("MOD11", unit("g"), 12), line("MOD10", unit("h"), 13)])
        assert modulus.check("000000", "00000010") is True
        assert modulus.check("000000", "00000001") is True
        assert modulus.check("000000", "00000011") is False

    def test_exception_14_tries_the_account_without_its_last_digit(self):
        modulus = only("MOD11", "h", 14)
        assert modulus.check("000000", "00000001") is True  # shifted, h is 0
        assert modulus.check("000000", "00000002") is False
        assert modulus.check("000000", "00000051") is False

    def test_two_checks_without_an_exception_must_both_pass(self):
        modulus = UkModulus([line("MOD11", unit("g")), line("DBLAL", unit("h"))])
        assert modulus.check("000000", "00000000") is True
        assert modulus.check("000000", "00000010") is False
        assert modulus.check("000000", "00000001") is False

    def test_the_published_files_are_read(self, tmp_path: Path):
        weights, substitutions = tmp_path / "valacdos.txt", tmp_path / "scsubtab.txt"
        weights.write_text(
            "089000 089999 MOD10    0    0    0    0    0    0    7    1    3    7    1    3    7    1\r\n\r\n"
        )
        substitutions.write_text("938173 938017\r\n")
        modulus = UkModulus.from_vocalink(weights, substitutions)
        assert modulus.check("089999", "66374958") is True
        assert modulus.check("089999", "66374959") is False

    @pytest.mark.parametrize("text", ["089000 089999 MOD12 " + "0 " * 14, "089000 MOD10", "1 2 MOD10 " + "0 " * 14])
    def test_a_file_of_another_form_is_refused_with_its_line(self, tmp_path: Path, text):
        (tmp_path / "weights.txt").write_text(f"\n{text}\n")
        with pytest.raises(ModulusTableError, match=r"^weights.txt:2: "):
            UkModulus.from_vocalink(tmp_path / "weights.txt")

    def test_an_exception_nobody_has_published_and_bad_substitutions_are_refused(self, tmp_path: Path):
        (tmp_path / "weights.txt").write_text("089000 089999 MOD10 " + "0 " * 14 + "15")
        with pytest.raises(ModulusTableError, match="exception 15"):
            UkModulus.from_vocalink(tmp_path / "weights.txt")
        (tmp_path / "weights.txt").write_text("089000 089999 MOD10 " + "0 " * 14)
        (tmp_path / "subs.txt").write_text("938173")
        with pytest.raises(ModulusTableError, match=r"subs.txt:1: two sort codes"):
            UkModulus.from_vocalink(tmp_path / "weights.txt", tmp_path / "subs.txt")


def line(method, weights, exception=0):
    return Weights("000000", "999999", method, tuple(map(int, weights.split())), exception)


def unit(letter):
    """Weights that look at one digit alone."""
    return " ".join("1" if place == letter else "0" for place in "uvwxyzabcdefgh")


def only(method, letter, exception=0):
    return UkModulus([line(method, unit(letter), exception)])


class TestUkBankAccount:
    def test_a_pair_that_passes_is_proven_and_one_that_fails_is_mistyped(self):
        detector = UkBankAccount(only("MOD10", "h"))
        for text, score in (("sort code 20-00-00 account 55779910", 1.0), ("sort code 20-00-00 account 55779911", 0.6)):
            account = detector.detect(text)[-1]
            assert (account.type, text[account.start : account.end]) == ("UK_BANK_ACCOUNT", text[-8:])
            assert account.score == score
            assert account.validated == (score == 1.0)

    def test_written_apart_in_a_form_both_are_found(self):
        text = "Account name: J Doe\nSort code: 20-00-00\nAccount number: 55779911\n"
        assert [kind for kind, _, _ in found("uk_bank_account", text)] == ["UK_SORT_CODE", "UK_BANK_ACCOUNT"]

    def test_dates_are_no_sort_codes(self):
        start = date(2000, 1, 1)
        for n in range(0, 12_000, 7):
            day = start + timedelta(n)
            text = f"on {day:%d-%m-%y} {n:08} and {day:%y-%m-%d}, {n:08}, {day:%d.%m.%y}"
            assert found("uk_bank_account", text) == []


class TestOthers:
    def test_a_listed_bic_needs_no_word_and_others_do(self):
        assert found("bic", "through COBADEFFXXX today") == [("BIC", "COBADEFFXXX", 1.0)]
        assert found("bic", "through ZZZZDEFFXXX today") == []
        assert found("bic", "SWIFT/BIC: ZZZZDEFFXXX") == [("BIC", "ZZZZDEFFXXX", 0.9)]

    def test_every_valid_routing_number_is_proven_beside_a_word_for_it(self):
        rng = random.Random(5)
        for _ in range(500):
            body = f"{rng.choice([*range(1, 13), *range(21, 33), *range(61, 73), 80]):02}{rng.randrange(10**6):06}"
            check = -sum(w * int(d) for w, d in zip((3, 7, 1) * 3, body, strict=False)) % 10
            number = f"{body}{check}"
            assert found("aba_routing_number", f"routing no. {number}") == [("ABA_ROUTING_NUMBER", number, 1.0)]
            assert found("aba_routing_number", f"order {number}") == [("ABA_ROUTING_NUMBER", number, 0.3)]
            wrong = body + str((check + 1) % 10)
            assert found("aba_routing_number", f"routing_number={wrong}") == [("ABA_ROUTING_NUMBER", wrong, 0.5)]

    def test_every_valid_clabe_and_polish_account_is_found(self):
        rng = random.Random(6)
        for _ in range(200):
            body = f"{rng.randrange(10**17):017}"
            code = next(body + c for c in string.digits if clabe(body + c))
            assert ("CLABE", code, 1.0) in found("national_bank_account", f"CLABE: {code}")
            polish = iban(rng, "PL")[2:]
            assert nrb(polish)
            assert ("PL_NRB", polish, 1.0) in found("national_bank_account", f"to {polish} today")
            grouped = polish[:2] + " " + fours(polish[2:])
            assert ("PL_NRB", grouped, 1.0) in found("national_bank_account", f"to {grouped} today")

    def test_every_valid_creditor_reference_and_id_is_found(self):
        rng = random.Random(7)
        for _ in range(200):
            body = "".join(rng.choices(ALPHABETS["c"], k=rng.randint(3, 21)))
            code = f"RF{98 - mod_97(f'RF00{body}'):02}{body}"
            assert iso11649.is_valid(code)
            assert found("creditor_reference", f"pay {code} now") == [("CREDITOR_REFERENCE", code, 1.0)]
            assert found("creditor_reference", f"pay {fours(code)} now") == [("CREDITOR_REFERENCE", fours(code), 1.0)]
            national = f"{rng.randrange(10**11):011}"
            creditor = f"DE{98 - mod_97(f'DE00{national}'):02}ZZZ{national}"
            assert at_02.is_valid(creditor)
            assert found("sepa_creditor_id", f"by {creditor} it is due") == [("SEPA_CREDITOR_ID", creditor, 1.0)]

    @pytest.mark.parametrize(
        "key", ["account_number", "accountNumber", "acct_no", "Acct No.", "Kontonummer", "bankAccount"]
    )
    def test_an_account_number_is_found_behind_its_key(self, key):
        for text in (f"{key}=12345678", f'"{key}": "12345678",', f"{key}: 12345678", f"{key} is 12345678."):
            assert [value for _, value, _ in found("bank_account", text)] == ["12345678"], text

    def test_the_end_of_a_masked_account_stays(self):
        for text in ("account ending 123456", "account number ending in 1234", "acct ****123456", "a/c XXXX123456"):
            assert found("bank_account", text) == []

    def test_amounts_dates_and_times_behind_the_word_account_stay(self):
        for text in (
            "account: $123456",
            "account 123456.78",
            "account 12/06/2024",
            "account 1,234,567",
            "account 20240601",
        ):
            assert found("bank_account", text) == []
