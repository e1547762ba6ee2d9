"""``stages.jsonl``: who promoted or retired which version of a model, when and why. Append-only, chained by hash.

One decision a line, canonical JSON (RFC 8785): ``{"decision": {...}, "signature": BASE64}``. ``previous`` is the
SHA-256 of the line before, so that nothing can be changed, taken out or put in before the last line; the SHA-256 of
the last line is the head. That lines are missing at the end only shows to who has seen a later head: the service
keeps it in the audit log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, final

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finslm.errors import ConfigError
from finslm.models.manifest import Name, Sha256
from finslm.models.staging import locked, replace_file

STAGES_FILE: Final = "stages.jsonl"
START: Final = "0" * 64
"""``previous`` of the first decision, and head of an empty log."""
CONTEXT: Final = b"finslm model stage v1\n"
"""Goes before what is signed, so that no signature of another purpose is one of ours."""
MAX_LINE_BYTES: Final = 8192
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"

AHEAD: Final = timedelta(minutes=5)
"""How far the clocks of two machines that decide may be apart: a decision dated further ahead counts for nobody."""

Stage = Literal["candidate", "approved", "retired"]
Clock = Callable[[], datetime]


class Decision(BaseModel):
    """What was decided of one version: its digest, under its name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    version: Literal[1] = 1
    origin: str
    """Name of the models folder that it is about; in another one it counts for nothing."""
    index: int = Field(ge=0)
    """Its place in the log, from 0."""
    previous: Sha256
    time: Annotated[str, Field(pattern=_TIME)]
    """RFC 3339, UTC; never before that of the decision before."""
    model: Name
    digest: Sha256
    stage: Literal["approved", "retired"]
    by: Name
    why: str = Field(min_length=1, max_length=1000)
    evaluation: Sha256 | None = None
    """SHA-256 of the file of metrics that it rests on."""

    def signed_bytes(self) -> bytes:
        """What the approver signs."""
        return CONTEXT + rfc8785.dumps(self.model_dump(mode="json"))


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """A decision as it is in the log.

    Args:
        signature: 64 bytes; none where nobody signed.
        hash: SHA-256 of its line without the line's end, hex.
    """

    decision: Decision
    signature: bytes
    hash: str


@final
class Head(NamedTuple):
    """How far a log goes."""

    size: int
    hash: str


@final
@dataclass(frozen=True, slots=True)
class StageLog:
    """All decisions, oldest first."""

    entries: tuple[Entry, ...] = ()

    @property
    def head(self) -> Head:
        """Number of decisions, and hash of the last."""
        return Head(len(self.entries), self.entries[-1].hash if self.entries else START)

    def follows(self, seen: Head) -> bool:
        """Whether this log is the one that had this head, or goes on from it."""
        return seen.size == 0 or (seen.size <= len(self.entries) and self.entries[seen.size - 1].hash == seen.hash)

    def of(self, model: str) -> list[Entry]:
        """Decisions on one model's versions."""
        return [entry for entry in self.entries if entry.decision.model == model]


def now() -> datetime:
    """The time of this machine's clock."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A time as decisions have it; ``moment`` must be aware."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read_log(models_dir: Path) -> StageLog:
    """Read ``stages.jsonl`` and check form and chain; whose signatures count, :mod:`finslm.models.approvers` says.

    Raises:
        ConfigError: unreadable, a line that is no decision or not in its place.
    """
    file = models_dir / STAGES_FILE
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return StageLog()
    except OSError as error:
        raise ConfigError(f"stage log {file}: {error.strerror or error}") from error
    entries: list[Entry] = []
    *lines, rest = data.split(b"\n")
    if rest:
        raise ConfigError(f"stage log {file}: line {len(lines) + 1} is cut off: restore the file from its backup")
    for number, line in enumerate(lines, 1):
        try:
            entries.append(_parse(line, entries[-1] if entries else None))
        except ValueError as error:
            raise ConfigError(f"stage log {file}: line {number}: {error}: restore the file from its backup") from None
    return StageLog(tuple(entries))


def decide(
    models_dir: Path,
    wanted: Callable[[StageLog], dict[str, Any]],
    sign: Callable[[bytes], bytes],
    clock: Clock = now,
    check: Callable[[Entry], None] = lambda _: None,
) -> Entry:
    """Append one decision; the file is replaced as a whole, so a crash leaves the old log or the new one.

    Args:
        wanted: from the log as it is, under the lock, to the fields of the decision that only the caller knows.
        sign: from the bytes of :meth:`Decision.signed_bytes` to the signature; nothing where nobody signs.
        check: raises where the decision would not count: it is then not put into the log, which it would make useless.

    Raises:
        ConfigError: the log cannot be read or written, a field breaks its rule, or the clock is behind the log by more
            than :data:`AHEAD`.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with locked(models_dir, STAGES_FILE):
            log = read_log(models_dir)
            decision = _decision(wanted(log), log.head, _time(log, clock()))
            line = _line(decision, sign(decision.signed_bytes()))
            try:
                entry = _parse(line, log.entries[-1] if log.entries else None)
            except ValueError as error:
                raise ConfigError(f"this decision cannot be put on record: {error}") from None
            check(entry)
            file = models_dir / STAGES_FILE
            replace_file(file, (file.read_bytes() if file.exists() else b"") + line + b"\n")
    except OSError as error:
        raise ConfigError(f"stage log in {models_dir}: {error.strerror or error}; nothing was decided") from error
    return entry


def _time(log: StageLog, moment: datetime) -> str:
    """Of a decision that is made at ``moment``: never before the last one, whose clock may have been a little ahead."""
    last = log.entries[-1].decision.time if log.entries else ""
    return max(stamp(moment), last) if last <= stamp(moment + AHEAD) else stamp(moment)


def _decision(fields: dict[str, Any], head: Head, time: str) -> Decision:
    try:
        return Decision(index=head.size, previous=head.hash, time=time, **fields)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"this decision cannot be put on record: {problems}") from None


def _line(decision: Decision, signature: bytes) -> bytes:
    tree: dict[str, Any] = {
        "decision": decision.model_dump(mode="json"),
        "signature": base64.b64encode(signature).decode(),
    }
    return rfc8785.dumps(tree)


def _parse(line: bytes, before: Entry | None) -> Entry:
    """Read one line that comes after ``before``.

    Raises:
        ValueError: what is wrong with it.
    """
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"{len(line)} bytes, limit {MAX_LINE_BYTES}")
    try:
        tree = json.loads(line)
        decision = Decision.model_validate(tree["decision"])
        signature = base64.b64decode(tree["signature"], validate=True)
    except (ValueError, RecursionError, TypeError, KeyError, binascii.Error):  # pydantic's error is a ValueError
        raise ValueError("not a decision") from None
    if _line(decision, signature) != line:
        raise ValueError("not in canonical form")
    if not decision.why.isprintable():
        raise ValueError("the reason must be one line of printable text")
    _check_place(decision, before)
    return Entry(decision, signature, hashlib.sha256(line).hexdigest())


def _check_place(decision: Decision, before: Entry | None) -> None:
    index, previous = (0, START) if before is None else (before.decision.index + 1, before.hash)
    if (decision.index, decision.previous) != (index, previous):
        raise ValueError("it does not follow the decision before it: one was changed, taken out or put in")
    datetime.fromisoformat(decision.time)
    if before is not None and decision.time < before.decision.time:
        raise ValueError(f"its time is before that of the decision before it, {before.decision.time}: set the clock")
