"""The vault in memory: expiry, limits; what every vault does is in tests/contract."""

from __future__ import annotations

import pytest

from redaction import MemoryVault
from redaction.errors import SessionNotFound
from redaction.vault import EVERYBODY, Owner, SessionIssuer, values_of
from redaction.vault.issuing import marked, nonce_of

ADA, BOB = Owner("bank", "ada"), Owner("bank", "bob")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_with_its_time_and_is_swept():
    clock = Clock()
    vault = MemoryVault(ttl_s=10, clock=clock)
    session = vault.open(ADA)
    clock.now += 9.9
    assert vault.get(ADA, session) == {}
    clock.now += 0.1
    assert not vault.has(ADA, session)
    with pytest.raises(SessionNotFound):
        vault.get(ADA, session)
    assert len(vault) == 0


def test_a_tenants_own_session_stays():
    clock = Clock()
    vault = MemoryVault(ttl_s=10, max_sessions=1, clock=clock)
    everybody = Owner("bank", EVERYBODY)
    session = vault.open(everybody)
    vault.issue(everybody, session, [("PERSON", "Ada")])
    clock.now += 1000
    for _ in range(3):
        vault.open(ADA)
    assert vault.open(everybody) == session
    assert vault.get(everybody, session) == {"<PERSON_1>": "Ada"}
    assert vault.open(Owner("other", EVERYBODY)) != session


def test_when_it_is_full_the_oldest_goes_first():
    vault = MemoryVault(max_sessions=2)
    first, second, third = (vault.open(ADA) for _ in range(3))
    with pytest.raises(SessionNotFound):
        vault.get(ADA, first)
    assert vault.get(ADA, second) == vault.get(ADA, third) == {}


@pytest.mark.parametrize("limits", [{"ttl_s": 0}, {"max_sessions": 0}])
def test_limits_must_be_positive(limits):
    with pytest.raises(ValueError, match="positive"):
        MemoryVault(**limits)


def test_what_travels_carries_the_sessions_nonce():
    vault = MemoryVault()
    session = vault.open(ADA)
    issuer = SessionIssuer(vault, ADA, session, travels=True)
    (placeholder,) = issuer.issue([("PERSON", "Ada")])
    assert placeholder == marked("<PERSON_1>", nonce_of(session))
    assert values_of(vault, ADA, session, f"<PERSON_1> {placeholder} <PERSON_2_{nonce_of(session)}>") == {
        placeholder: "Ada"
    }
    assert SessionIssuer(vault, ADA, session, travels=False).issue([("PERSON", "Ada")]) == ["<PERSON_1>"]


def test_nonces_differ():
    nonces = {nonce_of(MemoryVault().open(ADA)) for _ in range(1000)}
    assert len(nonces) == 1000
