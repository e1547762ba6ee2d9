"""What the harness and a system's process say to each other: one JSON object a line.

Only the standard library: peers run it with a Python of their own.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """A prompt, as two messages and as the token ids they give, and how many tokens to generate."""

    system: str
    user: str
    ids: list[int]
    new: int


@dataclass(frozen=True)
class Answer:
    """What came of one request; times in seconds since all of them were sent, None where not observed."""

    tokens: int
    first_s: float | None = None
    last_s: float | None = None


@dataclass(frozen=True)
class Run:
    """What came of requests sent at once; ``wall_s`` is None where a tool tells only a rate."""

    answers: list[Answer]
    wall_s: float | None

    @property
    def tokens(self) -> int:
        """Tokens generated, all requests together."""
        return sum(answer.tokens for answer in self.answers)


Send = Callable[[Sequence[Request]], Run]


def serve(about: dict[str, Any], send: Send) -> None:
    """Say ``about``, then answer each line of requests on standard input until it ends.

    Call :func:`quiet` first, before libraries that print are loaded.
    """
    _say({"about": about})
    for line in sys.stdin:
        try:
            run = send([Request(**request) for request in json.loads(line)])
        except Exception as error:  # noqa: BLE001 - told to the harness, which marks the system as failed
            traceback.print_exc()
            _say({"error": f"{type(error).__name__}: {error}"})
            continue
        _say({"run": asdict(run)})


def read_run(value: dict[str, Any]) -> Run:
    """A run from its JSON."""
    return Run([Answer(**answer) for answer in value["answers"]], value["wall_s"])


_out: list[Any] = []


def quiet() -> None:
    """Keep standard output for our lines; what libraries print goes to standard error."""
    _out.append(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)


def _say(value: dict[str, Any]) -> None:
    out = _out[0] if _out else sys.stdout
    out.write(json.dumps(value) + "\n")
    out.flush()
