"""The energy that a training takes: from the processor's own counters (RAPL), else reckoned from the time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

from finslm.train.finetune import Progress

WATTS_A_THREAD: Final = 10.0
"""Reckoned with where nothing is measured: a server's processor at full load, by its threads."""
_COUNTERS: Final = Path("/sys/class/powercap")
_ZONE = re.compile(r"intel-rapl:\d+", re.ASCII)


@final
class Meter:
    """Reads the counters of all processors as a run goes on: they begin anew every few minutes to hours.

    Args:
        counters: folder of the kernel's powercap interface. On most virtual machines it is empty, and since the
            PLATYPUS attack (CVE-2020-8694) only root reads it.
    """

    def __init__(self, counters: Path = _COUNTERS) -> None:
        zones = [zone for zone in sorted(counters.glob("*")) if _ZONE.fullmatch(zone.name)]
        self._zones = [zone for zone in zones if _name(zone).startswith("package")]  # psys has the packages in it
        self._joules = 0.0
        self._last = [self._read(zone, "energy_uj") for zone in self._zones]

    def watching(self, progress: Progress) -> Progress:
        """The same progress, with a look at the counters at each call."""

        def told(step: int, steps: int, loss: float) -> None:
            self.look()
            progress(step, steps, loss)

        return told

    def look(self) -> None:
        """Add what the counters have gone on since the last look."""
        now = [self._read(zone, "energy_uj") for zone in self._zones]
        for zone, before, after in zip(self._zones, self._last, now, strict=True):
            if before is not None and after is not None:
                turned = self._read(zone, "max_energy_range_uj") or 0
                self._joules += (after - before + (turned if after < before else 0)) / 1e6
        self._last = now

    def taken(self, seconds: float, threads: int, *, whole: bool = True) -> dict[str, Any]:
        """For the metrics.

        Args:
            seconds: that the training took.
            threads: it ran on.
            whole: whether all of it was in this process; a resumed run is reckoned.
        """
        self.look()
        if whole and self._last and None not in self._last:
            return {"watt_hours": round(self._joules / 3600, 2), "how": "measured"}
        return {"watt_hours": round(seconds * threads * WATTS_A_THREAD / 3600, 2), "how": "reckoned"}

    @staticmethod
    def _read(zone: Path, name: str) -> int | None:
        try:
            return int((zone / name).read_text("ascii"))
        except (OSError, ValueError):
            return None


def _name(zone: Path) -> str:
    try:
        return (zone / "name").read_text("ascii")
    except OSError:
        return ""


def sentence(energy: Mapping[str, Any] | None) -> str:
    """For a model card; nothing where it is not known."""
    if energy is None:
        return ""
    if energy["how"] == "measured":
        how = "by the processors' counters (RAPL): whatever else ran on them is in it, a GPU is not."
        return f" {energy['watt_hours']:.1f} Wh {how}"
    return f" Energy was not measured; at {WATTS_A_THREAD:.0f} W a thread it is some {energy['watt_hours']:.1f} Wh."
