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

from finslm.models.manifest import ModelEntry
from finslm.models.seal import SEAL_NAME, make_seal
from redaction.ner.weights import default_models_dir

BASE = "smollm2-135m-instruct"
LIMIT_S = 120


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
    file.write_text(yaml.safe_dump({"engine": {"adapters": ["banking77-intent"]}}))
    return file


@pytest.fixture
def service(tmp_path: Path, models: Path, config: Path) -> Iterator[Service]:
    running = Service(
        tmp_path,
        extra={"FINSLM_MODELS__DIR": str(models), "FINSLM_MODELS__SERVE": "any"},
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


def events(service: Service) -> list[dict[str, str]]:
    found = []
    for file in sorted(service.audit_dir.rglob("*")):
        for line in file.read_bytes().splitlines() if file.is_file() else ():
            if b"ADAPTER_CHANGED" in line:
                text = line[line.index(b"{") :].decode("utf-8", "ignore")
                found.append(json.loads(text[: text.rindex("}") + 1])["details"])
    return found


@pytest.mark.model
def test_adapters_change_under_traffic(service: Service, models: Path, config: Path) -> None:
    with service.client() as client:

        def adapters() -> dict[str, str]:
            return {m.identity.name: m.identity.digest for m in client.list_models().models if m.kind == "ADAPTER"}

        first = adapters()
        assert list(first) == ["banking77-intent"]
        digest = write_adapter(models / "letters", 1)
        config.write_text(yaml.safe_dump({"engine": {"adapters": ["banking77-intent", "letters"]}}))
        hang_up(service, "adapters_changed")
        assert adapters() == {**first, "letters": digest}
        assert client.classify("My new card has not arrived yet", task="banking_intent").labels[0][0] == "card_arrival"

        other = write_adapter(models / "letters", 2)
        hang_up(service, "adapters_changed")
        assert adapters() == {**first, "letters": other}

        (models / "letters" / "adapter_model.safetensors").write_bytes(b"broken")
        hang_up(service, "adapters_not_changed")
        assert adapters() == {**first, "letters": other}

        config.write_text(yaml.safe_dump({"engine": {"adapters": ["letters"]}}))  # a task needs the other one
        hang_up(service, "adapters_not_changed")
        config.write_text(yaml.safe_dump({"engine": {"adapters": ["banking77-intent"]}}))
        hang_up(service, "adapters_changed")
        assert adapters() == first
        assert client.classify("My new card has not arrived yet", task="banking_intent").labels[0][0] == "card_arrival"
    changes = [(e["adapter"], e["before"], e["after"]) for e in events(service)]
    assert changes == [
        ("letters", "none", digest),
        ("letters", digest, other),
        ("letters", other, "none"),
    ]
