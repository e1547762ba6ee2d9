"""Cards: every valid number is found however it is written; times, amounts and order numbers are not."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from redaction.recognizers.card_details import CardExpiry, CardSecurityCode
from redaction.recognizers.cards import CardNumber, MisreadCardNumber, luhn

CARDS = CardNumber()
THRESHOLD = 0.35
"""That of the built-in policy: what scores less is dropped."""

MAIN = [("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16)]
MAIN += [
    ("644", 16),
    ("65", 16),
    ("3528", 16),
    ("3589", 16),
    ("300", 16),
    ("36", 16),
    ("62", 16),
    ("2200", 16),
    ("81", 16),
]
RARE = [
    ("4", 13),
    ("36", 14),
    ("38", 14),
    ("300", 14),
    ("62", 19),
    ("6304", 12),
    ("5018", 13),
    ("67", 18),
    ("1800", 15),
]


def number(rng, prefix, length):
    body = prefix + "".join(rng.choices("0123456789", k=length - len(prefix) - 1))
    return next(body + check for check in "0123456789" if luhn(body + check))


def grouped(digits, separator):
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(digits), (4,) * 5)
    pieces, at = [], 0
    for size in sizes:
        pieces.append(digits[at : at + size])
        at += size
    return separator.join(filter(None, pieces))


def covers(text, value, detector=CARDS, at_least=THRESHOLD):
    start = text.index(value)
    return any(
        d.start <= start and d.end >= start + len(value) and d.score >= at_least
        for d in detector.detect(text)
        if d.type == "CREDIT_CARD"
    )


def strong(text, detector=CARDS):
    return [d for d in detector.detect(text) if d.score >= THRESHOLD]


@pytest.mark.parametrize(("prefix", "length"), MAIN)
def test_every_number_of_a_main_kind_is_found_however_it_is_written(prefix, length):
    rng = random.Random(f"{prefix}/{length}")
    for _ in range(60):
        digits = number(rng, prefix, length)
        forms = [
            digits,
            *(grouped(digits, s) for s in " -./\n"),
            " ".join(digits),
            "-".join(digits),
            grouped(digits, " - "),
        ]
        forms.append(digits[:8] + "\n" + digits[8:])
        for form in forms:
            assert covers(f"we took {form}, thanks", form, at_least=1.0), form
        assert covers(f"card_{digits}_x", digits, at_least=1.0)
        assert covers(f"x={digits}&y=1", digits, at_least=1.0)
        assert covers(f'"pan":{digits},', digits, at_least=1.0)


@pytest.mark.parametrize(("prefix", "length"), RARE)
def test_numbers_of_rare_lengths_are_proven_where_a_card_is_named(prefix, length):
    rng = random.Random(f"{prefix}/{length}")
    for _ in range(60):
        digits = number(rng, prefix, length)
        assert covers(f"my card {digits} is lost", digits, at_least=1.0)
        assert covers(f"cardNumber: {digits}", digits, at_least=1.0)


@pytest.mark.parametrize(("prefix", "length"), MAIN)
def test_one_wrong_digit_is_a_near_miss_where_a_card_is_named_or_printed_in_groups(prefix, length):
    rng = random.Random(f"{prefix}/{length}")
    for _ in range(60):
        digits = number(rng, prefix, length)
        at = rng.randrange(len(prefix), length)
        wrong = digits[:at] + str((int(digits[at]) + rng.randint(1, 9)) % 10) + digits[at + 1 :]
        texts = [f"card number: {wrong}", f"card no {grouped(wrong, ' ')}"]
        texts += [f"we took {grouped(wrong, ' ')} today"] if length in (15, 16) else []
        for text in texts:
            found = max(strong(text), key=lambda d: d.end - d.start)
            if length < 19:  # of 19 digits the first 16 may be a valid number by chance
                assert 0.5 <= found.score <= 0.6
                assert not found.validated
            assert text[found.start : found.end].replace(" ", "") == wrong
        assert not strong(f"we took {wrong} today")


def test_a_wrong_first_digit_is_a_near_miss_behind_the_word_for_it():
    assert covers("Card number: 1111 1111 1111 1112", "1111 1111 1111 1112")
    assert not strong("we count 1111 1111 1111 1112 of them")


def test_up_to_four_digits_read_as_letters_are_put_right():
    rng = random.Random(3)
    alike = {"0": "Oo", "1": "lI", "5": "S", "8": "B"}
    for _ in range(300):
        digits = number(rng, "4", 16)
        places = [i for i in range(1, 16) if digits[i] in alike][:4]
        if not places:
            continue
        read = "".join(rng.choice(alike[d]) if i in places else d for i, d in enumerate(digits))
        assert covers(f"paid with {grouped(read, ' ')}.", grouped(read, " "), MisreadCardNumber(), 0.5), read


def moments(rng, count):
    for _ in range(count):
        t = dt.datetime(1990, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=rng.randrange(40 * 365 * 86400))
        epoch = int(t.timestamp())
        yield rng.choice(
            [
                f"{epoch}",
                f"{epoch}{rng.randrange(1000):03}",
                f"{epoch}{rng.randrange(10**6):06}",
                f"{epoch}{rng.randrange(10**9):09}",
            ]
        )
        yield t.strftime(rng.choice(["%Y%m%d%H%M%S", "%Y%m%d%H%M", "%d%m%Y%H%M%S", "%Y%m%d%H%M%S123", "%y%m%d%H%M%S"]))
        yield t.strftime(rng.choice(["%Y-%m-%d %H.%M.%S", "%Y.%m.%d.%H.%M.%S", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y %H%M"]))


def amounts(rng, count):
    for _ in range(count):
        value = rng.randrange(10 ** rng.randint(3, 15))
        sign = rng.choice(["$", "€ ", "USD ", "£"])
        yield rng.choice(
            [
                f"{sign}{value}",
                f"{value}.{rng.randrange(100):02}",
                f"{value:,}",
                f"{value:,}".replace(",", " "),
                f"{value:,}.00",
            ]
        )
        yield f"0.{rng.randrange(10**16):016}"


def orders(rng, count):
    for _ in range(count):
        digits = "".join(rng.choices("0123456789", k=rng.randint(6, 14)))
        amazon = f"{rng.randrange(1000):03}-{rng.randrange(10**7):07}-{rng.randrange(10**7):07}"
        yield rng.choice(
            [f"order {digits}", f"order no. {digits}", f"ORD-{digits}", f"invoice number: {digits}", amazon]
        )
        yield rng.choice(
            [f"INV{digits}", f"PO {digits[:8]}", f"tracking number {digits}", f"1Z{digits}", f"SO-{digits}-1"]
        )


@pytest.mark.parametrize("kind", [moments, amounts, orders])
def test_twenty_thousand_times_amounts_or_order_numbers_hold_no_card(kind):
    rng = random.Random(2)
    values = list(kind(rng, 10_000))
    assert len(values) >= 20_000
    assert [v for v in values if strong(f"at {v} it was")] == []
    misread = MisreadCardNumber()
    assert [v for v in values if strong(f"at {v} it was", misread)] == []


@pytest.mark.parametrize("words", ["order no.", "invoice number:", "tracking number", "PO", "ref", "ticket #", "ORD"])
@pytest.mark.parametrize(("prefix", "length"), [kind for kind in MAIN if kind[1] == 16])
def test_one_that_is_printed_in_fours_is_proven_whatever_word_stands_before_it(words, prefix, length):
    rng = random.Random(f"{words}{prefix}")
    for separator in " -":
        written = grouped(number(rng, prefix, length), separator)
        assert covers(f"{words} {written}", written, at_least=1.0)


def test_the_inside_of_an_iban_is_no_card():
    text = "DK4552015112830366 and FR76 3000 6000 0112 3456 7890 189"
    assert luhn("4552015112830366") or strong("4552015112830366") == []
    assert strong(text) == []


def test_a_masked_number_stays():
    for text in ("card ending 1111", "**** **** **** 1111", "xxxx-xxxx-xxxx-1111", "card 411111******1111"):
        assert CARDS.detect(text) == []


def test_in_a_long_row_all_digits_from_a_card_on_are_covered():
    row = "1 " * 200 + "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 " + "3 " * 200
    assert covers(row, "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1")


def test_options_and_contracts_expire_too_but_a_card_must_be_near():
    expiry = CardExpiry()
    assert expiry.detect("the futures contract expires 12/26") == []
    assert [d.type for d in expiry.detect("my visa expires 12/26")] == ["CARD_EXPIRY"]


def test_a_security_code_is_covered_whole_and_the_word_alone_is_nothing():
    codes = CardSecurityCode()
    text = "4111 1111 1111 1111 exp 12/26 cvv: 123"
    assert [text[d.start : d.end] for d in codes.detect(text)] == ["123"]
    assert codes.detect("what is a CVV and where is it in 2024?") == []
