"""Who calls is proved, or the server does not listen to the network."""

from __future__ import annotations

import hashlib

import pytest

from finslm.access.principals import TokenAuthenticator, build_authenticator, is_loopback
from finslm.config import AccessSettings
from finslm.errors import ConfigError, Unauthenticated


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


TWICE = f"desk: '{digest('x')}'\ndesk: '{digest('y')}'"
SAME = f"desk: '{digest('x')}'\nfraud: '{digest('x')}'"


@pytest.fixture
def tokens_file(tmp_path):
    file = tmp_path / "tokens.yaml"
    file.write_text(f"payments-desk: '{digest('one')}'\nfraud: '{digest('two')}'\n")
    return file


class TestTokens:
    def test_a_token_names_its_principal(self, tokens_file):
        """The name is the operator's."""
        who = build_authenticator(AccessSettings(tokens_file=tokens_file), "0.0.0.0")
        assert who.authenticate({"authorization": "Bearer two"}).name == "fraud"
        assert who.authenticate({"authorization": "bearer one"}).name == "payments-desk"

    @pytest.mark.parametrize(
        "value", ["", "Bearer", "Bearer ", "Bearer three", "Basic one", "one", "Bearer one,Bearer two"]
    )
    def test_anything_else_is_refused(self, tokens_file, value):
        """No token, a wrong one, two at once; the message repeats none of it."""
        who = build_authenticator(AccessSettings(tokens_file=tokens_file), "0.0.0.0")
        with pytest.raises(Unauthenticated) as refused:
            who.authenticate({"authorization": value} if value else {})
        assert "three" not in str(refused.value)

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "[]",
            "a: b",
            "payments: 'ABC'",
            f"'Bad Name': '{'0' * 64}'",
            "a: 5",
            "{",
            "payments: hunter2-token",
            TWICE,
            f"local: '{digest('x')}'",
            SAME,
        ],
    )
    def test_an_unusable_file_refuses_the_start(self, tmp_path, content):
        """Also an empty one: nobody could call. The message does not show a token put there by mistake."""
        file = tmp_path / "tokens.yaml"
        file.write_text(content)
        with pytest.raises(ConfigError) as refused:
            build_authenticator(AccessSettings(tokens_file=file), "0.0.0.0")
        assert "hunter2-token" not in str(refused.value)

    def test_no_principals_is_no_authenticator(self):
        """An empty table must not mean everybody."""
        with pytest.raises(ConfigError):
            TokenAuthenticator({})


class TestLoopback:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]", "unix:/run/x"])
    def test_loopback_needs_no_token(self, host):
        """An engineer on a machine."""
        assert is_loopback(host)
        assert build_authenticator(AccessSettings(), host).authenticate({}).name == "local"

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "10.0.0.1", "example.internal", "128.0.0.1", ""])
    def test_a_network_address_without_tokens_refuses_the_start(self, host):
        """Fail closed."""
        with pytest.raises(ConfigError, match="tokens_file"):
            build_authenticator(AccessSettings(), host)
