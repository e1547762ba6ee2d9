"""The witness over real HTTP: it cosigns what extends the last tree, and nothing else, whatever comes at once."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finslm.audit import merkle, witness_http
from finslm.audit.checkpoint import Note, Signer
from finslm.audit.cosignature import CosignatureVerifier
from finslm.audit.witness import FORK_SUFFIX, Submission, Witness
from finslm.audit.witness_http import MAX_BODY_BYTES, WitnessServer, serving
from finslm.audit.witness_state import VKEY_FILE, create_key, list_seen, path_of, read_public_key
from finslm.errors import AuditUnavailable, ConfigError

ORIGIN = "bank.example/finslm"
LOG = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer("bank.example/other", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
NOW = 1_770_000_000


class Tree:
    """A log's tree of any size; ``salt`` makes another history from record ``fork`` on."""

    def __init__(self, size: int, salt: str = "", fork: int = 0) -> None:
        self._nodes: list[bytes] = []
        frontier = merkle.Frontier()
        for n in range(size):
            leaf = merkle.leaf_hash(f"{n}{salt if n >= fork else ''}".encode())
            self._nodes += frontier.append(leaf)

    def note(self, size: int, signer: Signer = LOG) -> str:
        return signer.sign(size, merkle.root(size, self._nodes.__getitem__))

    def proof(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency_proof(old, new, self._nodes.__getitem__)

    def body(self, old: int, new: int, signer: Signer = LOG) -> bytes:
        return body(old, self.proof(old, new), self.note(new, signer))


TREE = Tree(64)


def body(old: object, proof: list[bytes], note: str) -> bytes:
    lines = "".join(base64.b64encode(value).decode() + "\n" for value in proof)
    return f"old {old}\n{lines}\n{note}".encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_key(tmp_path / "witness", "witness.example/w1")
    return tmp_path / "witness"


@contextmanager
def opened(folder: Path) -> Iterator[Witness]:
    with Witness.open(folder, [LOG.verifier], clock=lambda: NOW) as witness:
        yield witness


@contextmanager
def connected(folder: Path, listen: str = "127.0.0.1:0") -> Iterator[http.client.HTTPConnection]:
    with opened(folder) as witness, serving(witness, listen) as server:
        connection = connect(server.address)
        yield connection
        connection.close()


def connect(address: str) -> http.client.HTTPConnection:
    if not address.startswith("unix:"):
        return http.client.HTTPConnection(address, timeout=10)
    connection = http.client.HTTPConnection("witness", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(address.removeprefix("unix:"))
    return connection


def post(connection: http.client.HTTPConnection, data: bytes) -> tuple[int, str, str]:
    connection.request("POST", "/add-checkpoint", data)
    response = connection.getresponse()
    return response.status, response.read().decode(), response.headers["Content-Type"]


def held_size(folder: Path) -> int:
    return next((seen.checkpoint.size for seen in list_seen(folder)), 0)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "unix"])
def test_it_cosigns_trees_that_extend_each_other(folder: Path, listen: str) -> None:
    """One connection, kept alive; each cosignature verifies on its note with the public line alone."""
    public = CosignatureVerifier.parse((folder / VKEY_FILE).read_text().strip())
    with connected(folder, f"unix:{folder}/socket" if listen == "unix" else listen) as connection:
        for old, new in ((0, 0), (0, 1), (1, 1), (1, 5), (5, 6), (6, 32), (32, 64)):
            status, lines, _ = post(connection, TREE.body(old, new))
            assert status == 200, lines
            assert public.verify(Note.parse(TREE.note(new) + lines)) == NOW
            assert held_size(folder) == new
        connection.request("GET", f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint")
        latest = connection.getresponse().read().decode()
        assert latest == TREE.note(64) + lines
        assert LOG.verifier.verify(latest).size == 64


def test_every_no_has_its_status_and_changes_nothing(folder: Path) -> None:
    """The statuses of C2SP tlog-witness; after each the witness holds what it held."""
    fork, line = Tree(64, salt="x"), TREE.note(6).splitlines()[-1] + "\n"
    wrong_signature = TREE.note(6).replace("\n6\n", "\n7\n")
    cases = [
        (TREE.body(5, 6, OTHER), 404, "does not know"),
        (body(5, TREE.proof(5, 6), wrong_signature), 403, "does not match"),
        (body(5, TREE.proof(5, 6), TREE.note(6) + line), 403, "2 signatures"),
        (body(5, TREE.proof(5, 6), TREE.note(6, Signer(ORIGIN, Ed25519PrivateKey.generate()))), 403, "none of"),
        (body(6, [], TREE.note(5)), 400, "above"),
        (TREE.body(0, 6), 409, "5\n"),
        (TREE.body(4, 6), 409, "5\n"),
        (TREE.body(6, 6), 409, "5\n"),
        (TREE.body(0, 4), 409, "5\n"),
        (fork.body(5, 6), 422, "does not extend"),
        (fork.body(5, 5), 422, "does not extend"),
        (body(5, [], TREE.note(6)), 422, "does not extend"),
        (body(5, [*TREE.proof(5, 6), bytes(32)], TREE.note(6)), 422, "does not extend"),
        (body(5, TREE.proof(5, 6)[::-1], TREE.note(6)), 422, "does not extend"),
        (body(5, [bytes(32)], TREE.note(5)), 422, "does not extend"),
    ]
    with connected(folder) as connection:
        assert post(connection, TREE.body(0, 5))[0] == 200
        before = path_of(folder, ORIGIN).read_bytes()
        for data, status, text in cases:
            got = post(connection, data)
            assert got[0] == status, (data, got)
            assert text in got[1]
            assert got[2] == ("text/x.tlog.size" if status == 409 else "text/plain; charset=utf-8")
            assert path_of(folder, ORIGIN).read_bytes() == before
        assert post(connection, TREE.body(5, 6))[0] == 200


def test_a_first_tree_needs_no_proof_and_takes_none(folder: Path) -> None:
    empty_with_root = LOG.sign(0, hashlib.sha256(b"x").digest())
    with connected(folder) as connection:
        assert post(connection, body(0, [], empty_with_root))[0] == 422
        assert post(connection, body(0, [bytes(32)], TREE.note(5)))[0] == 422
        assert post(connection, TREE.body(3, 5))[:2] == (409, "0\n")
        assert post(connection, TREE.body(0, 5))[0] == 200


def test_a_fork_is_kept_as_evidence(folder: Path) -> None:
    """Two roots of one size, both signed by the log: the first such note stays beside the state."""
    with opened(folder) as witness:
        witness.add_checkpoint(TREE.body(0, 5))
        for salt in ("x", "y"):
            assert witness.add_checkpoint(Tree(5, salt=salt).body(5, 5)).status == 422
    path = path_of(folder, ORIGIN)
    evidence = path.with_name(path.name + FORK_SUFFIX).read_text()
    assert evidence == Tree(5, salt="x").note(5)
    assert LOG.verifier.verify(evidence).root_hash != LOG.verifier.verify(path.read_text()).root_hash


PROOF = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"old 0\n",
        b"old 0\n\n",
        b"old\n\n" + TREE.note(1).encode(),
        b"old 00\n\n" + TREE.note(1).encode(),
        b"old -1\n\n" + TREE.note(1).encode(),
        b"old +1\n\n" + TREE.note(1).encode(),
        b"old  0\n\n" + TREE.note(1).encode(),
        b"old 0 \n\n" + TREE.note(1).encode(),
        "old ٣\n\n".encode() + TREE.note(1).encode(),
        b"new 0\n\n" + TREE.note(1).encode(),
        b"old 0\r\n\r\n" + TREE.note(1).encode(),
        b"old " + b"9" * 20 + b"\n\n" + TREE.note(1).encode(),
        b"old 1\nAAAA\n\n" + TREE.note(1).encode(),
        b"old 1\n" + PROOF[:-1].encode() + b"\n\n" + TREE.note(1).encode(),
        b"old 1\n" + f"{PROOF}\n".encode() * 64 + b"\n" + TREE.note(1).encode(),
        TREE.body(0, 1)[:-1],
        TREE.body(0, 1) + b"\n",
        TREE.body(0, 1) + b"\xff",
        b"old 0\n" + TREE.note(1).encode(),
        b"old 0\n\nbank.example/finslm\n1\n\n" + TREE.note(1).encode(),
        TREE.body(0, 1).replace(b"\n1\n", b"\n01\n"),
    ],
)
def test_malformed_bodies_are_400(folder: Path, data: bytes) -> None:
    with opened(folder) as witness:
        answer = witness.add_checkpoint(data)
        assert answer.status == 400, answer
        assert held_size(folder) == 0


GOOD = TREE.body(5, 13)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good body with a few pieces cut, put in or changed."""
    data = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 40)))
        data[at:end] = draw(st.binary(max_size=8) | st.sampled_from([b"\n", b"\n\n", b"old 0", "—".encode()]))
    return bytes(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(data=st.binary(max_size=300) | mutated())
def test_fuzzed_bodies_get_an_answer_and_never_a_cosignature_of_another_tree(
    folder: Path, fuzzed: Witness, data: bytes
) -> None:
    answer = fuzzed.add_checkpoint(data)
    assert answer.status in (200, 400, 403, 404, 409, 422)
    if answer.status == 200:  # the change was in a line that nobody reads, or none
        assert Submission.parse(data).note.text == Submission.parse(GOOD).note.text
    assert held_size(folder) in (5, 13)


@pytest.fixture
def fuzzed(folder: Path) -> Iterator[Witness]:
    with opened(folder) as witness:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
        yield witness


def test_of_many_at_once_each_tree_is_extended_by_one(folder: Path) -> None:
    """Sixteen signed forks of one tree from sixteen connections: one is cosigned, the rest see its size."""
    with opened(folder) as witness, serving(witness, "127.0.0.1:0") as server:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
        bodies = [Tree(20, salt=str(n), fork=5).body(5, 6 + n % 8) for n in range(16)]
        gate = threading.Barrier(16)

        def submit(data: bytes) -> tuple[int, str, str]:
            connection = connect(server.address)
            gate.wait()
            answer = post(connection, data)
            connection.close()
            return answer

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(submit, bodies))
    statuses = [status for status, _, _ in answers]
    assert statuses.count(200) == 1
    assert statuses.count(409) == 15
    won = Submission.parse(bodies[statuses.index(200)]).checkpoint
    assert {text for status, text, _ in answers if status == 409} == {f"{won.size}\n"}
    assert [seen.checkpoint for seen in list_seen(folder)] == [won]


def test_state_survives_a_restart(folder: Path) -> None:
    with opened(folder) as witness:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
    with opened(folder) as witness:
        assert witness.add_checkpoint(Tree(9, salt="x").body(0, 9)).body == "5\n"
        assert witness.add_checkpoint(Tree(9, salt="x").body(5, 9)).status == 422
        assert witness.add_checkpoint(TREE.body(5, 9)).status == 200
    assert witness.add_checkpoint(TREE.body(9, 10)).status == 500  # closed: another process may hold the folder


KILLED = textwrap.dedent(
    """
    import os, pathlib, signal, sys
    from finslm.audit import files
    from finslm.audit.keys import read_vkey
    from finslm.audit.witness import Witness

    folder, vkey, when = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    real = files.write_atomically

    def write(path, data, mode=0o600):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(path, data, mode)
        os.kill(os.getpid(), signal.SIGKILL)

    files.write_atomically = write
    with Witness.open(folder, [read_vkey(vkey)]) as witness:
        witness.add_checkpoint(sys.stdin.buffer.read())
    """
)


@pytest.mark.parametrize(("when", "held"), [("before", 5), ("after", 9)])
def test_killed_around_its_write_it_never_goes_back(folder: Path, tmp_path: Path, when: str, held: int) -> None:
    """SIGKILL on either side of the write, before any answer: the state is the old or the new, and binds."""
    vkey = tmp_path / "log.vkey"
    vkey.write_text(LOG.verifier.vkey())
    with opened(folder) as witness:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
    command = [sys.executable, "-c", KILLED, str(folder), str(vkey), when]
    ended = subprocess.run(command, input=TREE.body(5, 9), check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    with opened(folder) as witness:
        fork = Tree(12, salt="x", fork=5)
        assert witness.add_checkpoint(fork.body(0, 12)).body == f"{held}\n"
        assert witness.add_checkpoint(fork.body(held, 12)).status == (200 if held == 5 else 422)
        if held == 9:
            assert witness.add_checkpoint(TREE.body(9, 9)).status == 200  # the client asks again and gets its line


def test_a_process_killed_under_load_keeps_every_cosigned_size(folder: Path, tmp_path: Path) -> None:
    """``finslm witness serve`` as a process, killed while it answers: what it said it cosigned, it holds."""
    vkey, seen = tmp_path / "log.vkey", 0
    vkey.write_text(LOG.verifier.vkey())
    command = [sys.executable, "-m", "finslm", "witness", "serve", "--dir", str(folder), "--log", str(vkey)]
    server = subprocess.Popen([*command, "--listen", f"unix:{tmp_path}/s"], stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert json.loads(server.stdout.readline())["address"] == f"unix:{tmp_path}/s"
    killer = threading.Timer(0.05, server.kill)
    killer.start()
    connection = connect(f"unix:{tmp_path}/s")
    try:
        for size in range(1, 65):
            assert post(connection, TREE.body(seen, size))[0] == 200
            seen = size
    except (OSError, http.client.HTTPException):
        pass  # killed
    finally:
        connection.close()
    killer.join()
    server.wait()
    server.stdout.close()
    assert held_size(folder) in (seen, seen + 1)
    with opened(folder) as witness:
        assert witness.add_checkpoint(TREE.body(0, 64)).body == f"{held_size(folder)}\n"


def test_every_flipped_byte_of_the_state_refuses_the_start(folder: Path) -> None:
    with opened(folder) as witness:
        witness.add_checkpoint(TREE.body(0, 5))
    path = path_of(folder, ORIGIN)
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(ConfigError, match="damaged"), opened(folder):
            pass
    for damaged in (b"", good[:-1], good + b"x", TREE.note(5).encode()):
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match="damaged"), opened(folder):
            pass
    path.write_bytes(good)
    path.rename(path.with_name(hashlib.sha256(b"bank.example/other").hexdigest()))
    with pytest.raises(ConfigError, match="damaged"):
        list(list_seen(folder))


def test_a_disk_that_refuses_ends_it(folder: Path) -> None:
    """Nothing is cosigned that is not on disk, and nothing more until a new start."""
    with opened(folder) as witness:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
        (folder / "logs").rename(folder / "away")
        assert witness.add_checkpoint(TREE.body(5, 6)).status == 500
        (folder / "away").rename(folder / "logs")
        assert witness.add_checkpoint(TREE.body(5, 6)).status == 500
    with opened(folder) as witness:
        assert witness.add_checkpoint(TREE.body(5, 6)).status == 200


def test_one_process_a_folder(folder: Path) -> None:
    with opened(folder), pytest.raises(AuditUnavailable, match="witness's state"), opened(folder):
        pass


def test_keys_that_cannot_be_used(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has a key already"):
        create_key(folder, "witness.example/w2")
    with pytest.raises(ConfigError, match="key name"):
        create_key(tmp_path / "new", "two words")
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigError, match="finslm witness init"), opened(tmp_path / "new"):
        pass
    with pytest.raises(ConfigError, match="no log"), Witness.open(folder, []):
        pass
    create_key(tmp_path / "two", "witness.example/w1")
    (folder / VKEY_FILE).write_text((tmp_path / "two" / VKEY_FILE).read_text())
    with pytest.raises(ConfigError, match="is not the public key of"), opened(folder):
        pass
    (folder / "witness-key.pem").chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"), opened(folder):
        pass


def test_a_log_with_two_keys_is_known_by_both(folder: Path) -> None:
    """The witness follows a change of the log's key while it knows the old one; without it, it does not start."""
    later = Signer(ORIGIN, Ed25519PrivateKey.generate())
    with Witness.open(folder, [LOG.verifier, later.verifier]) as witness:
        assert witness.add_checkpoint(TREE.body(0, 5)).status == 200
    with pytest.raises(ConfigError, match="none of the log's known keys"), Witness.open(folder, [later.verifier]):
        pass
    with Witness.open(folder, [LOG.verifier, later.verifier]) as witness:
        assert witness.add_checkpoint(TREE.body(5, 6, later)).status == 200
    with Witness.open(folder, [later.verifier]) as witness:
        assert witness.add_checkpoint(TREE.body(6, 7, later)).status == 200
        assert witness.add_checkpoint(TREE.body(7, 8)).status == 403


def raw(address: str, data: bytes) -> bytes:
    """What comes back until the peer closes."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        return b"".join(iter(partial(peer.recv, 65536), b""))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /" + b"A" * 64 + b"/checkpoint HTTP/1.1\r\n\r\n", 404),
        (b"GET /" + b"a" * 64 + b"/checkpoint HTTP/1.1\r\n\r\n", 404),
        (b"POST /other HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 404),
        (b"POST /add-checkpoint HTTP/1.1\r\n\r\n", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 413),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: x\r\n\r\n", 413),
        (f"POST /add-checkpoint HTTP/1.1\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(), 413),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort", 400),
        (b"DELETE /add-checkpoint HTTP/1.1\r\n\r\n", 501),
        (b"no request at all\r\n\r\n", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_requests_of_another_form(folder: Path, data: bytes, status: int) -> None:
    """Each gets a status, and nothing of the request or of Python comes back."""
    with opened(folder) as witness, serving(witness, "127.0.0.1:0") as server:
        answer = raw(server.address, data)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"Python" not in answer
    assert b"xxxx" not in answer


def test_slow_and_many_connections_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that drips bytes loses its place in time; one too many is closed at once."""
    monkeypatch.setattr(witness_http, "LIFETIME_S", 0.6)
    monkeypatch.setattr(witness_http, "MAX_CONNECTIONS", 1)
    with opened(folder) as witness, serving(witness, "127.0.0.1:0") as server:
        host, port = server.address.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as slow:
            slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\n")
            with socket.create_connection((host, int(port)), timeout=10) as refused:
                assert refused.recv(1) == b""
            started = time.monotonic()
            assert slow.recv(1) == b""
            assert time.monotonic() - started < 5
        assert _retried(server.address) == 200


def _retried(address: str, limit_s: float = 10) -> int:
    """The place of a connection is free a moment after it has ended."""
    until = time.monotonic() + limit_s
    while True:
        connection = connect(address)
        try:
            return post(connection, TREE.body(0, 5))[0]
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < until
            time.sleep(0.05)
        finally:
            connection.close()


def test_addresses_that_cannot_be_listened_on(folder: Path) -> None:
    with opened(folder) as witness, serving(witness, "127.0.0.1:0") as server:
        for listen in (server.address, "8085", "127.0.0.1:", "127.0.0.1:70000", "unix:/no/such/folder/s", "::1:80"):
            with pytest.raises(ConfigError, match="cannot listen"):
                WitnessServer(witness, listen)
        with serving(witness, f"unix:{folder}/s"), pytest.raises(ConfigError, match="another process"):
            WitnessServer(witness, f"unix:{folder}/s")
        with socket.socket(socket.AF_UNIX) as left:  # by a process that was killed
            left.bind(f"{folder}/s")
        with serving(witness, f"unix:{folder}/s") as again:
            connection = connect(again.address)
            assert post(connection, TREE.body(0, 5))[0] == 200
            connection.close()
        assert not (folder / "s").exists()


def test_it_needs_no_torch() -> None:
    """A small process: the command that serves loads no model library."""
    code = "import sys, finslm.cli; print(sorted({'torch', 'transformers', 'onnxruntime'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_public_keys_are_read_strictly(folder: Path) -> None:
    assert read_public_key(folder).name == "witness.example/w1"
    (folder / VKEY_FILE).write_text(LOG.verifier.vkey())
    with pytest.raises(ConfigError, match="public key"):
        read_public_key(folder)
