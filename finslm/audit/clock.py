"""What the machine's clock is worth: whether it is synchronised and how far off it may be, as the kernel says."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from typing import Final, final

CHECKED: Final = "CLOCK_CHECKED"
STEPPED: Final = "CLOCK_STEPPED"

STEP_S: Final = 1.0
"""A clock that is this far from where it ran to since the last look was set, seconds."""

_UNSYNCHRONISED: Final = 5
"""``TIME_ERROR`` of ntp_adjtime(3): nothing keeps the clock right."""
_NANOSECONDS: Final = 0x2000
"""``STA_NANO``: the offset is in nanoseconds, else in microseconds."""


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


@final
@dataclass(frozen=True, slots=True)
class ClockState:
    """The kernel's view of its clock."""

    synchronised: bool
    offset_us: int
    """How far the clock is known to be off, microseconds."""
    max_error_us: int
    """How far it may be off at most, microseconds; the kernel lets it grow while nothing keeps the clock right."""

    def details(self) -> dict[str, str]:
        """As an event of the log has it."""
        return {
            "synchronised": "yes" if self.synchronised else "no",
            "offset_us": str(self.offset_us),
            "max_error_us": str(self.max_error_us),
        }


def read_clock() -> ClockState:
    """Ask the kernel (adjtimex(2), which changes nothing when asked so).

    Raises:
        OSError: it does not say.
    """
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, "adjtimex")
    offset = timex.offset // 1000 if timex.status & _NANOSECONDS else timex.offset
    return ClockState(state != _UNSYNCHRONISED, offset, timex.maxerror)


@final
class StepWatch:
    """Notices that somebody, or something, set the clock."""

    def __init__(self) -> None:
        self._ahead_s = time.time() - time.monotonic()

    def step_s(self) -> float:
        """How far the clock was set since the last look, seconds; 0 below :data:`STEP_S`."""
        ahead_s = time.time() - time.monotonic()
        step_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        return step_s if abs(step_s) >= STEP_S else 0.0
