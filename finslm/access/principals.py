"""(2) Who is this: bearer tokens from the operator's file, or the one local principal on loopback."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import yaml

from finslm.config import AccessSettings
from finslm.errors import ConfigError, Unauthenticated
from finslm.types import Principal
from redaction import strict_yaml

LOCAL = Principal("local")
"""The caller on loopback when no token file is set: the engineer who tries the service on a machine."""

RESERVED = ("local", "unauthenticated")
"""Names that records use for callers without a token; no principal may be taken for them."""

_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")
_SHA256_HEX = re.compile(r"^[0-9a-f]{64}$")


class Authenticator(Protocol):
    """Tells from a call's metadata who calls."""

    def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """Return the caller.

        Raises:
            Unauthenticated: no proof, or a wrong one.
        """
        ...


class LocalAuthenticator:
    """Everybody is :data:`LOCAL`. Only ever used when the server listens on loopback alone."""

    def authenticate(self, metadata: Mapping[str, str]) -> Principal:  # noqa: ARG002 - the Protocol has it
        """Return the local principal."""
        return LOCAL


class TokenAuthenticator:
    """``authorization: Bearer <token>``, compared by SHA-256 in constant time."""

    def __init__(self, digests: Mapping[str, str]) -> None:
        if not digests:
            raise ConfigError("the token file names no principal: nobody could call; add one or unset it")
        self._digests = dict(digests)

    def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """Return the principal whose token the call carries."""
        scheme, _, token = metadata.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("no bearer token: send metadata 'authorization: Bearer <token>'")
        got = hashlib.sha256(token.encode()).hexdigest()
        found: Principal | None = None
        for name, digest in self._digests.items():  # walk all of them: the time tells nothing
            if hmac.compare_digest(got, digest):
                found = Principal(name)
        if found is None:
            raise Unauthenticated("the bearer token is not known; ask the platform team for a current one")
        return found


def read_tokens(path: Path) -> dict[str, str]:
    """Read the token file: YAML, principal name → SHA-256 of its token as 64 lower-case hex digits.

    Raises:
        ConfigError: unreadable, or an entry of another form.
    """
    try:
        entries = strict_yaml.load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"token file {path}: {type(error).__name__}; it must be readable YAML") from None
    if not isinstance(entries, dict):
        raise ConfigError(f"token file {path}: a mapping of principal to SHA-256 is wanted")
    for number, (name, digest) in enumerate(entries.items(), 1):
        if not (isinstance(name, str) and _NAME.fullmatch(name) and name not in RESERVED):
            raise ConfigError(
                f"token file {path}: entry {number}: a name is a-z, 0-9, '.', '_' or '-', at most 64, "
                f"and none of: {', '.join(RESERVED)}"
            )
        if not (isinstance(digest, str) and _SHA256_HEX.fullmatch(digest)):
            raise ConfigError(
                f"token file {path}: entry {number}: wanted the SHA-256 of the token, 64 hex digits in quotes "
                "(printf %s TOKEN | sha256sum)"
            )
    if len(set(entries.values())) < len(entries):
        raise ConfigError(f"token file {path}: two principals have one token: give each its own")
    return entries


def is_loopback(host: str) -> bool:
    """Whether ``host`` can be reached from this machine only."""
    if host == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def build_authenticator(settings: AccessSettings, host: str) -> Authenticator:
    """Choose the authenticator; refuse to serve a network without one.

    Raises:
        ConfigError: ``host`` is not loopback and no token file is set, or the file is unusable.
    """
    if settings.tokens_file is not None:
        return TokenAuthenticator(read_tokens(settings.tokens_file))
    if not is_loopback(host):
        raise ConfigError(
            f"server.host is {host}, reachable from the network, and access.tokens_file is not set: "
            "set it, or listen on 127.0.0.1"
        )
    return LocalAuthenticator()
