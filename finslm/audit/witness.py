"""The witness: cosigns a log's checkpoints as long as each tree extends the last. C2SP tlog-witness.

It holds one thing of each log: the last checkpoint that it cosigned. So who steals the log's key still cannot cut
its tail or write another history without the witness refusing, and the cosignatures missing.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import structlog

from finslm.audit import files, merkle
from finslm.audit.checkpoint import Checkpoint, Note, Verifier, strict_base64, verify_signed
from finslm.audit.cosignature import CosignatureVerifier, Cosigner
from finslm.audit.witness_state import LOCK_FILE, LOGS_DIR, Seen, hash_of, path_of, read_cosigner, read_seen
from finslm.errors import AuditUnavailable, ConfigError

MAX_PROOF_LINES: Final = 63
"""Most hashes of a consistency proof (C2SP tlog-witness)."""

TEXT_TYPE: Final = "text/plain; charset=utf-8"
SIZE_TYPE: Final = "text/x.tlog.size"
"""Content type of a 409."""

FORK_SUFFIX: Final = ".fork"

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)

_log = structlog.get_logger(__name__)


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness says: an HTTP status, a body and its content type."""

    status: int
    body: str
    content_type: str = TEXT_TYPE


@final
@dataclass(frozen=True, slots=True)
class Submission:
    """A request to cosign: the size that the log believes the witness holds, the proof from there, the checkpoint."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> Submission:
        """Read the body of ``add-checkpoint``.

        Raises:
            ValueError: another form.
        """
        head, separator, rest = body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        if old is None or not separator:
            raise ValueError("wanted: 'old SIZE', proof lines, an empty line, a checkpoint")
        if len(lines) > MAX_PROOF_LINES:
            raise ValueError(f"{len(lines)} proof lines, limit {MAX_PROOF_LINES}")
        note = Note.parse(rest)
        return cls(int(old[1]), tuple(map(_hash, lines)), note, Checkpoint.parse(note.text))


@final
class Witness:
    """One witness, any number of logs. Safe for threads; one process per folder (see :meth:`open`)."""

    def __init__(self, folder: Path, cosigner: Cosigner, logs: Iterable[Verifier], clock: Callable[[], float]) -> None:
        self._folder, self._cosigner, self._clock = folder, cosigner, clock
        self._logs: dict[str, list[Verifier]] = {}
        for verifier in logs:
            self._logs.setdefault(verifier.name, []).append(verifier)
        # Held from looking at what was cosigned last until the next is on disk: else two requests could both
        # extend the same tree, and the smaller of them be written last.
        self._lock = threading.Lock()
        self._failure = ""
        self._seen: dict[str, Seen] = {}
        for origin, verifiers in self._logs.items():
            if seen := read_seen(path_of(folder, origin), cosigner.verifier, verifiers):
                self._seen[origin] = seen

    @classmethod
    @contextlib.contextmanager
    def open(cls, folder: Path, logs: Iterable[Verifier], clock: Callable[[], float] = time.time) -> Iterator[Witness]:
        """The witness of ``folder``, while the block lasts.

        Args:
            folder: made by :func:`finslm.audit.witness_state.create_key`.
            logs: public keys of the logs to witness; several of one origin when its key has changed.
            clock: Unix seconds.

        Raises:
            ConfigError: the folder has no usable key, no log is given, or what is kept of a log is damaged.
            AuditUnavailable: another process serves this folder, or it cannot be read.
        """
        if not (known := tuple(logs)):
            raise ConfigError("witness: no log to witness: give its public key with --log FILE")
        with contextlib.ExitStack() as held:
            try:
                cosigner = read_cosigner(folder)
                held.callback(os.close, files.lock_exclusively(folder / LOCK_FILE, "the witness's state", "--dir"))
                files.make_private_dir(folder / LOGS_DIR)
                witness = cls(folder, cosigner, known, clock)
            except OSError as error:
                raise AuditUnavailable(f"the witness in {folder} cannot be opened: {error.strerror}") from error
            held.callback(witness.close)
            yield witness

    def close(self) -> None:
        """Cosign nothing any more. A thread that still answers must not write once another process may read."""
        with self._lock:
            self._failure = self._failure or "the witness is closed\n"

    @property
    def verifier(self) -> CosignatureVerifier:
        """This witness's public key."""
        return self._cosigner.verifier

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign a checkpoint, or say why not. What is cosigned is on disk before this returns."""
        try:
            submission = Submission.parse(body)
        except ValueError as error:
            # UnicodeDecodeError would show bytes of the body; its kind is enough.
            return Answer(400, "not UTF-8\n" if isinstance(error, UnicodeDecodeError) else f"{error}\n")
        verifiers = self._logs.get(submission.checkpoint.origin)
        if verifiers is None:
            return Answer(404, "this witness does not know a log of this origin\n")
        try:
            verify_signed(submission.note, verifiers)
        except ValueError as error:
            return Answer(403, f"{error}\n")
        if submission.old_size > submission.checkpoint.size:
            return Answer(400, "the old size is above the checkpoint's\n")
        with self._lock:
            return self._advance(submission)

    def latest(self, origin_hash: str) -> Answer:
        """The last cosigned checkpoint of a log, by the SHA-256 of its origin in hex."""
        for origin in self._logs:
            if hash_of(origin) == origin_hash and (seen := self._seen.get(origin)):
                return Answer(200, seen.text)
        return Answer(404, "no checkpoint of such a log was cosigned here\n")

    def _advance(self, submission: Submission) -> Answer:
        """Under the lock: hold a submission against what was cosigned last, and go on to it."""
        if self._failure:
            return Answer(500, self._failure)
        try:
            return self._decide(submission)
        except OSError as error:
            # What is on disk is not known now: only a start, which reads it, ends this.
            self._failure = "the witness cannot write its state: mend its disk and start it again\n"
            _log.error("witness_write_failed", error=type(error).__name__, errno=error.errno)
            return Answer(500, self._failure)

    def _decide(self, submission: Submission) -> Answer:
        new = submission.checkpoint
        held = seen.checkpoint if (seen := self._seen.get(new.origin)) else Checkpoint(new.origin, 0, merkle.EMPTY_ROOT)
        if submission.old_size != held.size:
            return Answer(409, f"{held.size}\n", SIZE_TYPE)
        if not merkle.verify_consistency(held.size, new.size, held.root_hash, new.root_hash, submission.proof):
            self._refuse(submission, held)
            return Answer(422, "the checkpoint's tree does not extend the one that was cosigned last\n")
        return Answer(200, self._cosign(submission))

    def _cosign(self, submission: Submission) -> str:
        """Sign, make it durable, and only then let go of it."""
        origin, note, time_s = submission.checkpoint.origin, submission.note, int(self._clock())
        mine = self._cosigner.cosign(note.text, time_s)
        theirs = [line for verifier in self._logs[origin] if (line := note.by(verifier.key)) is not None]
        text = f"{note.text}\n{''.join(line.line() for line in (*theirs, mine))}"
        files.write_atomically(path_of(self._folder, origin), text.encode(), 0o644)
        self._seen[origin] = Seen(text, submission.checkpoint, time_s)
        return mine.line()

    def _refuse(self, submission: Submission, held: Checkpoint) -> None:
        """Keep the first note that proves two histories: two signed roots of one size."""
        new, path = submission.checkpoint, path_of(self._folder, held.origin)
        _log.error("checkpoint_refused", origin=new.origin, size=new.size, held_size=held.size)
        path = path.with_name(path.name + FORK_SUFFIX)
        if new.size == held.size and new.root_hash != held.root_hash and not path.exists():
            lines = "".join(line.line() for line in submission.note.signatures)
            files.write_atomically(path, f"{submission.note.text}\n{lines}".encode(), 0o644)


def _hash(line: str) -> bytes:
    value = strict_base64(line)
    if len(value) != merkle.HASH_BYTES:
        raise ValueError(f"proof line: {len(value)} bytes, wanted {merkle.HASH_BYTES}")
    return value
