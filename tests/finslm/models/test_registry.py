"""The registry serves what was installed, unchanged, and opens no connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finslm.errors import ConfigError, UnknownModel
from finslm.models.manifest import ModelEntry, read_catalogue, shipped_root
from finslm.models.pin import pin
from finslm.models.pull import pull
from finslm.models.registry import Registry
from finslm.models.seal import SEAL_NAME, make_seal
from finslm.models.sources.local import LocalFiles
from redaction.ner.weights import default_models_dir

if TYPE_CHECKING:
    from tests.finslm.models.conftest import FakeModel

REAL = ("all-minilm-l6-v2", "en-core-web-sm", "rampart", "smollm2-135m-instruct")


@pytest.fixture
def folder(model: FakeModel) -> Path:
    return pull(model.registry, "tiny", LocalFiles(model.wheel))[0].path


def test_a_missing_model_names_the_command_that_installs_it(model: FakeModel) -> None:
    with pytest.raises(UnknownModel, match="finslm models pull tiny"):
        model.registry.resolve("tiny")


@pytest.mark.parametrize("name", ["../tiny", "/etc", "", "Tiny", "a" * 65, "tiny\n../x"])
def test_a_name_that_is_a_path_is_refused_and_not_repeated(model: FakeModel, name: str) -> None:
    with pytest.raises(UnknownModel, match="a model name is") as caught:
        model.registry.resolve(name)
    assert ".." not in str(caught.value)


def test_a_planted_file_is_found_without_hashing(model: FakeModel, folder: Path) -> None:
    (folder / "modeling_tiny.py").write_text("raise SystemExit")
    with pytest.raises(ConfigError, match=r"added.*modeling_tiny\.py"):
        model.registry.resolve("tiny")


def test_a_link_in_a_model_is_refused(model: FakeModel, folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("/etc/hostname")
    with pytest.raises(ConfigError, match="plain files only"):
        model.registry.resolve("tiny")


def test_a_flipped_bit_is_found_by_verify(model: FakeModel, folder: Path) -> None:
    data = bytearray((folder / "weights/model.safetensors").read_bytes())
    data[1000] ^= 1
    (folder / "weights/model.safetensors").write_bytes(data)
    model.registry.resolve("tiny")  # names and sizes are as before
    with pytest.raises(ConfigError, match=r"content has changed.*weights/model\.safetensors"):
        model.registry.resolve("tiny", verify=True)


def test_an_edited_seal_is_refused(model: FakeModel, folder: Path) -> None:
    seal = json.loads((folder / SEAL_NAME).read_text())
    seal["files"]["config.json"]["sha256"] = "0" * 64
    (folder / SEAL_NAME).write_text(json.dumps(seal))
    with pytest.raises(ConfigError, match="was edited"):
        model.registry.resolve("tiny")


def test_a_consistently_forged_model_breaks_the_manifest_pin(model: FakeModel, folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    forged = make_seal(folder, "tiny", model.catalogue.entry("tiny"), origin="folder")
    (folder / SEAL_NAME).write_text(forged.model_dump_json())
    with pytest.raises(ConfigError, match="not the pinned one"):
        model.registry.resolve("tiny")


def test_a_banks_own_sealed_folder_is_served_by_its_name(model: FakeModel) -> None:
    own = model.models_dir / "own-tune"
    own.mkdir()
    (own / "adapter_model.safetensors").write_bytes(b"x" * 100)
    entry = ModelEntry(kind="adapter", title="Own", description="", licence="own", attribution="the bank")
    (own / SEAL_NAME).write_text(make_seal(own, "own-tune", entry, origin="folder").model_dump_json())
    assert model.registry.verify("own-tune").kind == "adapter"
    assert [(state.name, state.state) for state in model.registry.list()] == [
        ("own-tune", "installed"),
        ("tiny", "missing"),
    ]


class TestShipped:
    @pytest.fixture
    def adapter(self, model: FakeModel) -> FakeModel:
        model.tree["models"]["adapter"] = {
            "kind": "adapter",
            "title": "A",
            "description": "",
            "licence": "Apache-2.0",
            "attribution": "us",
            "shipped": True,
        }
        model.manifest.write_text(json.dumps(model.tree))
        return model

    def test_one_that_is_not_there_yet_is_said(self, adapter: FakeModel) -> None:
        with pytest.raises(UnknownModel, match="does not ship it"):
            adapter.registry.resolve("adapter")
        with pytest.raises(UnknownModel, match="put the model's files there first"):
            pin("adapter", adapter.manifest, adapter.folder / "shipped")

    def test_it_serves_only_once_pinned_and_only_unchanged(self, adapter: FakeModel) -> None:
        weights = adapter.folder / "shipped" / "adapter" / "adapter_model.safetensors"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(b"weights")
        with pytest.raises(ConfigError, match="finslm models pin adapter"):
            adapter.registry.resolve("adapter")
        digest = pin("adapter", adapter.manifest, adapter.folder / "shipped")
        assert adapter.registry.resolve("adapter").identity.digest == digest
        weights.write_bytes(b"weighty")
        with pytest.raises(ConfigError, match="reinstall the package"):
            adapter.registry.resolve("adapter")

    def test_pulled_models_are_not_pinned_by_hand(self, adapter: FakeModel) -> None:
        with pytest.raises(ConfigError, match="pulled, not shipped"):
            pin("tiny", adapter.manifest, adapter.folder / "shipped")


class TestPackageManifest:
    def test_every_file_of_a_pulled_model_is_pinned_and_has_a_licence(self) -> None:
        catalogue = read_catalogue()
        assert {name for name, entry in catalogue.models.items() if entry.wheel} == set(REAL)
        assert catalogue.for_serving() == ["all-minilm-l6-v2", "smollm2-135m-instruct"]
        for entry in catalogue.models.values():
            assert entry.licence
            assert entry.attribution
            if entry.wheel:
                delivered = set(entry.wheel.members.values())
                assert delivered <= set(entry.files) | set(entry.inputs)
                assert entry.transform != "none" or delivered == set(entry.files)
                # The encoder's authors state theirs in the model card alone.
                assert any(path.startswith("LICENSE") for path in entry.files) or "README.md" in entry.files

    def test_weights_are_never_version_dependent(self) -> None:
        entry = read_catalogue().entry("smollm2-135m-instruct")
        assert "model.safetensors" not in entry.version_dependent

    def test_a_shipped_adapter_is_what_the_manifest_pins(self) -> None:
        registry = Registry(Path("/nonexistent"))
        for name, entry in registry.catalogue.models.items():
            if entry.shipped:
                assert (shipped_root(entry.package) / name).is_dir()
                assert registry.resolve(name).identity.digest == entry.digest


RESOLVE = """
import sys
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"network: {event}")
sys.addaudithook(watch)
from finslm.models.registry import Registry
from pathlib import Path
for name in sys.argv[2:]:
    print(name, Registry(Path(sys.argv[1])).resolve(name, verify=True).identity.digest)
"""


@pytest.mark.model
@pytest.mark.skipif(not (default_models_dir() / REAL[-1]).is_dir(), reason="run: finslm models pull")
class TestInstalledModels:
    def test_they_verify_without_a_connection(self) -> None:
        directory = default_models_dir()
        done = subprocess.run(
            [sys.executable, "-c", RESOLVE, str(directory), *REAL],
            capture_output=True,
            text=True,
            env={**os.environ, "FINSLM_MODELS__DIR": str(directory)},
        )
        assert done.returncode == 0, done.stderr
        assert [line.split()[0] for line in done.stdout.splitlines()] == list(REAL)

    def test_the_language_model_holds_bfloat16_tensors_of_135_million_parameters(self) -> None:
        path = Registry(default_models_dir()).resolve("smollm2-135m-instruct").path / "model.safetensors"
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__")
        assert {tensor["dtype"] for tensor in header.values()} == {"BF16"}
        assert path.stat().st_size // 2 == pytest.approx(134_515_008, rel=1e-3)
