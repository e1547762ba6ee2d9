"""Addresses of cryptocurrencies: the vectors of the standards, near misses, and hashes that are none."""

from __future__ import annotations

import hashlib

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.recognizers.crypto import CryptoAddress
from redaction.recognizers.scan import Recognizers
from tests.pace import assert_linear

CRYPTO = Recognizers([CryptoAddress()])
BASE58 = ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"]
BECH32 = [
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "BC1SW50QGDZ25J",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
]
"""Valid main net addresses of BIP 350."""

WRONG_BECH32 = [
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
]
"""Invalid ones of BIP 350: the checksum of the other standard, a version that does not exist."""

NO_BECH32 = [
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "bc1q0xlxvLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ",
]
MIXED = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
ONE_CASE = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
]


def found(text, type_="CRYPTO"):
    return [(text[d.start : d.end], d.validated) for d in CRYPTO.detect(text) if d.type == type_]


@pytest.mark.parametrize("frame", ["{}", "send to {}, please", "bitcoin:{}?amount=1", '"address":"{}"', "x_{}_y"])
@pytest.mark.parametrize("address", [*BASE58, *BECH32, *MIXED, *ONE_CASE])
def test_published_addresses_are_found_without_a_word(address, frame):
    assert found(frame.format(address)) == [(address, True)]


@given(st.binary(min_size=20, max_size=20), st.sampled_from([0x00, 0x05, 0x1E, 0x30, 0x32, 0x41, 0x4C]))
def test_every_address_of_a_known_version_is_found(hashed, version):
    address = base58.b58encode_check(bytes([version]) + hashed).decode()
    if len(address) >= 26:
        assert found(f"to {address} now") == [(address, True)]


@pytest.mark.parametrize("address", WRONG_BECH32)
def test_a_wrong_checksum_is_a_near_miss_where_length_and_letters_are_those_of_an_address(address):
    assert found(f"to {address} now") == [(address, False)]


@pytest.mark.parametrize("address", NO_BECH32)
def test_foreign_letters_and_mixed_case_make_no_address(address):
    assert found(f"to {address} now") == []


@given(st.sampled_from(BASE58), st.integers(1, 33), st.sampled_from("23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijk"))
def test_a_mistyped_letter_is_a_near_miss_beside_a_word(address, place, letter):
    wrong = address[:place] + letter + address[place + 1 :]
    if wrong != address:
        assert found(f"from {wrong} today") == []
        assert found(f"BTC wallet {wrong}") == [(wrong, False)]


@given(st.sampled_from(MIXED), st.integers(2, 41))
def test_a_letter_in_the_wrong_case_is_a_near_miss(address, place):
    wrong = address[:place] + address[place].swapcase() + address[place + 1 :]
    if wrong != address:
        assert found(wrong) == [(wrong, False)]


def test_an_address_over_two_lines_is_found_whole():
    for end in ("\n", "\r\n"):
        broken = MIXED[0][:20] + end + MIXED[0][20:]
        assert found(f"to {broken}\nand 12 more") == [(broken, True)]


@pytest.mark.parametrize("text", ["de709f2102306220921060314715629080e2fb77", "1234567890123456789012345678", "1" * 34])
def test_hashes_and_rows_of_digits_are_none(text):
    assert found(f"commit {text} of today") == []


@given(st.binary(max_size=8))
def test_no_hash_is_an_address(seed):
    for name in ("md5", "sha1", "sha256"):
        assert found(f"{name} {hashlib.new(name, seed, usedforsecurity=False).hexdigest()}") == []


@given(st.binary(min_size=32, max_size=32), st.booleans())
def test_a_private_key_in_the_format_of_wallets_is_a_secret(key, compressed):
    written = base58.b58encode_check(b"\x80" + key + b"\x01" * compressed).decode()
    assert found(f"my key is {written}", "SECRET") == [(written, True)]
    assert found(f"my key is {written[:-1]}{'2' if written[-1] == '1' else '1'}", "SECRET") == []


def test_an_extended_private_key_is_a_secret():
    key = base58.b58encode_check(b"\x04\x88\xad\xe4" + bytes(range(74))).decode()
    assert found(f"({key})", "SECRET") == [(key, True)]


@pytest.mark.parametrize(
    "unit", ["1", "bc1q", "0x1234", "0x1234\n", "ab12\n", "5K ", "xprv", "wallet 1A1z", "ltc1 bc1 "]
)
def test_hostile_repetition_takes_linear_time(unit):
    assert_linear(lambda size: CryptoAddress().detect(unit * (size // len(unit))), 5_000, 40_000)
