"""Asking a witness, from the log's side. C2SP tlog-witness over HTTP(S) or a Unix socket.

Nothing that a witness says is believed: only a cosignature that verifies counts.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, final

import httpx

from finslm.audit.checkpoint import Note, NoteSignature
from finslm.audit.policy import PolicyWitness
from finslm.audit.witness_state import Seen, hash_of
from finslm.errors import ConfigError

MAX_ANSWER_BYTES: Final = 64 << 10
"""Longest answer of a witness that is read."""

UNIX: Final = "unix:"

_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)


class Trouble(StrEnum):
    """Why a witness did not cosign: the metric's ``reason``."""

    UNREACHABLE = "unreachable"
    """No connection, no answer in time, or it broke off."""
    REFUSED = "refused"
    """A status that says no: 403, 404, 422, 5xx."""
    AHEAD = "ahead"
    """It has cosigned a larger tree of this log than this log has: the tail is cut, or this is an old copy."""
    FORKED = "forked"
    """422: the tree does not extend the one that it has cosigned."""
    INVALID = "invalid"
    """An answer that breaks the protocol, or a cosignature that does not verify."""


class WitnessTrouble(Exception):
    """A witness did not cosign. Never leaves the audit package: it is counted, and the quorum decides."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(trouble.value)
        self.trouble, self.detail = trouble, detail


@final
class WitnessHolds(Exception):
    """A 409: the witness holds another size than the one that the proof begins at."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def check_url(witness: PolicyWitness) -> None:
    """Refuse an address that cannot be asked.

    Raises:
        ConfigError: not ``http://``, ``https://`` or ``unix:`` and an absolute path.
    """
    if witness.url.startswith(f"{UNIX}/"):
        return
    try:
        url = httpx.URL(witness.url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ConfigError(
            f"witness policy: address of witness {witness.name}: wanted http://HOST:PORT, https://HOST or unix:/PATH"
        )


@final
class WitnessClient:
    """Speaks to one witness; a connection for each request, since they are rare. No proxy, no redirect."""

    def __init__(self, witness: PolicyWitness, timeout_s: float) -> None:
        check_url(witness)
        self.witness, self._timeout_s = witness, timeout_s
        unix = witness.url.startswith(UNIX)
        self._uds = witness.url.removeprefix(UNIX) if unix else None
        self._base = "http://witness" if unix else witness.url.rstrip("/")
        # The system's certificates: a bank's own authority is there, or named by SSL_CERT_FILE.
        self._tls = ssl.create_default_context() if witness.url.startswith("https:") else False

    async def add_checkpoint(self, note: Note, old_size: int, proof: Sequence[bytes]) -> NoteSignature:
        """Have ``note`` cosigned; the line that comes back has been verified.

        Raises:
            WitnessHolds: the witness holds another size than ``old_size``.
            WitnessTrouble: it did not cosign.
        """
        lines = "".join(f"{base64.b64encode(value).decode()}\n" for value in proof)
        signatures = "".join(line.line() for line in note.signatures)
        body = f"old {old_size}\n{lines}\n{note.text}\n{signatures}"
        status, text = await self._ask("POST", "/add-checkpoint", body.encode())
        if status == 409 and (size := _SIZE.fullmatch(text)):
            raise WitnessHolds(int(size[1]))
        if status != 200:
            raise WitnessTrouble(Trouble.FORKED if status == 422 else Trouble.REFUSED, str(status))
        return self._cosignature(note, text)

    async def latest(self, origin: str) -> Seen | None:
        """The checkpoint of a log that the witness cosigned last, its own cosignature verified; None when none.

        Raises:
            WitnessTrouble: it does not say, or what it says does not verify.
        """
        status, text = await self._ask("GET", f"/{hash_of(origin)}/checkpoint", None)
        if status == 404:
            return None
        if status != 200:
            raise WitnessTrouble(Trouble.REFUSED, str(status))
        try:
            seen = Seen.parse(text, self.witness.verifier)
            if seen.checkpoint.origin != origin:
                raise ValueError("of another log")
        except ValueError as error:
            raise WitnessTrouble(Trouble.INVALID, str(error)) from None
        return seen

    def _cosignature(self, note: Note, lines: str) -> NoteSignature:
        """The witness's own line of its answer; lines of keys that nobody named here are passed over."""
        try:
            answer = Note(note.text, Note.parse(f"{note.text}\n{lines}").signatures)
            line = answer.by(self.witness.verifier.key)
            if line is None or self.witness.verifier.verify(answer) is None:
                raise ValueError("no cosignature of the witness")
        except ValueError as error:
            raise WitnessTrouble(Trouble.INVALID, str(error)) from None
        return line

    async def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, str]:
        """One request and its whole answer, all within the time limit."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(method, path, body)
        except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
            raise WitnessTrouble(Trouble.UNREACHABLE, type(error).__name__) from None
        except ValueError as error:
            raise WitnessTrouble(Trouble.INVALID, str(error)) from None

    async def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, str]:
        transport = httpx.AsyncHTTPTransport(uds=self._uds, verify=self._tls, trust_env=False)
        async with (
            httpx.AsyncClient(transport=transport, timeout=self._timeout_s, trust_env=False) as client,
            client.stream(method, f"{self._base}{path}", content=body) as response,
        ):
            data = b""
            async for part in response.aiter_bytes():
                data += part
                if len(data) > MAX_ANSWER_BYTES:
                    raise ValueError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            try:
                return response.status_code, data.decode()
            except UnicodeDecodeError:
                raise ValueError("an answer that is not UTF-8") from None
