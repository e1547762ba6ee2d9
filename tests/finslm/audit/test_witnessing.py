"""A running log and its witnesses over real HTTP: the quorum is gathered, its loss told, a forged log found."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer.testing
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import CollectorRegistry, generate_latest

from finslm.audit import AuditLog, Kind, Record, merkle, verify_dir
from finslm.audit.checkpoint import Note, Signer
from finslm.audit.keys import read_private_key, read_vkey
from finslm.audit.policy import WitnessPolicy
from finslm.audit.scan import CHECKPOINT_FILE, HASHES_FILE, RECORDS_FILE
from finslm.audit.witness import Witness
from finslm.audit.witness_check import Verdict, check_with_witnesses
from finslm.audit.witness_http import serving
from finslm.audit.witness_state import create_key
from finslm.audit.witnessed import COSIGNED_FILE, verify_witnessed
from finslm.audit.witnessing import Guarded, Witnessing
from finslm.cli.audit import app as audit_app
from finslm.cli.witness import app as witness_app
from finslm.config import AuditSettings
from finslm.errors import AuditCorrupt, AuditUnavailable, ConfigError
from finslm.telemetry.metrics import Metrics

Open = Callable[..., AuditLog]
Make = Callable[..., Record]
NAMES = ("risk", "audit", "it")


class Bench:
    """A log's folder and three witnesses, each of which can be started and stopped."""

    def __init__(self, home: Path) -> None:
        self.home, self.now = home, 1_770_000_000.0
        self.vkeys = {name: create_key(home / name, f"witness.example/{name}").vkey() for name in NAMES}
        self.running: dict[str, ExitStack] = {}
        self.metrics = Metrics(CollectorRegistry())

    @property
    def log(self) -> Path:
        return self.home / "log"

    def start(self, *names: str) -> None:
        for name in names:
            stack = ExitStack()
            opened = Witness.open(self.home / name, [read_vkey(self.log / "log.vkey")], clock=lambda: self.now)
            stack.enter_context(serving(stack.enter_context(opened), f"unix:{self.home}/{name}.sock"))
            self.running[name] = stack

    def stop(self, *names: str) -> None:
        for name in names:
            self.running.pop(name).close()

    def policy(self, quorum: str = "two", log: bool = True) -> Path:
        lines = [f"log {(self.log / 'log.vkey').read_text().strip()}"] if log else []
        lines += [f"witness {name} {vkey} unix:{self.home}/{name}.sock" for name, vkey in self.vkeys.items()]
        lines += [f"group two 2 {' '.join(NAMES)}"] if quorum == "two" else []
        path = self.home / "policy.txt"
        path.write_text("\n".join([*lines, f"quorum {quorum}"]) + "\n")
        return path

    def witnessing(
        self, log: AuditLog, *, required: bool = False, max_age_s: float = 60, quorum: str = "two"
    ) -> Witnessing:
        policy = WitnessPolicy.load(self.policy(quorum))
        return Witnessing(
            log, self.log, policy, max_age_s=max_age_s, required=required, metrics=self.metrics, clock=lambda: self.now
        )

    def failures(self) -> Counter[tuple[str, str]]:
        return Counter(
            {
                (sample.labels["witness"], sample.labels["reason"]): int(sample.value)
                for metric in self.metrics.registry.collect()
                for sample in metric.samples
                if sample.name == "finslm_witness_failures_total"
            }
        )

    def cosigned(self) -> str:
        return (self.log / COSIGNED_FILE).read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.stop(*made.running)


async def grow(log: AuditLog, make_record: Make, count: int) -> None:
    for n in range(log.size, log.size + count):
        await log.append(make_record(n))


async def test_the_quorum_is_gathered_while_the_log_grows(bench: Bench, open_log: Open, make_record: Make) -> None:
    """Each round extends the last; what was gathered verifies offline with the policy alone."""
    log = open_log()
    bench.start(*NAMES)
    witnessing = bench.witnessing(log)
    for count in (1, 6, 30):
        await grow(log, make_record, count)
        assert witnessing.size < log.size
        await witnessing.round()
        assert witnessing.size == log.size
    assert bench.failures() == {}
    before = bench.cosigned()
    await witnessing.round()
    assert bench.cosigned() == before  # nothing new, nobody asked
    await log.close()
    found = await asyncio.to_thread(verify_witnessed, bench.log, WitnessPolicy.load(bench.policy()))
    assert found.standing.times == dict.fromkeys(NAMES, int(bench.now))
    assert (found.standing.checkpoint.size, found.log.tree_size) == (37, 37)


async def test_two_of_three_are_enough(bench: Bench, open_log: Open, make_record: Make) -> None:
    log = open_log()
    bench.start("risk", "it")
    witnessing = bench.witnessing(log)
    await grow(log, make_record, 3)
    await witnessing.round()
    assert (witnessing.size, witnessing.lost) == (3, False)
    assert bench.failures() == {("audit", "unreachable"): 1}
    bench.stop("it")
    bench.start("audit")  # has seen nothing so far: its 409 says 0, and the log begins there
    await grow(log, make_record, 3)
    await witnessing.round()
    assert witnessing.size == 6
    bench.stop("audit")
    await grow(log, make_record, 1)
    await witnessing.round()
    assert witnessing.size == 6
    assert Note.parse(bench.cosigned()).text.split("\n")[1] == "6"
    await log.close()


async def test_a_new_process_goes_on_from_what_the_witnesses_hold(
    bench: Bench, open_log: Open, make_record: Make
) -> None:
    """Without the file too: the witness's 409 says where the proof must begin."""
    bench.home.joinpath("log").mkdir()
    log = open_log()
    bench.start(*NAMES)
    await grow(log, make_record, 5)
    await bench.witnessing(log).round()
    await log.close()
    for keep in (True, False):
        if not keep:
            (bench.log / COSIGNED_FILE).unlink()
        log = open_log()
        witnessing = bench.witnessing(log)
        assert witnessing.size == (log.size if keep else 0)
        await grow(log, make_record, 4)
        await witnessing.round()
        assert witnessing.size == log.size
        await log.close()
    assert bench.failures() == {}


async def test_a_lost_quorum_is_told_once_and_so_is_its_return(bench: Bench, open_log: Open, make_record: Make) -> None:
    log = open_log()
    bench.start("risk", "it")
    witnessing = bench.witnessing(log, max_age_s=60)
    bench.metrics.watch_witnessing(lambda: witnessing.size, lambda: witnessing.age_s)
    await grow(log, make_record, 2)
    await witnessing.round()
    bench.stop("risk", "it")
    bench.now += 3600
    await witnessing.round()
    assert (witnessing.lost, witnessing.age_s) == (False, 0)  # an idle log lacks nothing
    await grow(log, make_record, 1)
    bench.now += 59
    await witnessing.round()
    assert (witnessing.lost, witnessing.age_s) == (False, 59)
    bench.now += 2
    for _ in range(3):
        await witnessing.round()
    assert witnessing.lost
    assert b"finslm_witness_cosigned_size 2.0\n" in generate_latest(bench.metrics.registry)
    assert b"finslm_witness_age_seconds 61.0\n" in generate_latest(bench.metrics.registry)
    bench.start("audit", "it")
    for _ in range(3):
        bench.now += 1
        await witnessing.round()
    assert not witnessing.lost
    events = [r.event for n in range(log.size) if (r := log.record(n)).kind is Kind.EVENT]
    assert events == ["WITNESS_QUORUM_LOST", "WITNESS_QUORUM_MET"]
    assert witnessing.size == log.size
    await log.close()


async def test_required_the_log_is_closed_to_new_calls_until_the_quorum_is_back(
    bench: Bench, open_log: Open, make_record: Make
) -> None:
    """What was begun gets its OUTCOME, events stay on record; a process that starts anew is no way round."""
    log = open_log()
    bench.start("risk", "it")
    witnessing = bench.witnessing(log, required=True, max_age_s=60)
    guarded, told = Guarded(log, witnessing), list[bool]()
    first = await guarded.append(make_record(0))
    await witnessing.round()
    bench.stop("risk", "it")
    await guarded.append(make_record(1))
    bench.now += 61
    with pytest.raises(AuditUnavailable, match="61 s, limit 60"):  # by the clock, before any round
        await guarded.append(make_record(2))
    await guarded.append(make_record(0, kind=Kind.OUTCOME, status="OK", intent_index=first.index))
    await guarded.append(Record(kind=Kind.EVENT, event="VAULT_ERASED"))
    await witnessing.round()
    again = bench.witnessing(log, required=True, max_age_s=60)
    assert again.refusal is not None

    async def on_change() -> None:
        told.append(again.refusal is None)

    running = asyncio.create_task(again.run(0.01, on_change))
    bench.start("risk", "it")
    async with asyncio.timeout(20):
        while not told:
            await asyncio.sleep(0.01)
    running.cancel()
    assert told == [True]
    await Guarded(log, again).append(make_record(2))
    await log.close()


async def test_a_witness_that_hangs_blocks_no_append(
    bench: Bench, open_log: Open, make_record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finslm.audit.witnessing.TIMEOUT_S", 1.0)
    log, held = open_log(), asyncio.Event()
    bench.start("risk", "it")

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
        await held.wait()
        writer.close()

    server = await asyncio.start_unix_server(hang, f"{bench.home}/audit.sock")
    witnessing = bench.witnessing(log)
    await grow(log, make_record, 1)
    asking = asyncio.create_task(witnessing.round())
    await grow(log, make_record, 20)
    assert not asking.done()
    await asking
    assert (witnessing.size, log.size) == (1, 21)
    assert bench.failures() == {("audit", "unreachable"): 1}
    held.set()
    server.close()
    await log.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\n", "invalid"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, "invalid"),
        ("HTTP/1.1 200 OK\r\n\r\n— witness.example/audit AAAAAAA=\n".encode(), "invalid"),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\n01\n", "refused"),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\n99\n", "ahead"),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n1\n", "refused"),
        (b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 0\r\n\r\n", "forked"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "refused"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "refused"),
        (b"nonsense\r\n\r\n", "unreachable"),
        (b"", "unreachable"),
    ],
)
async def test_what_a_bad_witness_says_is_counted_and_not_believed(
    bench: Bench, open_log: Open, make_record: Make, answer: bytes, reason: str
) -> None:
    log = open_log()
    bench.start("risk", "it")

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(reply, f"{bench.home}/audit.sock")
    witnessing = bench.witnessing(log)
    await grow(log, make_record, 2)
    await witnessing.round()
    assert witnessing.size == 2
    assert bench.failures() == {("audit", reason): 1}
    assert "witness.example/audit" not in bench.cosigned()
    server.close()
    await log.close()


async def witnessed_log(bench: Bench, open_log: Open, make_record: Make, size: int = 9) -> None:
    log = open_log()
    bench.start(*NAMES)
    witnessing = bench.witnessing(log)
    await grow(log, make_record, size)
    await witnessing.round()
    await log.close()


def cut_tail(bench: Bench, size: int) -> None:
    """Take the log back to ``size`` in all its files, and sign that with the log's own key."""
    folder = bench.log
    records = (folder / RECORDS_FILE).read_bytes().splitlines(keepends=True)[:size]
    nodes = (folder / HASHES_FILE).read_bytes()[: 32 * (2 * size - size.bit_count())]
    (folder / RECORDS_FILE).write_bytes(b"".join(records))
    (folder / HASHES_FILE).write_bytes(nodes)
    root = merkle.root(size, lambda at: nodes[32 * at : 32 * at + 32])
    (folder / CHECKPOINT_FILE).write_text(signer(bench).sign(size, root))


def signer(bench: Bench) -> Signer:
    """The thief's: the log's key."""
    return Signer(read_vkey(bench.log / "log.vkey").name, read_private_key(bench.log / "signing-key.pem"))


def write_anew(bench: Bench, open_log: Open, make_record: Make, size: int) -> None:
    """Another history of ``size`` records, under the log's own key, in the log's place."""
    old = bench.home / "old"
    bench.log.rename(old)
    bench.log.mkdir(mode=0o700)
    for name in ("signing-key.pem", "log.vkey"):
        shutil.copy(old / name, bench.log / name)
    (bench.log / "checkpoint").write_text(signer(bench).sign(0, merkle.EMPTY_ROOT))
    for name in (RECORDS_FILE, HASHES_FILE):
        (bench.log / name).touch(mode=0o600)

    async def forge() -> None:
        log = open_log()
        for n in range(size):
            await log.append(make_record(n, principal="forged"))
        await log.close()

    asyncio.run(forge())
    shutil.copy(old / COSIGNED_FILE, bench.log / COSIGNED_FILE)


def run(app: typer.Typer, *args: object) -> tuple[int, str, str]:
    result = typer.testing.CliRunner().invoke(app, [str(a) for a in args])
    return result.exit_code, result.stdout, result.stderr


def test_a_cut_tail_is_found(bench: Bench, open_log: Open, make_record: Make) -> None:
    """Alone the log verifies; against its witnesses it does not, offline, when asked, and at the next start."""
    asyncio.run(witnessed_log(bench, open_log, make_record))
    policy, elsewhere = bench.policy(), bench.home / "elsewhere"
    shutil.copy(bench.log / COSIGNED_FILE, elsewhere)
    assert run(audit_app, "verify", "--dir", bench.log, "--policy", policy)[0] == 0
    assert run(witness_app, "check", "--dir", bench.log, "--policy", policy)[0] == 0
    cut_tail(bench, 6)
    assert verify_dir(bench.log).ok
    code, _, text = run(audit_app, "verify", "--dir", bench.log, "--policy", policy)
    assert (code, "the tail was cut: the log has 6 records, and its witnesses have cosigned 9" in text) == (1, True)
    with pytest.raises(AuditCorrupt, match="tail was cut") as refused:
        start_service(bench, open_log)
    assert refused.value.index == 6
    (bench.log / COSIGNED_FILE).unlink()  # the thief is thorough
    code, _, text = run(audit_app, "verify", "--dir", bench.log, "--policy", policy)
    assert (code, "no cosigned checkpoint" in text) == (1, True)
    code, _, text = run(audit_app, "verify", "--dir", bench.log, "--policy", policy, "--checkpoint", elsewhere)
    assert (code, "the tail was cut" in text) == (1, True)
    views = check_with_witnesses(bench.log, WitnessPolicy.load(policy)).views
    assert [(view.verdict, view.size) for view in views] == [(Verdict.SHORTER, 9)] * 3
    code, text, _ = run(witness_app, "check", "--dir", bench.log, "--policy", policy, "--json")
    assert (code, json.loads(text[text.index("{\n") :])["ok"]) == (1, False)  # the witnesses' own lines come before it


def start_service(bench: Bench, open_log: Open) -> Witnessing:
    async def start() -> Witnessing:
        log = open_log()
        try:
            return bench.witnessing(log)
        finally:
            await log.close()

    return asyncio.run(start())


@pytest.mark.parametrize("size", [5, 9, 20])
def test_a_log_written_anew_with_its_key_is_found(bench: Bench, open_log: Open, make_record: Make, size: int) -> None:
    asyncio.run(witnessed_log(bench, open_log, make_record))
    policy = bench.policy()
    write_anew(bench, open_log, make_record, size)
    assert verify_dir(bench.log).ok
    what = "the tail was cut" if size < 9 else "written anew and signed with its key"
    code, _, text = run(audit_app, "verify", "--dir", bench.log, "--policy", policy)
    assert (code, what in text) == (1, True)
    with pytest.raises(AuditCorrupt, match=what):
        start_service(bench, open_log)
    verdict = Verdict.SHORTER if size < 9 else Verdict.DIFFERS
    assert [v.verdict for v in check_with_witnesses(bench.log, WitnessPolicy.load(policy)).views] == [verdict] * 3


async def test_a_thief_who_goes_on_gets_no_cosignature(bench: Bench, open_log: Open, make_record: Make) -> None:
    """The running service of a log that was cut: its witnesses know more, and say so until the quorum is lost."""
    await witnessed_log(bench, open_log, make_record)
    cut_tail(bench, 6)
    (bench.log / COSIGNED_FILE).unlink()
    log = open_log()
    witnessing = bench.witnessing(log, required=True)
    await witnessing.round()
    assert bench.failures() == {(name, "ahead"): 1 for name in NAMES}
    await grow(log, make_record, 12)
    await witnessing.round()
    assert bench.failures() == {(name, reason): 1 for name in NAMES for reason in ("ahead", "forked")}
    assert witnessing.refusal is not None
    await log.close()


def test_check_needs_the_quorum_to_answer(bench: Bench, open_log: Open, make_record: Make) -> None:
    """One that is away, or has seen nothing of this log, does not count; two of three are enough."""
    asyncio.run(witnessed_log(bench, open_log, make_record))
    bench.stop("it")
    found = check_with_witnesses(bench.log, WitnessPolicy.load(bench.policy()))
    assert (found.ok, found.views[2].verdict) == (True, Verdict.SILENT)
    bench.stop("audit")
    (bench.home / "audit" / "logs").rename(bench.home / "audit" / "lost")
    bench.start("audit")
    found = check_with_witnesses(bench.log, WitnessPolicy.load(bench.policy()))
    assert (found.ok, found.views[1].verdict) == (False, Verdict.NOTHING)
    assert run(witness_app, "check", "--dir", bench.log, "--policy", bench.policy())[0] == 1


async def test_a_checkpoint_of_an_unknown_key_ends_no_round(bench: Bench, open_log: Open, make_record: Make) -> None:
    """The log's key changed under a running policy: nothing is cosigned, and the loss is told in its time."""
    log = open_log()
    bench.start(*NAMES)
    witnessing = bench.witnessing(log)
    await grow(log, make_record, 1)
    log._signer = Signer("bank.example/finslm", Ed25519PrivateKey.generate())
    await witnessing.round()
    assert bench.failures() == {(name, "refused"): 1 for name in NAMES}
    bench.now += 61
    await witnessing.round()
    assert (witnessing.size, witnessing.lost) == (0, True)
    await log.close()


async def test_a_witness_behind_tls_must_speak_it(bench: Bench, open_log: Open, make_record: Make) -> None:
    log, policy = open_log(), bench.policy("it")
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    text = policy.read_text().replace(f"unix:{bench.home}/it.sock", f"https://127.0.0.1:{port}")
    policy.write_text(text)
    settings = AuditSettings(dir=bench.log, witness_policy_file=policy)
    witnessing = Witnessing.open(settings, log, bench.metrics)
    assert witnessing is not None
    await grow(log, make_record, 1)
    await witnessing.round()
    assert bench.failures()["it", "unreachable"] == 1
    server.close()
    await log.close()


def test_a_quorum_that_is_not_met_fails(bench: Bench, open_log: Open, make_record: Make) -> None:
    """A checkpoint of the log alone, or with too few lines, proves nothing of witnesses; it names who is missing."""
    asyncio.run(witnessed_log(bench, open_log, make_record))
    note = Note.parse(bench.cosigned())
    path = bench.log / COSIGNED_FILE
    path.write_text(f"{note.text}\n{''.join(line.line() for line in note.signatures[:2])}")
    code, _, text = run(audit_app, "verify", "--dir", bench.log, "--policy", bench.policy())
    assert (code, "the quorum two is not met" in text, "cosigned by risk, not by audit, it" in text) == (1, True, True)
    path.write_text(f"{note.text}\n{note.signatures[1].line()}{note.signatures[2].line()}")
    code, _, text = run(audit_app, "verify", "--dir", bench.log, "--policy", bench.policy())
    assert (code, "signed by none of the log's known keys" in text) == (1, True)
    path.write_bytes(b"\xff")
    assert run(audit_app, "verify", "--dir", bench.log, "--policy", bench.policy())[0] == 1


def test_verify_prints_who_cosigned_and_when(bench: Bench, open_log: Open, make_record: Make) -> None:
    asyncio.run(witnessed_log(bench, open_log, make_record))
    code, text, _ = run(audit_app, "verify", "--dir", bench.log, "--policy", bench.policy(), "--json")
    report = json.loads(text)
    assert (code, report["ok"], report["cosigned_size"]) == (0, True, 9)
    assert report["cosigned_by"] == dict.fromkeys(NAMES, "2026-02-02T02:40:00+00:00")
    assert report["quorum_met_at"] == "2026-02-02T02:40:00+00:00"
    code, text, _ = run(audit_app, "verify", "--dir", bench.log, "--policy", bench.policy())
    assert "by risk" in text


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("--policy", "/no/such/file"), 2),
        (("--checkpoint", "/no/such/file"), 2),
        (("--policy", "POLICY", "--checkpoint", "/no/such/file"), 1),
    ],
)
def test_wrong_calls_of_verify(
    bench: Bench, open_log: Open, make_record: Make, args: tuple[str, ...], code: int
) -> None:
    asyncio.run(witnessed_log(bench, open_log, make_record, 1))
    given = [bench.policy() if arg == "POLICY" else arg for arg in args]
    assert run(audit_app, "verify", "--dir", bench.log, *given)[0] == code


def test_a_log_of_another_key_is_not_the_policys(bench: Bench, open_log: Open, make_record: Make) -> None:
    """The folder's own log.vkey counts only where the policy knows it."""
    asyncio.run(witnessed_log(bench, open_log, make_record, 2))
    policy = bench.policy()
    other = Signer("bank.example/finslm", Ed25519PrivateKey.generate()).verifier.vkey()
    policy.write_text(policy.read_text().replace((bench.log / "log.vkey").read_text().strip(), other))
    code, _, text = run(audit_app, "verify", "--dir", bench.log, "--policy", policy)
    assert (code, "none of the log's known keys" in text) == (1, True)


async def test_a_policy_that_cannot_work_refuses_the_start(bench: Bench, open_log: Open, make_record: Make) -> None:
    log = open_log()
    other = Signer("bank.example/finslm", Ed25519PrivateKey.generate()).verifier.vkey()
    good = bench.policy().read_text()
    for text, what in (
        (good.replace((bench.log / "log.vkey").read_text().strip(), other), "no line 'log bank.example"),
        (good.replace(f" unix:{bench.home}/it.sock", "").replace(f" unix:{bench.home}/risk.sock", ""), "cannot make"),
        (good.replace("unix:/", "ftp://"), "wanted http://"),
        (good.replace("unix:/", "unix:"), "wanted http://"),
        (good.replace("unix:/", "http://h/?q="), "wanted http://"),
    ):
        (bench.home / "bad.txt").write_text(text)
        settings = AuditSettings(dir=bench.log, witness_policy_file=bench.home / "bad.txt")
        with pytest.raises(ConfigError, match=what):
            Witnessing.open(settings, log, bench.metrics)
    assert Witnessing.open(AuditSettings(dir=bench.log), log, bench.metrics) is None
    assert Witnessing.open(AuditSettings(dir=bench.log, witness_policy_file=bench.policy()), log, bench.metrics)
    await log.close()


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="witness_required needs"):
        AuditSettings(witness_required=True)
    with pytest.raises(ValueError, match="at least twice"):
        AuditSettings(witness_max_age_s=19)


def test_init_and_show(bench: Bench, open_log: Open, make_record: Make) -> None:
    code, text, _ = run(witness_app, "init", "--dir", bench.home / "new", "--name", "witness.example/new")
    assert code == 0
    assert text.startswith("witness.example/new+")
    assert run(witness_app, "init", "--dir", bench.home / "new", "--name", "witness.example/new")[0] == 2
    asyncio.run(witnessed_log(bench, open_log, make_record, 3))
    code, text, _ = run(witness_app, "show", "--dir", bench.home / "risk", "--json")
    shown = json.loads(text)
    assert (code, shown["vkey"]) == (0, bench.vkeys["risk"])
    assert [(log["origin"], log["size"]) for log in shown["logs"]] == [("bank.example/finslm", 3)]
    assert "bank.example/finslm" in run(witness_app, "show", "--dir", bench.home / "risk")[1]
    assert run(witness_app, "show", "--dir", bench.home / "none")[0] == 2
