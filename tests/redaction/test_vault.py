"""The vault in memory: contract, expiry, isolation of owners."""

from __future__ import annotations

import threading
import uuid

import pytest

from redaction import MemoryVault
from redaction.errors import SessionNotFound
from redaction.vault import Vault


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_session_gives_back_its_map_to_its_owner():
    vault: Vault = MemoryVault()
    original = {"<PERSON_1>": "Ada"}
    session = vault.put("bank/ada", original)
    original.clear()
    assert uuid.UUID(session).version == 4
    assert dict(vault.get("bank/ada", session)) == {"<PERSON_1>": "Ada"}


def test_another_owner_cannot_tell_a_session_from_one_that_never_was():
    vault = MemoryVault()
    session = vault.put("a", {"<PERSON_1>": "Ada"})
    with pytest.raises(SessionNotFound) as foreign:
        vault.get("b", session)
    with pytest.raises(SessionNotFound) as unknown:
        vault.get("b", str(uuid.uuid4()))
    assert str(foreign.value) == str(unknown.value)
    assert vault.purge("b", session) == 0
    assert vault.get("a", session)


def test_a_session_ends_with_its_time_and_is_swept():
    clock = Clock()
    vault = MemoryVault(ttl_s=10, clock=clock)
    session = vault.put("a", {})
    clock.now += 9.9
    assert vault.get("a", session) == {}
    clock.now += 0.1
    with pytest.raises(SessionNotFound):
        vault.get("a", session)
    assert len(vault) == 0


def test_when_it_is_full_the_oldest_goes_first():
    vault = MemoryVault(max_sessions=2)
    first, second, third = (vault.put("a", {}) for _ in range(3))
    with pytest.raises(SessionNotFound):
        vault.get("a", first)
    assert vault.get("a", second) == vault.get("a", third) == {}


def test_purge_forgets_one_session_or_all_of_an_owner():
    vault = MemoryVault()
    sessions = [vault.put("a", {}) for _ in range(3)]
    vault.put("b", {})
    assert vault.purge("a", sessions[0]) == 1
    assert vault.purge("a") == 2
    assert len(vault) == 1


def test_threads_share_it():
    vault = MemoryVault(max_sessions=10_000)
    wrong: list[int] = []

    def work(number: int) -> None:
        for n in range(300):
            session = vault.put(str(number), {"<A_1>": f"{number}.{n}"})
            if vault.get(str(number), session)["<A_1>"] != f"{number}.{n}":
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(vault) == 1200


@pytest.mark.parametrize("limits", [{"ttl_s": 0}, {"max_sessions": 0}])
def test_limits_must_be_positive(limits):
    with pytest.raises(ValueError, match="positive"):
        MemoryVault(**limits)
