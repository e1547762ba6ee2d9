"""What the witnesses hold, asked now, against a log's files. Of what lies beside the log only its key is trusted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, final

from finslm.audit.policy import WitnessPolicy
from finslm.audit.verify import VerifyReport, verify_dir
from finslm.audit.witness_client import WitnessClient, WitnessTrouble
from finslm.audit.witness_state import Seen
from finslm.audit.witnessed import check_extends, trusted_key
from finslm.errors import AuditCorrupt, ConfigError

TIMEOUT_S: Final = 5.0
"""A witness gets this long for its answer, seconds."""


class Verdict(StrEnum):
    """What one witness's checkpoint says of the log."""

    EXTENDS = "the log has all of it"
    SHORTER = "the log is shorter: its tail was cut"
    DIFFERS = "the log differs: it was written anew"
    NOTHING = "has cosigned nothing of this log"
    SILENT = "does not answer"


@final
@dataclass(frozen=True, slots=True)
class View:
    """What a witness has cosigned last, and what that says of the log."""

    witness: str
    verdict: Verdict
    size: int = 0
    """Records; 0 where it has not said."""
    time_s: int = 0
    """When, Unix seconds by its clock; 0 where it has not said."""
    detail: str = ""


@final
@dataclass(frozen=True, slots=True)
class WitnessCheck:
    """What all witnesses that have an address said."""

    log: VerifyReport
    views: tuple[View, ...]
    ok: bool
    """No witness knows of more or of another history, and those whose checkpoints the log extends make the quorum."""


def check_with_witnesses(folder: Path, policy: WitnessPolicy, vkey: str | None = None) -> WitnessCheck:
    """Ask the witnesses, then read the whole log in ``folder`` and hold it against what they said.

    Raises:
        AuditCorrupt: the log does not even match itself.
        AuditUnavailable: its files cannot be read.
        ConfigError, InvalidRequest: no witness has an address; as for :func:`trusted_key`.
    """
    clients = [WitnessClient(witness, TIMEOUT_S) for witness in policy.witnesses.values() if witness.url]
    if not clients:
        raise ConfigError("witness policy: no witness has an address to ask")
    verifier = trusted_key(folder, policy, vkey)
    # The witnesses first: a log that grows meanwhile still has all that they had cosigned.
    said = asyncio.run(_ask_all(clients, verifier.name))
    report = verify_dir(folder, vkey=verifier.vkey())
    views = tuple(_view(folder, report, *answer) for answer in said)
    bad = any(view.verdict in (Verdict.SHORTER, Verdict.DIFFERS) for view in views)
    met = policy.is_met([view.witness for view in views if view.verdict is Verdict.EXTENDS])
    return WitnessCheck(report, views, ok=met and not bad)


async def _ask_all(clients: list[WitnessClient], origin: str) -> list[tuple[str, Seen | WitnessTrouble | None]]:
    return await asyncio.gather(*(_ask(client, origin) for client in clients))


async def _ask(client: WitnessClient, origin: str) -> tuple[str, Seen | WitnessTrouble | None]:
    try:
        return client.witness.name, await client.latest(origin)
    except WitnessTrouble as trouble:
        return client.witness.name, trouble


def _view(folder: Path, report: VerifyReport, name: str, said: Seen | WitnessTrouble | None) -> View:
    if said is None:
        return View(name, Verdict.NOTHING)
    if isinstance(said, WitnessTrouble):
        return View(name, Verdict.SILENT, detail=f"{said.trouble} {said.detail}".strip())
    size, time_s = said.checkpoint.size, said.time_s
    try:
        check_extends(folder, report, said.checkpoint)
    except AuditCorrupt as error:
        verdict = Verdict.SHORTER if report.tree_size < size else Verdict.DIFFERS
        return View(name, verdict, size, time_s, str(error))
    return View(name, Verdict.EXTENDS, size, time_s)
