"""Which witnesses a checkpoint needs before it counts. C2SP tlog-policy: a text file, one statement a line.

::

    log bank.example/finslm+5e9c2a10+AWx...
    witness risk  witness.example/risk+0b5d...   http://witness.risk.bank.example:8085
    witness audit witness.example/audit+77e0...  unix:/run/witness/audit.sock
    group both all risk audit
    quorum both
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar, final

from finslm.audit.checkpoint import Checkpoint, Note, Verifier, verify_signed
from finslm.audit.cosignature import CosignatureVerifier
from finslm.errors import ConfigError

NO_QUORUM: Final = "none"
"""The predefined name for: no witness is needed."""

MAX_FILE_BYTES: Final = 1 << 20

_Key = TypeVar("_Key", Verifier, CosignatureVerifier)
_SPACE = re.compile(r"[ \t]+")
_BAD_OCTET = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness as the policy names it."""

    name: str
    verifier: CosignatureVerifier
    url: str
    """Where it is asked (its submission prefix, or ``unix:`` and a path); empty where nobody here asks it."""


@final
@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and groups, of which ``least`` must have cosigned."""

    least: int
    members: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Standing:
    """What the witnesses have said of one checkpoint."""

    checkpoint: Checkpoint
    times: Mapping[str, int]
    """When each witness cosigned it, Unix seconds, by the policy's name; those that did not are absent."""
    met_at: int | None
    """When the quorum was complete, Unix seconds by the witnesses' clocks; None: it is not.
    0 where the policy needs none."""


@final
@dataclass(slots=True)
class WitnessPolicy:
    """A policy that was read and whose names all mean something."""

    logs: list[Verifier] = field(default_factory=list)
    witnesses: dict[str, PolicyWitness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = ""

    @classmethod
    def load(cls, path: Path) -> WitnessPolicy:
        """Read a policy file.

        Raises:
            ConfigError: it cannot be read, or a line breaks the rules; the message has file and line.
        """
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ConfigError(f"witness policy {path}: {error.strerror}") from None
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: bytes, source: str) -> WitnessPolicy:
        """Read the text of a policy; ``source`` is how messages call it. Raises as :meth:`load`."""
        return _Reader(source).read(data)

    def is_met(self, names: Collection[str]) -> bool:
        """Whether these witnesses are enough."""
        return self.quorum == NO_QUORUM or self._has(self.quorum, names)

    def check(self, note: Note, logs: Collection[Verifier] = ()) -> Standing:
        """Check the log's signature and the cosignatures on ``note``. An unmet quorum is no error here.

        Args:
            logs: the log's keys; those of the policy when none are given.

        Raises:
            ValueError: not a checkpoint of such a log, or a known witness's line does not verify: then the whole
                note is refused, as C2SP signed-note advises.
        """
        checkpoint = verify_signed(note, logs or self.logs)
        times = {w.name: time_s for w in self.witnesses.values() if (time_s := w.verifier.verify(note)) is not None}
        return Standing(checkpoint, times, self._met_at(times))

    def _met_at(self, times: Mapping[str, int]) -> int | None:
        """The earliest time by which those who had cosigned were enough."""
        for moment in (0, *sorted(times.values())):
            if self.is_met([name for name, time_s in times.items() if time_s <= moment]):
                return moment
        return None

    def _has(self, name: str, names: Collection[str]) -> bool:
        if name in self.witnesses:
            return name in names
        group = self.groups[name]
        return sum(self._has(member, names) for member in group.members) >= group.least


@final
class _Reader:
    """Reads a policy line by line; knows what was said before."""

    def __init__(self, source: str) -> None:
        self._source, self._line = source, 0
        self._policy = WitnessPolicy()
        self._keys: set[bytes] = set()
        self._grouped: set[str] = set()
        self._statements: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }

    def read(self, data: bytes) -> WitnessPolicy:
        if len(data) > MAX_FILE_BYTES:
            raise ConfigError(f"witness policy {self._source}: more than {MAX_FILE_BYTES} bytes")
        *lines, rest = data.split(b"\n")
        for self._line, line in enumerate(lines, 1):
            self._read_line(line)
        if rest:
            self._line += 1
            raise self._wrong("the line does not end with a newline: is the file cut off?")
        if not self._policy.quorum:
            raise ConfigError(f"witness policy {self._source}: no quorum line; one is wanted (quorum NAME)")
        return self._policy

    def _read_line(self, line: bytes) -> None:
        if _BAD_OCTET.search(line):
            raise self._wrong("a control character other than tab; lines end with a newline alone")
        # Octets that are no UTF-8 stay apart from each other; what they mean matters to nobody.
        words = [word for word in _SPACE.split(line.decode("utf-8", "backslashreplace")) if word]
        if not words or words[0].startswith("#"):
            return
        statement = self._statements.get(words[0])
        if statement is None:
            raise self._wrong(f"unknown word {words[0][:64]!r}; known: {', '.join(self._statements)}")
        statement(words[1:])

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise self._wrong("wanted: log VKEY [URL]")
        verifier = self._parsed(Verifier.parse, words[0])
        self._own(verifier.key.raw)
        self._policy.logs.append(verifier)

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise self._wrong("wanted: witness NAME VKEY [URL]")
        name = self._new_name(words[0])
        verifier = self._parsed(CosignatureVerifier.parse, words[1])
        self._own(verifier.key.raw)
        self._policy.witnesses[name] = PolicyWitness(name, verifier, words[2] if len(words) == 3 else "")

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise self._wrong("wanted: group NAME any|all|NUMBER MEMBER...")
        name, members = self._new_name(words[0]), words[2:]
        for member in members:
            self._known(member)
            if member in self._grouped:
                raise self._wrong(f"{member[:64]!r} is a member already: each name is one of one group, once")
            self._grouped.add(member)
        self._policy.groups[name] = Group(self._least(words[1], len(members)), tuple(members))

    def _least(self, word: str, members: int) -> int:
        least = {"any": 1, "all": members}.get(word) or (int(word) if _THRESHOLD.fullmatch(word) else 0)
        if not 1 <= least <= members:
            raise self._wrong(f"threshold {word[:64]!r}; wanted: any, all, or 1 to {members}")
        return least

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise self._wrong("wanted: quorum NAME, or quorum none")
        if self._policy.quorum:
            raise self._wrong("a second quorum; one is wanted")
        if words[0] != NO_QUORUM:
            self._known(words[0])
        self._policy.quorum = words[0]

    def _new_name(self, name: str) -> str:
        if name == NO_QUORUM or name in self._policy.witnesses or name in self._policy.groups:
            raise self._wrong(f"the name {name[:64]!r} is taken")
        return name

    def _known(self, name: str) -> None:
        if name not in self._policy.witnesses and name not in self._policy.groups:
            raise self._wrong(f"no witness or group {name[:64]!r} on a line before this one")

    def _own(self, raw: bytes) -> None:
        """One key is one party: a witness that has the log's key would witness itself."""
        if raw in self._keys:
            raise self._wrong("this public key is on a line before this one already")
        self._keys.add(raw)

    def _parsed(self, parse: Callable[[str], _Key], vkey: str) -> _Key:
        try:
            return parse(vkey)
        except ValueError as error:
            raise self._wrong(str(error)) from None

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(f"witness policy {self._source}, line {self._line}: {what}")
