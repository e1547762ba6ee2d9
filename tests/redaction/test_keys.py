"""Who keeps the keys: files, the environment, a security module. What they do alike, and what is refused."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redaction.errors import KeyDestroyed, VaultTampered, VaultUnavailable
from redaction.keys import EnvironmentKeys, FileKeys, KeyProvider, TenantKeys
from redaction.vault import Owner
from redaction.vault.sqlite import SqliteVault

HSM = Path("/usr/lib/softhsm/libsofthsm2.so")
KEY = base64.b64encode(b"k" * 32).decode()
GOOD: dict[str, Any] = {"current": "1", "derive": "1", "keys": {"1": KEY}}


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A token of SoftHSM2, with two AES keys and a secret. Its library reads its settings once in a process."""
    if not HSM.exists() or shutil.which("softhsm2-util") is None:
        pytest.skip("needs a security module: apt-get install softhsm2")
    import pkcs11
    from pkcs11 import KeyType, MechanismFlag

    home = tmp_path_factory.mktemp("hsm")
    (home / "tokens").mkdir()
    (home / "softhsm2.conf").write_text(f"directories.tokendir = {home}/tokens\n")
    os.environ["SOFTHSM2_CONF"] = str(home / "softhsm2.conf")
    command = ["softhsm2-util", "--init-token", "--free", "--label", "finslm", "--so-pin", "1234", "--pin", "5678"]
    subprocess.run(command, check=True, capture_output=True)
    with pkcs11.lib(str(HSM)).get_token(token_label="finslm").open(rw=True, user_pin="5678") as session:
        for label in ("2026-01", "2026-11"):
            session.generate_key(KeyType.AES, 256, label=label, store=True)
        flags = {"capabilities": MechanismFlag.SIGN}
        session.generate_key(KeyType.GENERIC_SECRET, 256, label="derive", store=True, **flags)
    yield "finslm"
    del os.environ["SOFTHSM2_CONF"]


def hsm(current: str = "2026-01") -> KeyProvider:
    from redaction.keys.pkcs11 import Pkcs11Keys

    return Pkcs11Keys(HSM, "finslm", "5678", current, "derive")


@pytest.fixture(params=["file", "environment", "pkcs11"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> KeyProvider:
    if request.param == "pkcs11":
        request.getfixturevalue("token")
        return hsm()
    return FileKeys.made(tmp_path / "keys.json") if request.param == "file" else EnvironmentKeys(json.dumps(GOOD), "X")


class TestEveryProvider:
    def test_what_it_wraps_it_unwraps(self, keys: KeyProvider) -> None:
        wrapped = keys.wrap("bank", b"d" * 32, b"session")
        assert wrapped.key_id == keys.current
        assert b"d" * 8 not in wrapped.blob
        assert keys.unwrap("bank", wrapped, b"session") == b"d" * 32
        assert keys.wrap("bank", b"d" * 32, b"session").blob != wrapped.blob

    @pytest.mark.parametrize(
        "change",
        [
            lambda w: ("other", w, b"session"),
            lambda w: ("bank", w, b"another"),
            lambda w: ("bank", w._replace(blob=w.blob[:-1] + bytes([w.blob[-1] ^ 1])), b"session"),
            lambda w: ("bank", w._replace(blob=bytes([w.blob[0] ^ 1]) + w.blob[1:]), b"session"),
            lambda w: ("bank", w._replace(blob=b""), b"session"),
            lambda w: ("bank", w._replace(blob=w.blob[:20]), b"session"),
        ],
    )
    def test_it_opens_for_nothing_else(self, keys: KeyProvider, change: Callable[..., Any]) -> None:
        with pytest.raises(VaultTampered):
            keys.unwrap(*change(keys.wrap("bank", b"d" * 32, b"session")))

    def test_a_key_that_is_gone_is_told(self, keys: KeyProvider) -> None:
        wrapped = keys.wrap("bank", b"d" * 32, b"session")
        with pytest.raises(KeyDestroyed):
            keys.unwrap("bank", wrapped._replace(key_id="gone"), b"session")

    def test_what_is_derived_is_the_tenants_and_the_purposes(self, keys: KeyProvider) -> None:
        bank = TenantKeys(keys, "bank")
        assert bank.derive("x") == keys.derive("bank", "x")
        assert len({bank.derive("x"), bank.derive("y"), keys.derive("other", "x")}) == 3
        assert len(bank.derive("x")) == 32

    def test_a_vault_lives_on_it(self, keys: KeyProvider, tmp_path: Path) -> None:
        owner, vault = Owner("bank", "ada"), SqliteVault(tmp_path / "v.sqlite", keys, 60)
        session = vault.open(owner)
        vault.issue(owner, session, [("PERSON", "Ada")])
        vault.close()
        again = SqliteVault(tmp_path / "v.sqlite", keys, 60)
        assert again.get(owner, session) == {"<PERSON_1>": "Ada"}
        again.close()


class TestFile:
    def test_it_is_made_for_its_owner_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "new" / "keys.json"
        FileKeys.made(file)
        assert file.stat().st_mode & 0o777 == 0o600
        before = file.read_bytes()
        FileKeys.made(file)
        assert file.read_bytes() == before

    def test_others_may_not_read_it(self, tmp_path: Path) -> None:
        file = tmp_path / "keys.json"
        FileKeys.made(file)
        file.chmod(0o640)
        with pytest.raises(VaultUnavailable, match="chmod 600"):
            FileKeys(file)

    @pytest.mark.parametrize(
        ("tree", "says"),
        [
            ([], "no keys of the form"),
            ({**GOOD, "keys": {"1": "####"}}, "no keys of the form"),
            ({**GOOD, "keys": {"1": KEY[:20]}}, "no keys of the form|not 32 bytes"),
            ({**GOOD, "keys": {"1": base64.b64encode(b"short").decode()}}, "not 32 bytes"),
            ({**GOOD, "current": "2"}, "current names no key"),
            ({**GOOD, "derive": "2"}, "derive names no key"),
            ({"keys": {"1": KEY}}, "no keys of the form"),
        ],
    )
    def test_what_is_no_key_file_is_refused_and_not_quoted(self, tmp_path: Path, tree: Any, says: str) -> None:
        file = tmp_path / "keys.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(tree))
        with pytest.raises(VaultUnavailable, match=says) as refused:
            FileKeys(file)
        assert KEY[:16] not in str(refused.value)

    def test_a_missing_one(self, tmp_path: Path) -> None:
        with pytest.raises(VaultUnavailable, match="cannot be read"):
            FileKeys(tmp_path / "none.json")


class TestModule:
    def test_keys_rotate(self, token: str, tmp_path: Path) -> None:
        owner, old, new = Owner("bank", "ada"), hsm("2026-01"), hsm("2026-11")
        vault = SqliteVault(tmp_path / "v.sqlite", old, 60)
        session = vault.open(owner)
        vault.issue(owner, session, [("PERSON", "Ada")])
        vault.close()
        vault = SqliteVault(tmp_path / "v.sqlite", new, 60)
        assert vault.get(owner, session) == {"<PERSON_1>": "Ada"}
        assert (vault.rewrap(), vault.keys_in_use()) == (1, {"2026-11"})
        assert vault.get(owner, session) == {"<PERSON_1>": "Ada"}
        assert old.derive("bank", "x") == new.derive("bank", "x")
        vault.close()

    @pytest.mark.parametrize(
        "wrong", [{"token": "none"}, {"module": "/nowhere.so"}, {"current": "none"}, {"derive": "2026-01"}]
    )
    def test_what_is_not_there_refuses_the_start(self, token: str, wrong: dict[str, str]) -> None:
        from redaction.keys.pkcs11 import Pkcs11Keys

        given = {"module": HSM, "token": token, "pin": "5678", "current": "2026-01", "derive": "derive"} | wrong
        with pytest.raises(VaultUnavailable) as refused:
            Pkcs11Keys(**{**given, "module": Path(given["module"])})
        assert "5678" not in str(refused.value)

    def test_a_wrong_pin_refuses_the_start(self, token: str) -> None:
        """In a process of its own: a login counts for all of one."""
        code = (
            "import sys; from pathlib import Path; from redaction.keys.pkcs11 import Pkcs11Keys\n"
            "Pkcs11Keys(Path(sys.argv[1]), sys.argv[2], '0000', '2026-01', 'derive')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(HSM), token], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "VaultUnavailable" in done.stderr
        assert "check module, label and PIN" in done.stderr
