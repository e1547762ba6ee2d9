"""The log goes on under a new key, and who trusts the old one is led to it and to no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from finslm.audit import AuditLog, Kind, Record, files, verify_dir
from finslm.audit.checkpoint import Signer, Verifier
from finslm.audit.export import export_bundle
from finslm.audit.merkle import Frontier, leaf_hash
from finslm.audit.proof import Proof
from finslm.audit.rotation import NEXT_KEY_FILE, ROTATIONS_DIR, public_part, rotate
from finslm.audit.tiles import TileBuilder, put
from finslm.errors import AuditCorrupt, AuditUnavailable

Open = Callable[..., AuditLog]
Make = Callable[..., Record]
ORIGIN = "bank.example/finslm"


async def grow(open_log: Open, make_record: Make, count: int = 3) -> None:
    log = open_log()
    for n in range(count):
        await log.append(make_record(n))
    await log.close()


async def test_old_keys_lead_to_the_new_one(open_log: Open, make_record: Make, tmp_path: Path) -> None:
    """Each key that ever signed verifies the whole log; receipts of the old time verify with the key of their time."""
    folder, vkeys, proofs = tmp_path / "log", list[str](), list[tuple[str, str]]()
    for n in range(3):
        log = open_log()
        begun = await log.append(make_record(n))
        ended = await log.append(make_record(n, kind=Kind.OUTCOME, status="OK", intent_index=begun.index))
        proofs.append((ended.proof, ended.leaf_hash))
        await log.close()
        vkeys.append((folder / "log.vkey").read_text())
        if n < 2:
            rotate(folder, ORIGIN)
    assert len(set(vkeys)) == 3
    for vkey, (proof, leaf) in zip(vkeys, proofs, strict=True):
        assert verify_dir(folder, vkey=vkey).tree_size == 8
        Proof.parse(proof).verify(bytes.fromhex(leaf), Verifier.parse(vkey.strip()))
    log = open_log()
    events = [record for _, record in log.events("KEY_ROTATED")]
    assert [e.details["after"] for e in events] == [public_part(Verifier.parse(v.strip())) for v in vkeys[1:]]
    assert not (folder / NEXT_KEY_FILE).exists()
    with pytest.raises(AuditUnavailable, match="another process"):
        rotate(folder, ORIGIN)
    await log.close()


async def test_a_key_that_the_old_one_never_signed_for(open_log: Open, make_record: Make, tmp_path: Path) -> None:
    """Who can write the folder can put any key beside a checkpoint of the old one, and is not believed."""
    await grow(open_log, make_record)
    folder = tmp_path / "log"
    vkey, note = (folder / "log.vkey").read_text(), (folder / "checkpoint").read_text()
    (tmp_path / "thief").mkdir()
    shutil.copytree(folder, tmp_path / "forged")
    rotate(folder, ORIGIN)
    thief = Signer(ORIGIN, Ed25519PrivateKey.generate())
    forged = tmp_path / "forged"
    signed = Verifier.parse(vkey.strip()).verify(note)
    (forged / ROTATIONS_DIR).mkdir()
    both = note + thief.sign(signed.size, signed.root_hash).rpartition("\n\n")[2]
    (forged / ROTATIONS_DIR / f"{signed.size:012d}.checkpoint").write_text(both)
    (forged / ROTATIONS_DIR / f"{signed.size:012d}.vkey").write_text(f"{thief.verifier.vkey()}\n")
    (forged / "checkpoint").write_text(thief.sign(signed.size, signed.root_hash))
    (forged / "log.vkey").write_text(f"{thief.verifier.vkey()}\n")
    assert verify_dir(forged, vkey=thief.verifier.vkey()).ok, "by itself it is a log"
    with pytest.raises(AuditCorrupt, match="KEY_ROTATED") as caught:
        verify_dir(forged, vkey=vkey)
    assert caught.value.index == signed.size - 1


@pytest.mark.parametrize("layout", ["files", "files, pruned", "tiles"])
async def test_a_forged_change_of_keys_is_believed_in_no_layout(layout: str, make_record: Make, tmp_path: Path) -> None:
    """A thief without the key signs a genuine checkpoint too, puts a record of his own beside it, and goes on."""
    folder, forged = tmp_path / "log", tmp_path / "forged"
    log = AuditLog.open(folder, origin=ORIGIN, checkpoint_interval_s=3600, segment_records=5)
    for n in range(5):
        await log.append(make_record(n))
    await log.close()
    vkey, note = (folder / "log.vkey").read_text(), (folder / "checkpoint").read_text()
    thief = Signer(ORIGIN, Ed25519PrivateKey.generate())
    signed = Verifier.parse(vkey.strip()).verify(note)
    if layout == "tiles":
        frontier, builder = Frontier(), TileBuilder()
        for n in range(9):
            entry = make_record(n, principal="mallory").canonical("2026-01-01T00:00:00.000000Z")
            frontier.append(leaf_hash(entry))
            put(forged, builder.add(leaf_hash(entry), entry))
        put(forged, builder.partial())
        (forged / "checkpoint").write_text(thief.sign(9, frontier.root()))
    else:
        shutil.copytree(folder, forged)
        (forged / "checkpoint").write_text(thief.sign(signed.size, signed.root_hash))
        (forged / "log.vkey").unlink()
        (forged / "signing-key.pem").write_bytes(
            thief._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        log = AuditLog.open(forged, origin=ORIGIN, checkpoint_interval_s=3600, segment_records=5)
        await log.append(make_record(9, principal="mallory"))
        if layout == "files, pruned":
            await log.drop(5, {}, since=log.size)
        await log.close()
    (forged / ROTATIONS_DIR).mkdir()
    stem = forged / ROTATIONS_DIR / f"{signed.size:012d}"
    stem.with_suffix(".checkpoint").write_text(note + thief.sign(signed.size, signed.root_hash).rpartition("\n\n")[2])
    stem.with_suffix(".vkey").write_text(f"{thief.verifier.vkey()}\n")
    event = Record(Kind.EVENT, event="KEY_ROTATED", details={"after": public_part(thief.verifier)})
    stem.with_suffix(".record").write_bytes(event.canonical("2026-01-01T00:00:00.000000Z"))
    with pytest.raises(AuditCorrupt):
        verify_dir(forged, vkey=vkey)


async def test_an_export_leads_from_the_old_key_too(make_record: Make, tmp_path: Path) -> None:
    """Also when retention took the record of the change away."""
    folder, vkeys = tmp_path / "log", list[str]()
    for n in range(3):
        log = AuditLog.open(folder, origin=ORIGIN, checkpoint_interval_s=3600, segment_records=2)
        for k in range(4):
            await log.append(make_record(4 * n + k))
        if n == 2:
            await log.drop(log.boundaries[-1], {}, since=log.size)
        await log.close()
        vkeys.append((folder / "log.vkey").read_text())
        if n < 2:
            rotate(folder, ORIGIN)
    export_bundle(folder, tmp_path / "bundle")
    for vkey in vkeys:
        assert verify_dir(folder, vkey=vkey).first_kept > 9
        assert verify_dir(tmp_path / "bundle", vkey=vkey).ok


@pytest.mark.parametrize("writes", range(1, 9))
async def test_a_change_that_breaks_off(
    writes: int, open_log: Open, make_record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any of its writes: the log opens, verifies with the key of before, and the change can be made again."""
    await grow(open_log, make_record)
    folder, left, real = tmp_path / "log", [writes], files.write_atomically
    vkey = (folder / "log.vkey").read_text()

    def stop(path: Path, data: bytes, mode: int = 0o600) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(5, "Input/output error")
        real(path, data, mode)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomically", stop)
        try:
            rotate(folder, ORIGIN)
        except AuditUnavailable:
            pass
    log = open_log()
    await log.append(Record(Kind.EVENT, event="TICK"))
    await log.close()
    assert verify_dir(folder, vkey=vkey).ok
    rotate(folder, ORIGIN)
    assert verify_dir(folder, vkey=vkey).ok
    assert (folder / "log.vkey").read_text() != vkey
