"""A teacher inside the network: a server that speaks OpenAI's chat completions.

It is the one place of training from which text leaves this machine, so it is narrow: redacted text only, to hosts that
the recipe lists and to no other, not through a proxy of the environment, and not where a redirect points.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import httpx

from finslm.errors import ConfigError
from finslm.train.distilling.recipe import EndpointRationales
from finslm.train.distilling.teachers.base import Row

PATH: Final = "/v1/chat/completions"
MAX_ANSWER_BYTES: Final = 1 << 20
"""A longer answer is no rationale."""
FIRST_PAUSE_S: Final = 0.5
"""Before the first repetition; each further one waits twice as long, :data:`LONGEST_PAUSE_S` at most."""
LONGEST_PAUSE_S: Final = 30.0
_LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1"))
_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
"""Statuses after which it is asked again (RFC 9110, 15.6; RFC 6585, 4)."""


class _TryAgain(Exception):
    """What went wrong may not do so the next time."""


@final
class EndpointTeacher:
    """Asks ``url`` + :data:`PATH` for each row, at temperature 0.

    Args:
        said: where, which model, what it is told, and the hosts that are allowed.
        pause: waits so many seconds.

    Raises:
        ConfigError: the host is not allowed, the URL is not of the form that is wanted, or the token is not there.
    """

    def __init__(self, said: EndpointRationales, pause: Callable[[float], None] = time.sleep) -> None:
        self._said, self._pause = said, pause
        self._url = checked_url(said)
        token = {"Authorization": f"Bearer {_token(said.token_file)}"} if said.token_file else {}
        self._headers = {"Accept-Encoding": "identity", **token}

    @property
    def digest(self) -> str:
        """Of the address, the model's name, the instruction and the length: its weights cannot be seen from here."""
        said = self._said
        whole = [self._url, said.model, said.instruction, said.max_tokens]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()

    def explain(self, rows: Sequence[Row]) -> list[str]:
        """Ask for each row.

        Raises:
            ConfigError: it does not answer after all repetitions, redirects, or answers something else.
        """
        return asyncio.run(self._explained(rows))

    async def _explained(self, rows: Sequence[Row]) -> list[str]:
        async with httpx.AsyncClient(
            trust_env=False, follow_redirects=False, timeout=self._said.timeout_s, headers=self._headers
        ) as client:
            return [await self._ask(client, self._body(row)) for row in rows]

    def _body(self, row: Row) -> dict[str, Any]:
        messages = row.prompt(self._said.instruction).messages
        return {
            "model": self._said.model,
            "messages": [{"role": each.role, "content": each.text.value} for each in messages],
            "max_tokens": self._said.max_tokens,
            "temperature": 0,
        }

    async def _ask(self, client: httpx.AsyncClient, body: Mapping[str, Any]) -> str:
        tries = self._said.retries + 1
        why: Exception | None = None
        for number in range(tries):
            if number:
                self._pause(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (number - 1)))
            try:
                # httpx bounds each wait for bytes; an end that sends one now and then would never be done.
                async with asyncio.timeout(self._said.timeout_s):
                    return await self._once(client, body)
            except TimeoutError:
                why = _TryAgain(f"no whole answer within {self._said.timeout_s:g} s")
            except (_TryAgain, httpx.RequestError) as error:
                why = error
        raise ConfigError(
            f"{self._url}: no answer after {tries} tries ({_said(why)}); what was answered is kept: "
            "run the same command again to go on"
        ) from why

    async def _once(self, client: httpx.AsyncClient, body: Mapping[str, Any]) -> str:
        async with client.stream("POST", self._url, json=body) as response:
            if response.is_redirect or response.has_redirect_location:
                raise ConfigError(
                    f"{self._url}: status {response.status_code} points elsewhere; a text goes to no other place than "
                    "the recipe says"
                )
            if response.status_code in _AGAIN:
                raise _TryAgain(f"HTTP status {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise ConfigError(f"{self._url}: HTTP status {response.status_code}, 200 is wanted")
            return self._content(await _read(response, self._url))

    def _content(self, answer: bytes) -> str:
        try:
            content = json.loads(answer)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError):
            content = None
        if not isinstance(content, str):
            raise ConfigError(f"{self._url}: the answer has no choices[0].message.content; is it a chat completion?")
        return content.strip()


def checked_url(said: EndpointRationales) -> str:
    """The address that is asked.

    Raises:
        ConfigError: its host is not on the list, or it is not of the form that is wanted.
    """
    try:
        url = httpx.URL(said.url)  # read by what will connect: two readers could see two hosts
    except httpx.InvalidURL as error:
        raise ConfigError(f"rationales.url: {error}") from error
    host = url.host.lower()
    if host not in {allowed.lower() for allowed in said.allowed_hosts}:
        raise ConfigError(
            f"rationales.url: host {host[:64]!r} is not in rationales.allowed_hosts "
            f"({', '.join(said.allowed_hosts)}): no text is sent to it"
        )
    if url.userinfo or url.query or url.fragment:
        raise ConfigError("rationales.url: user, password, query or fragment; a secret belongs in token_file")
    if url.scheme != "https" and not (url.scheme == "http" and (host in _LOOPBACK or said.plain_http)):
        raise ConfigError("rationales.url: https is wanted; http to another machine only with plain_http: true")
    return said.url.rstrip("/") + PATH


def _said(error: Exception | None) -> str:
    """Of the transport's errors the kind alone: their words may quote a header."""
    return str(error) if isinstance(error, _TryAgain) else type(error).__name__


def _token(file: Path) -> str:
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"rationales.token_file {file}: {type(error).__name__}") from error
    if not re.fullmatch(r"[!-~]+", token):  # never quoted: part of it may be the secret
        raise ConfigError(f"rationales.token_file {file}: one line of printable ASCII without spaces is wanted")
    return token


async def _read(response: httpx.Response, url: str) -> bytes:
    """The answer as it came; a compressed one is not unpacked, since a few bytes may stand for any number."""
    if (encoding := response.headers.get("Content-Encoding", "identity")).lower() != "identity":
        raise ConfigError(f"{url}: an answer with Content-Encoding {encoding[:32]!r}, none was asked for")
    whole = bytearray()
    async for piece in response.aiter_raw():
        whole += piece
        if len(whole) > MAX_ANSWER_BYTES:
            raise ConfigError(f"{url}: an answer of more than {MAX_ANSWER_BYTES} bytes")
    return bytes(whole)
