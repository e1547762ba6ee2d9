"""E-mail and web addresses: spelt ones, internal ones, missing spaces, and no network."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.recognizers.web import EmailAddress, ObfuscatedEmail, Url, has_public_suffix, offline_suffixes
from tests.pace import assert_linear

EMAILS, SPELT, URLS = EmailAddress(), ObfuscatedEmail(), Url()
LABEL = st.from_regex(r"[a-z]([a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)


def found(recognizer, text):
    return [text[d.start : d.end] for d in recognizer.detect(text)]


@given(LABEL, LABEL, st.sampled_from(["com", "co.uk", "de", "internal"]))
def test_every_plain_address_is_found_whole(local, label, suffix):
    address = f"{local}@{label}.{suffix}"
    assert found(EMAILS, f"<{address}>, she said") == [address]


@given(
    LABEL, LABEL, st.sampled_from([" [at] ", "(at)", " at ", " {AT} "]), st.sampled_from([" dot ", " [dot] ", "(dot)"])
)
def test_every_spelt_address_is_found_whole(local, label, at, dot):
    address = f"{local}{at}{label}1{dot}com"  # "at the dot com" is a sentence
    assert found(SPELT, f"({address})") == [address]


@pytest.mark.parametrize(
    "text", ["look at the dot dot dot", "a cat at noon. Com", "meet me at polka dot dresses today"]
)
def test_words_alone_are_no_address(text):
    assert found(SPELT, text) == []


def test_what_follows_a_spelt_address_stays():
    assert found(SPELT, "ann at example dot com dot nothing else") == ["ann at example dot com"]


@pytest.mark.parametrize("text", ["we paid.In May", "Smith.to be", "see README.md", "run.sh", "12.5.in", "e.g.this"])
def test_a_missing_space_makes_no_host(text):
    assert found(URLS, text) == []


def test_the_suffix_list_is_read_once_and_without_the_network(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("a connection"))
    assert offline_suffixes() is offline_suffixes()
    assert has_public_suffix("example.co.uk")
    assert not has_public_suffix("example.nowhereville")


@pytest.mark.parametrize("unit", ["a.com ", "a@b.com ", "a.b.c.d.e.f.", "x (at) y (dot) ", " at a dot "])
def test_many_hosts_take_linear_time(unit):
    for recognizer in (EMAILS, SPELT, URLS):
        assert_linear(lambda size, detect=recognizer.detect: detect(unit * (size // len(unit))), 5_000, 40_000)
