"""Passwords, codes and keys: found in the shapes their makers gave them; ordinary talk about them is none."""

from __future__ import annotations

import base64
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.scan import Recognizers
from tests.pace import assert_linear

NAMES = ("password", "pin", "secret")
ALL = {name: Recognizers([RECOGNIZERS.get(name)()]) for name in NAMES}
ALPHANUMERIC = string.ascii_letters + string.digits


def found(name, text):
    return [text[d.start : d.end] for d in ALL[name].detect(text)]


def of(letters, size):
    """A key made for the test, so that no scanner of repositories takes it for a real one."""
    return st.text(letters, min_size=size, max_size=size)


class TestPassword:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("PGPASSWORD=abc123 psql", "abc123"), ("db_pw=Ab1", "Ab1"), ('{"userPassword": "sunshine"}', "sunshine"),
            ("newPassword: kitten99", "kitten99"), ("Server=x;Password=s3cret;Database=y", "s3cret"),
            ("login?password=p%40ss&user=ada", "p%40ss"), ("pwd -> Qw3rty!", "Qw3rty!"), ("passwd: x9!", "x9!"),
            ("my password is sunshine.", "sunshine"), ("the password was changed to kitten", "kitten"),
            ("My Password is correct-horse-battery", "correct-horse-battery"), ("password `a b c` is", "a b c"),
            ("mot de passe : Été2024", "Été2024"), ("contraseña = gatito1", "gatito1"), ("Passwort: geheim", "geheim"),
            ("your log-in secret is Xy7#kk", "Xy7#kk"), ("pass code: 9-9-9", "9-9-9"), ("password sEcReT", "sEcReT"),
        ],
    )  # fmt: skip
    def test_it_is_found_behind_its_word(self, text, value):
        assert value in found("password", text)

    @pytest.mark.parametrize(
        "text",
        [
            "Passwort für Online", "mot de passe oublié", "password e-mail", "password self-service", "Kennwort ändern",
            "the password is wrong", "your password was reset.", "the password is case sensitive", "password expired",
            "password is required", "my password is not working", "compass word", "the bypass code", "password and PIN",
            "my password is being checked", "the password must be long", "passwords are stored", "Password Manager",
            "the password is valid for 90 days",
        ],
    )  # fmt: skip
    def test_talk_about_passwords_holds_none(self, text):
        assert found("password", text) == []

    @given(of(ALPHANUMERIC + "!#%+?@^*-", 10))
    def test_the_value_of_a_key_is_always_found(self, value):
        value = f"{value}x"
        for text in (f"password={value}", f'"password":"{value}"', f"Passwort: {value}", f"DB_PASSWORD='{value}'"):
            assert value in found("password", text)


class TestPin:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("PIN-Code: 4821", "4821"), ("cardPin: 4821", "4821"), ("atm_pin=0042", "0042"), ("pin no. 1234", "1234"),
            ("otp 893412", "893412"), ("your one-time password is 893 412", "893 412"), ("TAN: 482113", "482113"),
            ("mTAN 482113", "482113"), ("verification code - use: 1", ""), ("SMS code is 55120", "55120"),
            ("893412 is your Acme verification code", "893412"),
            ("G-893412 is your Google verification code.", "893412"),
            ("use 482 113 as your one-time code", "482 113"), ("0042 is my pin", "0042"), ("Geheimzahl 7788", "7788"),
            ("the OTP for txn 5512 is 893412.", "893412"),
        ],
    )  # fmt: skip
    def test_it_is_found_beside_its_word(self, text, value):
        assert found("pin", text) == ([value] if value else [])

    @pytest.mark.parametrize(
        "text",
        [
            "pin 12", "spin is 4821", "postal code 12345", "error code 4042", "sort code 200415", "opinion 2024",
            "2024 is the year of the code", "pin 1234.50", "tangent 4821", "pin 1234567890123", "the code is 4821",
            "12345 is your postal code", "4821 is my account", "pin 4821abc",
        ],
    )  # fmt: skip
    def test_other_numbers_and_codes_are_none(self, text):
        assert found("pin", text) == []

    @given(st.from_regex(r"[0-9]{4,12}", fullmatch=True), st.sampled_from(["PIN: {}", '"pin":"{}"', "otp={}"]))
    def test_every_length_of_the_standard_is_found(self, digits, frame):
        assert found("pin", frame.format(digits)) == [digits]


SHAPES = [
    ("AKIA", string.ascii_uppercase + "234567", 16), ("ASIA", string.ascii_uppercase + "234567", 16),
    *((f"gh{kind}_", ALPHANUMERIC, 36) for kind in "pousr"), ("github_pat_", ALPHANUMERIC + "_", 82),
    ("glpat-", ALPHANUMERIC + "-_", 20), ("sk_live_", ALPHANUMERIC, 24), ("rk_test_", ALPHANUMERIC, 24),
    ("pk_live_", ALPHANUMERIC, 24), ("whsec_", ALPHANUMERIC, 32), ("xoxb-", string.digits + "-", 30),
    ("AIza", ALPHANUMERIC + "-_", 35), ("ya29.", ALPHANUMERIC + "-_", 60), ("hf_", ALPHANUMERIC, 34),
    ("npm_", ALPHANUMERIC, 36), ("dop_v1_", "0123456789abcdef", 64), ("sk-proj-7", ALPHANUMERIC, 48),
    ("sk-ant-api03-", ALPHANUMERIC, 95), ("pypi-", ALPHANUMERIC, 150),
]  # fmt: skip


def jwt(claims):
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    return f"{head.decode().rstrip('=')}.{body.decode().rstrip('=')}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


class TestSecret:
    @pytest.mark.parametrize(("prefix", "letters", "size"), SHAPES, ids=[shape[0] for shape in SHAPES])
    @given(st.data())
    def test_what_its_maker_gave_a_prefix_is_found_without_a_word(self, prefix, letters, size, data):
        token = prefix + data.draw(of(letters, size - 1)) + "a2"[letters.startswith("0")]
        token = token[:-1] + "A" if prefix in ("AKIA", "ASIA") else token
        for text in (f"we use {token}, thanks", f"url?k={token}&y", f"x_{token}"):
            assert token in found("secret", text)

    def test_a_token_is_found_whole_however_long(self):
        for size in (1, 10, 500, 20_000):
            token = jwt({"sub": "ada", "pad": "x7" * size})
            assert token in found("secret", f"header {token} and more")
            assert token in found("secret", f"Authorization: Bearer {token}")
            opaque = "aB3fG7hK1_" * (size + 2)
            assert found("secret", f"Authorization: bearer {opaque} x") == [opaque]
            assert found("secret", f"api_key={opaque}") == [opaque]

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("redis://:p4ss@cache/0", "p4ss"), ("mongodb+srv://u:pw1!@h", "pw1!"), ("Basic QWxhZGRpbjpvcGVu", ""),
            ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY"),
            ("refreshToken: 8xLOxBtZp8abc", "8xLOxBtZp8abc"), ("x-api-key: 0a1b2c3d4e5f", "0a1b2c3d4e5f"),
            ("clientSecret=>'9Zq!8f7a'", "9Zq!8f7a"), ("the token is 9f8b7c6d5e", "9f8b7c6d5e"),
            ("session_id=5e884898da28", "5e884898da28"), ("mother’s maiden name is Okonkwo", "Okonkwo"),
            ("memorable place: New York, please", "New York"), ("security answer: O'Brien", "O'Brien"),
        ],
    )  # fmt: skip
    def test_it_is_found_behind_its_word(self, text, value):
        assert found("secret", text) == [value or text.split()[1]]

    @pytest.mark.parametrize("kind", ["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "", "PGP "])
    def test_a_private_key_is_found_from_its_first_line_to_its_last(self, kind):
        block = " BLOCK" if kind == "PGP " else ""
        key = f"-----BEGIN {kind}PRIVATE KEY{block}-----\nMIIB\n\nabc=\n-----END {kind}PRIVATE KEY{block}-----"
        assert found("secret", f"here:\n{key}\nthanks") == [key]
        assert found("secret", f"here:\n{key[:-20]}") == [key[:-20]]

    @pytest.mark.parametrize(
        "text",
        [
            "sk-estimator-doc-link-wrapper", "basic understanding/knowledge", "token: <SECRET_1>", "api_key=${API_KEY}",
            "the token is invalid", "secret: confidential", "mother's maiden name is required", "session id is missing",
            "the security answer is incorrect", "token={{ token }}", "tokenization: 12345678ab", "keyed to a monkey",
            "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad", "-----BEGIN CERTIFICATE-----", "https://example.com/a@b",
            "-----BEGIN PUBLIC KEY-----", "sha256:9f86d081884c7d659a2feaa0c55ad015", "order 2024-000123", "AKIABC",
            "eyJ is how they begin", "the bearer of 1000 shares", "tasks sk-ip", "memorable name is not given",
        ],
    )  # fmt: skip
    def test_talk_hashes_and_templates_hold_none(self, text):
        assert found("secret", text) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "unit",
    ["password ", "password is a", "password for of ", "pw=", "pw=;a=", "pin ", "pin 1 ", "1234 is your ", "-eyJ",
     "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "token=", "token ", "Bearer ", "sk-", "a://b:", "security answer ",
     "secret is <", "maiden name A "],
)  # fmt: skip
def test_hostile_repetition_takes_linear_time(name, unit):
    assert_linear(lambda size: RECOGNIZERS.get(name)().detect(unit * (size // len(unit))), 5_000, 40_000)
