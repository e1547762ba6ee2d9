"""The log in the layout of C2SP tlog-tiles: what is written, that it verifies, and that nothing in it is free."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record, VerifyReport, files, merkle, verify_dir
from finslm.audit.checkpoint import Verifier
from finslm.audit.export import export_bundle, export_lines, json_line
from finslm.audit.nodes import nodes_of, tile_path
from finslm.audit.tiles import TileBuilder, unbundle
from finslm.errors import AuditCorrupt, AuditUnavailable, ConfigError

Open = Callable[..., AuditLog]
SIZE = 700


def verify_tiles(folder: Path, verifier: Verifier, visit: Callable[[int, Record], None] | None = None) -> VerifyReport:
    return verify_dir(folder, vkey=verifier.vkey(), visit=visit)


async def fill(log: AuditLog, count: int) -> None:
    for n in range(count):
        await log.append(Record(Kind.EVENT, event=f"TICK_{n}"))


@pytest.fixture
async def log_dir(open_log: Open, tmp_path: Path) -> Path:
    log = open_log()
    await fill(log, SIZE)
    await log.close()
    return tmp_path / "log"


@pytest.fixture
def verifier(log_dir: Path) -> Verifier:
    return Verifier.parse((log_dir / "log.vkey").read_text().strip())


def test_paths() -> None:
    """Examples of the specification."""
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(1, 0, 17) == "tile/1/000.p/17"
    assert tile_path("entries", 273, 112) == "tile/entries/273.p/112"


def test_the_layout_of_70000_records() -> None:
    """As the specification counts it: 273 full tiles and one of 112, then one full and one of 17, then one of 1."""
    builder, full = TileBuilder(), list[str]()
    for n in range(70_000):
        full += (name for name, _ in builder.add(merkle.leaf_hash(b"%d" % n), b"%d" % n))
    assert [sum(name.startswith(f"tile/{level}/") for name in full) for level in (0, 1, "entries")] == [273, 1, 273]
    partial = [name for name, _ in builder.partial()]
    assert partial == ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"]


def test_an_export_verifies_elsewhere(log_dir: Path, verifier: Verifier, tmp_path: Path) -> None:
    """With the public key alone; every record is in it, and it says the same root."""
    report = export_bundle(log_dir, tmp_path / "bundle")
    seen: list[int] = []
    found = verify_tiles(tmp_path / "bundle", verifier, lambda index, record: seen.append(index))
    assert (found.ok, found.tree_size, found.root_hash, found.first_kept) == (True, SIZE, report.root_hash, 0)
    assert seen == list(range(SIZE))
    assert len(unbundle((tmp_path / "bundle/tile/entries/000").read_bytes())) == 256
    with pytest.raises(ConfigError, match="there already"):
        export_bundle(log_dir, tmp_path / "bundle")


def test_an_export_that_begins_later(log_dir: Path, verifier: Verifier, tmp_path: Path) -> None:
    """Whole bundles from there on; those before count by their hashes."""
    export_bundle(log_dir, tmp_path / "late", first=256)
    found = verify_tiles(tmp_path / "late", verifier)
    assert (found.tree_size, found.first_kept) == (SIZE, 256)
    shutil.rmtree(tmp_path / "late/tile/entries/001", ignore_errors=True)
    (tmp_path / "late/tile/entries/001").unlink()
    assert verify_tiles(tmp_path / "late", verifier).first_kept == 512
    export_bundle(log_dir, tmp_path / "gap")
    (tmp_path / "gap/tile/entries/001").unlink()
    with pytest.raises(AuditCorrupt, match="missing") as caught:
        verify_tiles(tmp_path / "gap", verifier)
    assert caught.value.index == 256


def test_no_byte_of_a_bundle_is_free(log_dir: Path, verifier: Verifier, tmp_path: Path) -> None:
    """A bit flipped anywhere in any file is found; a file cut short too."""
    bundle = tmp_path / "bundle"
    export_bundle(log_dir, bundle)
    (bundle / "log.vkey").unlink()
    for path in sorted(p for p in bundle.rglob("*") if p.is_file()):
        raw = path.read_bytes()
        path.chmod(0o644)
        for at in {*range(0, len(raw), max(1, len(raw) // 40)), len(raw) - 1}:
            path.write_bytes(raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1 :])
            with pytest.raises(AuditCorrupt):
                verify_tiles(bundle, verifier)
        path.write_bytes(raw[:-1])
        with pytest.raises(AuditCorrupt):
            verify_tiles(bundle, verifier)
        path.write_bytes(raw)
    assert verify_tiles(bundle, verifier).ok


async def test_published_tiles_follow_the_log(open_log: Open, tmp_path: Path) -> None:
    """Each checkpoint has its files; a restart goes on, full files are never touched again."""
    log, out = open_log(), tmp_path / "tiles"
    verifier = log.verifier
    for more in (1, 254, 1, 300, 0, 44):
        await fill(log, more)
        log.publish_to(out)
        found = verify_tiles(out, verifier)
        assert (found.tree_size, found.root_hash) == (log.size, log.root_hash)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file() and p.name != "checkpoint"}
    await log.close()
    log = open_log()
    await fill(log, 13)
    log.publish_to(out)
    assert verify_tiles(out, verifier).tree_size == 613
    assert {p: p.stat().st_mtime_ns for p in before} == before
    await log.close()


def test_lines_and_a_hand_made_check(log_dir: Path, tmp_path: Path) -> None:
    """JSON lines carry the leaf hash of the bytes that stand in them."""
    out = tmp_path / "log.jsonl"
    assert export_lines(partial(verify_dir, log_dir), out, json_line) == SIZE
    assert out.stat().st_mode & 0o777 == 0o600, "records are the owner's to show"
    with pytest.raises(ConfigError, match="there already"):
        export_lines(partial(verify_dir, log_dir), out, json_line)
    line = out.read_text().splitlines()[5]
    record = line.split('"record":', 1)[1][:-1]
    shown = subprocess.run(["sha256sum"], input=b"\0" + record.encode(), capture_output=True, check=True).stdout
    assert shown[:64].decode() == line.split('"leaf_hash":"')[1][:64]


def test_both_layouts_give_the_same_nodes(log_dir: Path, tmp_path: Path) -> None:
    """Roots and proofs of any size come out of an export as out of the log."""
    export_bundle(log_dir, tmp_path / "bundle")
    ours, tiles = nodes_of(log_dir, SIZE), nodes_of(tmp_path / "bundle", SIZE)
    assert [ours(p) for p in range(merkle.node_count(SIZE))] == [tiles(p) for p in range(merkle.node_count(SIZE))]


async def test_publishing_that_breaks_off_goes_on(
    open_log: Callable[..., AuditLog],
    make_record: Callable[..., Record],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After any of its writes another publisher brings the folder to a log that verifies."""
    log, real = open_log(), files.write_atomically
    await asyncio.gather(*(log.append(make_record(n)) for n in range(513)))
    for writes in range(8):
        left, folder = [writes], tmp_path / f"tiles{writes}"

        def stop(path: Path, data: bytes, mode: int = 0o600, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(5, "Input/output error")
            real(path, data, mode)

        with monkeypatch.context() as patch:
            patch.setattr(files, "write_atomically", stop)
            with contextlib.suppress(AuditUnavailable):
                log.publish_to(folder)
        log._publisher = None  # as after a new start
        log.publish_to(folder)
        assert verify_dir(folder, vkey=log.verifier.vkey()).records == 513
        log._publisher = None
    await log.close()
