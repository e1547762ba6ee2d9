"""SIGHUP: adapters change while the service answers, and the log says which."""

from __future__ import annotations

import json
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from service import Service
from typer.testing import CliRunner

from finslm.cli import app
from finslm.config import EngineSettings
from finslm.models.approvers import new_key, public_text, read_private_key
from finslm.models.manifest import ModelEntry
from finslm.models.seal import SEAL_NAME, make_seal
from redaction.ner.weights import default_models_dir

BASE = "smollm2-135m-instruct"
LIMIT_S = 120
OWN = [*EngineSettings().adapters]
"""What the tasks need."""


def write_adapter(folder: Path, seed: int) -> str:
    """An own adapter that writes, sealed as a bank's own model is; returns its digest."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from finslm.engine.adapters import AdapterCard, weights_sha256

    base = default_models_dir() / BASE
    config = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(seed)
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)
    AdapterCard("letters", BASE, weights_sha256(base), "assist", (), bidirectional=False, temperature=1.0,
                max_tokens=512).write(folder)  # fmt: skip
    (folder / SEAL_NAME).unlink(missing_ok=True)
    entry = ModelEntry(kind="adapter", title="t", description="d", licence="MIT", attribution="ours")
    seal = make_seal(folder, "letters", entry, origin="folder")
    (folder / SEAL_NAME).write_text(seal.model_dump_json())
    return seal.digest


def approvers(home: Path) -> dict[str, str]:
    """The setting that makes ann, with a key of her own, the only approver."""
    key = home / "ann.pem"
    public = public_text(read_private_key(key, str).public_key()) if key.exists() else new_key(key)
    return {"FINSLM_MODELS__APPROVERS": f"ann={public}"}


def promote(models: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an approver runs, in a process beside the service."""
    for name, value in approvers(home).items():
        monkeypatch.setenv(name, value)
    said = ["--by", "ann", "--why", "trial", "--key", str(home / "ann.pem"), "--dir", str(models)]
    done = CliRunner().invoke(app, ["models", "promote", "letters", *said])
    assert done.exit_code == 0, done.output


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for model in default_models_dir().iterdir():
        (folder / model.name).symlink_to(model)
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "finslm.yaml"
    file.write_text(yaml.safe_dump({"engine": {"adapters": OWN}}))
    return file


@pytest.fixture
def service(tmp_path: Path, models: Path, config: Path) -> Iterator[Service]:
    running = Service(
        tmp_path,
        extra={"FINSLM_MODELS__DIR": str(models), **approvers(tmp_path)},
        args=("--config", str(config)),
        level="INFO",
    ).start()
    yield running
    if running.process is not None and running.process.poll() is None:
        assert running.stop() == 0


def hang_up(service: Service, says: str) -> None:
    """Send SIGHUP and wait for one more line that says this."""
    seen = service.log.read_text().count(says)
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    limit = time.monotonic() + LIMIT_S
    while service.log.read_text().count(says) == seen:
        assert time.monotonic() < limit, service.log.read_text()[-2000:]
        time.sleep(0.05)


def events(service: Service, name: str = "ADAPTER_CHANGED") -> list[dict[str, str]]:
    found = []
    for file in sorted(service.audit_dir.rglob("*")):
        for line in file.read_bytes().splitlines() if file.is_file() else ():
            if f'"event":"{name}"'.encode() in line:
                text = line[line.index(b"{") :].decode("utf-8", "ignore")
                found.append(json.loads(text[: text.rindex("}") + 1])["details"])
    return found


@pytest.mark.model
def test_adapters_change_under_traffic(
    service: Service, models: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service.client() as client:

        def adapters() -> dict[str, str]:
            return {m.identity.name: m.identity.digest for m in client.list_models().models if m.kind == "ADAPTER"}

        first = adapters()
        assert set(first) == set(OWN)
        digest = write_adapter(models / "letters", 1)
        config.write_text(yaml.safe_dump({"engine": {"adapters": [*OWN, "letters"]}}))
        hang_up(service, "adapters_not_changed")  # a candidate
        assert "finslm models promote letters" in service.log.read_text()
        promote(models, tmp_path, monkeypatch)
        hang_up(service, "adapters_changed")
        assert adapters() == {**first, "letters": digest}
        assert client.classify("My new card has not arrived yet", task="banking_intent").labels[0][0] == "card_arrival"

        other = write_adapter(models / "letters", 2)
        hang_up(service, "adapters_not_changed")  # the approved one is gone
        promote(models, tmp_path, monkeypatch)
        hang_up(service, "adapters_changed")
        assert adapters() == {**first, "letters": other}

        (models / "letters" / "adapter_model.safetensors").write_bytes(b"broken")
        hang_up(service, "adapters_not_changed")
        assert adapters() == {**first, "letters": other}

        config.write_text(yaml.safe_dump({"engine": {"adapters": ["letters"]}}))  # tasks need the others
        hang_up(service, "adapters_not_changed")
        config.write_text(yaml.safe_dump({"engine": {"adapters": OWN}}))
        hang_up(service, "adapters_changed")
        assert adapters() == first
        assert client.classify("My new card has not arrived yet", task="banking_intent").labels[0][0] == "card_arrival"
    changes = [(e["adapter"], e["before"], e["after"]) for e in events(service)]
    assert changes == [
        ("letters", "none", digest),
        ("letters", digest, other),
        ("letters", other, "none"),
    ]
    promoted = events(service, "MODEL_PROMOTED")
    assert [(e["model"], e["digest"], e["by"], e["signed"]) for e in promoted] == [
        ("letters", digest, "ann", "yes"),
        ("letters", other, "ann", "yes"),
    ]
    assert [e["head"] for e in events(service, "MODEL_STAGES")] == [e["head"] for e in promoted]
