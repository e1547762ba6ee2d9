"""What witnesses have cosigned: read before the log is, held against it afterwards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

from finslm.audit import VerifyReport
from finslm.audit.checkpoint import Verifier
from finslm.audit.policy import Standing, WitnessPolicy
from finslm.audit.records import utc_stamp
from finslm.audit.verify import open_verifier
from finslm.audit.witnessed import COSIGNED_FILE, check_extends, log_keys, read_cosigned, trusted_key
from finslm.compliance.model import Check, Cosignature, Witnesses
from finslm.errors import AuditUnavailable, ConfigError

_MAX_TIME_S: Final = 253_402_300_799
"""The last second of the year 9999: no later one can be written as RFC 3339."""


@final
@dataclass(frozen=True, slots=True)
class Seen:
    """The key to verify the log with, and what its witnesses have said of it so far."""

    verifier: Verifier
    policy: str = ""
    """SHA-256 of the policy file; empty when none was given."""
    standing: Standing | None = None
    """None: no policy, or there is no cosigned checkpoint."""

    @classmethod
    def read(cls, log_dir: Path, vkey: str | None, policy_file: Path | None) -> Seen:
        """Read the policy and the folder's cosigned checkpoint.

        Raises:
            AuditUnavailable: the cosigned checkpoint is not valid, and proves nothing.
            ConfigError, InvalidRequest: a key or the policy cannot be used.
        """
        if policy_file is None:
            return cls(open_verifier(log_dir, vkey))
        policy = WitnessPolicy.load(policy_file)
        verifier = trusted_key(log_dir, policy, vkey)
        digest = _digest(policy_file)
        try:
            standing = read_cosigned(log_dir / COSIGNED_FILE, policy, log_keys(policy, verifier))
        except FileNotFoundError:
            return cls(verifier, digest)
        except OSError as error:
            raise AuditUnavailable(f"the cosigned checkpoint cannot be read: {error.strerror}") from error
        return cls(verifier, digest, standing)

    def against(self, log_dir: Path, verified: VerifyReport) -> Witnesses:
        """Hold the log that was just verified against what was cosigned.

        Raises:
            AuditCorrupt: the log is shorter, or another history: there is no report of it.
            AuditUnavailable: its hashes cannot be read.
        """
        if self.standing is None:
            return Witnesses(policy=self.policy)
        check_extends(log_dir, verified, self.standing.checkpoint)
        times = sorted(self.standing.times.items())
        return Witnesses(
            policy=self.policy,
            quorum=self.standing.met_at is not None,
            cosigned_size=self.standing.checkpoint.size,
            cosignatures=tuple(Cosignature(name=name, time=_stamp(time_s)) for name, time_s in times),
        )


def check_of_quorum(seen: Witnesses, end: int) -> tuple[Check, ...]:
    """Whether the quorum stands behind the whole period; no check without a policy."""
    if not seen.policy:
        return ()
    if seen.cosigned_size is None:
        detail = f"there is no {COSIGNED_FILE} in the folder of the log"
    else:
        quorum = "a quorum" if seen.quorum else "no quorum"
        detail = f"{quorum} has cosigned the first {seen.cosigned_size:,} records, the period ends at {end:,}"
    passed = seen.quorum and seen.cosigned_size is not None and seen.cosigned_size >= end
    return (Check(name="The witnesses have cosigned the period", passed=passed, detail=detail),)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"witness policy {path}: {error.strerror}") from None


def _stamp(time_s: int) -> str:
    return utc_stamp(datetime.fromtimestamp(min(time_s, _MAX_TIME_S), UTC))
