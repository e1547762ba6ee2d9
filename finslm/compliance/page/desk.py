"""What the officer asks of the log: a reading, a report, a search, a record, a verification."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, final

from finslm.audit import merkle
from finslm.audit.checkpoint import Verifier
from finslm.audit.policy import Standing, WitnessPolicy
from finslm.audit.proof import Proof
from finslm.audit.records import FIELDS, Record, parse
from finslm.audit.verify import open_verifier
from finslm.audit.witnessed import COSIGNED_FILE, check_extends, log_keys, read_cosigned, trusted_key
from finslm.compliance.model import Report
from finslm.compliance.page.period import Period, read_period
from finslm.compliance.page.reading import Reading, size_now, take_reading
from finslm.compliance.page.search import Found, Search, of_call
from finslm.compliance.page.work import OLD_S, YOUNG_S, NotYet, Work
from finslm.compliance.report import draw
from finslm.compliance.request import Request, refusal
from finslm.errors import AuditCorrupt, AuditUnavailable, FinslmError

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """What the command was started with.

    Raises:
        ConfigError: the policy cannot be read.
    """

    log_dir: Path
    vkey: str | None = None
    """Public key kept elsewhere; None: the folder's own, or the policy's."""
    policy_file: Path | None = None
    """Witness policy; None: no cosignature is looked at."""
    system: str = ""
    environment: str = ""
    policy: WitnessPolicy | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.policy_file is not None:
            object.__setattr__(self, "policy", WitnessPolicy.load(self.policy_file))


@final
@dataclass(frozen=True, slots=True)
class Drawn:
    """A report, and the names of all tenants in the log."""

    report: Report
    period: Period
    tenants: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Shown:
    """A record with what proves it."""

    reading: Reading
    index: int
    record: Record
    entry: bytes
    proof: Proof | None
    call: list[tuple[int, Record]]

    @property
    def leaf_hash(self) -> str:
        """RFC 9162 leaf hash, hex."""
        return merkle.leaf_hash(self.entry).hex()

    def fields(self) -> Iterator[tuple[str, object]]:
        """Names and values of what the record has, in the order of the schema."""
        stored = json.loads(self.entry)
        return ((name, stored[name]) for name in FIELDS if name in stored and name != "version")


@final
@dataclass(frozen=True, slots=True)
class Verification:
    """What one verification found."""

    began: datetime
    ended: datetime
    reading: Reading | None = None
    standing: Standing | None = None
    """What witnesses signed; None without a policy, or where nothing of theirs is valid."""
    damage: int | None = None
    """First record that is wrong."""
    failure: str = ""
    """Reason code of what kept it from being verified."""
    witnesses_failed: bool = False
    """The log holds by itself, and there is no valid cosigned checkpoint."""

    @property
    def passed(self) -> bool:
        """Whether all that was to be checked was, and holds."""
        met = self.standing is None or self.standing.met_at is not None
        return self.reading is not None and self.reading.report.ok and met and not self.witnesses_failed


@final
class Desk:
    """Questions and their answers, each read from the verified log."""

    def __init__(self, setting: Setting, wait_s: float) -> None:
        self.setting = setting
        self._work = Work(wait_s)
        self._reading: Reading | None = None
        self._verified: Verification | None = None

    def report(self, query: dict[str, str], tenant: str, by: str, wait_s: float | None = None) -> Drawn:
        """The report of the period that a query names. Raises as :func:`draw`, and :class:`NotYet`."""
        today = datetime.now(UTC).date()
        chosen = tuple(query.get(name, "") for name in ("period", "first", "last"))

        def make() -> Drawn:
            reading, now = self._current(), datetime.now(UTC)
            begins = datetime.fromisoformat(reading.blocks.first_time or now.isoformat()).date()
            period = read_period(query, now.date(), begins)
            start, end = period.bounds(now)
            request = Request(
                *(start, end, now, by, self.setting.system, self.setting.environment, tenant),
            )
            report = draw(
                self.setting.log_dir, request, vkey=self.setting.vkey, witness_policy=self.setting.policy_file
            )
            return Drawn(report, period, tuple(sorted(reading.blocks.names["tenant"])))

        return self._ask(("report", *chosen, today, tenant, by), make, wait_s)

    def search(self, search: Search) -> Found:
        """What fits a search. Raises as :func:`take_reading`, and :class:`NotYet`."""

        def make() -> Found:
            reading = self._current()
            return Found(search, reading, search.find(reading))

        return self._ask(("search", search), make)

    def record(self, index: int) -> Shown | None:
        """A record; None where there is none. Raises as :func:`take_reading`, and :class:`NotYet`."""

        def make() -> Shown | None:
            reading = self._current()
            if not reading.report.first_kept <= index < reading.size:
                return None
            entry = reading.entry(index)
            record = parse(entry)
            return Shown(reading, index, record, entry, reading.prove(index), of_call(reading, index, record))

        return self._ask(("record", index), make)

    def verify(self) -> None:
        """Begin to verify the whole log anew; nothing that was read before counts any more."""
        self._work.forget()
        self._reading = self._verified = None
        try:
            self._work.result("verify", -1, self._verify)
        except NotYet:
            return

    def verification(self) -> Verification | None:
        """The last verification, whenever it was; None before the first.

        Raises:
            NotYet: it goes on.
        """
        if self._verified is None and self._work.runs("verify"):
            self._work.result("verify", -1, self._verify)
        return self._verified

    def _ask(self, name: tuple[object, ...], make: Callable[[], T], wait_s: float | None = None) -> T:
        return self._work.result(name, size_now(self.setting.log_dir), make, wait_s)

    def _current(self) -> Reading:
        """A reading that is fresh enough; only jobs come here, one at a time."""
        reading = self._reading
        if reading is not None:
            age = (datetime.now(UTC) - reading.at).total_seconds()
            if age < YOUNG_S or (age < OLD_S and reading.size == size_now(self.setting.log_dir)):
                return reading
        self._reading = reading = take_reading(self.setting.log_dir, self._trusted(), datetime.now(UTC))
        return reading

    def _trusted(self) -> str | None:
        """The public key to begin with."""
        policy, vkey = self.setting.policy, self.setting.vkey
        return vkey if policy is None else trusted_key(self.setting.log_dir, policy, vkey).vkey()

    def _verify(self) -> Verification:
        began = datetime.now(UTC)
        try:
            found = self._hold(began)
        except AuditCorrupt as error:
            found = Verification(began, datetime.now(UTC), damage=error.index, failure=error.reason)
        except FinslmError as error:
            found = Verification(began, datetime.now(UTC), failure=error.reason)
        self._verified = found
        return found

    def _hold(self, began: datetime) -> Verification:
        """Read the log, and hold it against what its witnesses signed. What they signed is read first."""
        folder, policy = self.setting.log_dir, self.setting.policy
        standing = None if policy is None else self._standing(policy, open_verifier(folder, self._trusted()))
        reading = take_reading(folder, self._trusted(), began)
        if standing is not None:
            check_extends(folder, reading.report, standing.checkpoint)
        self._reading = reading
        failed = policy is not None and standing is None
        return Verification(began, datetime.now(UTC), reading, standing, witnesses_failed=failed)

    def _standing(self, policy: WitnessPolicy, verifier: Verifier) -> Standing | None:
        try:
            return read_cosigned(self.setting.log_dir / COSIGNED_FILE, policy, log_keys(policy, verifier))
        except (AuditUnavailable, OSError):
            return None  # told as such: the page says that no valid cosigned checkpoint is there


def read_index(text: str) -> int:
    """The index of a record.

    Raises:
        InvalidRequest: not one.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise refusal("index", "the index of a record is wanted: 0, 1, ...")
    return int(text)
