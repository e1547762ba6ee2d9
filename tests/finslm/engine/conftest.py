from __future__ import annotations

import json
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from finslm.config import EngineSettings
from finslm.engine.local import LocalEngine
from finslm.testing import TINY_WINDOW, write_tiny_model
from finslm.types import ModelIdentity
from redaction.ner.weights import default_models_dir

ADAPTER_LABELS = ("alpha", "beta", "gamma")


@pytest.fixture(scope="session")
def tiny_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def adapter_dir(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter with a head, all of its weights random, trained on nothing."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    from finslm.engine.adapters import AdapterCard, weights_sha256
    from finslm.engine.classifier import SequenceClassifier

    folder = tmp_path_factory.mktemp("adapter")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = SequenceClassifier(AutoModel.from_pretrained(tiny_dir), len(ADAPTER_LABELS), bidirectional=True)
        config = LoraConfig(
            r=4, target_modules=["q_proj", "v_proj"], modules_to_save=["score"], init_lora_weights=False
        )
        wrapped = get_peft_model(module, config)
        torch.nn.init.normal_(module.score.modules_to_save["default"].weight, std=1.0)
    wrapped.save_pretrained(str(folder))
    AdapterCard(
        name="toy", base_model="tiny", base_weights_sha256=weights_sha256(tiny_dir), task="toy",
        labels=ADAPTER_LABELS, bidirectional=True, temperature=1.5, max_tokens=64,
    ).write(folder)  # fmt: skip
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 4
    return folder


@pytest.fixture(scope="session")
def writers(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """LoRA adapters that write, on every linear layer and with random weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from finslm.engine.adapters import AdapterCard, weights_sha256

    folders = []
    for seed in range(4):
        folder = tmp_path_factory.mktemp(f"writer{seed}")
        config = LoraConfig(
            r=2 + 2 * seed, lora_alpha=16, init_lora_weights=False, task_type="CAUSAL_LM",
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        )  # fmt: skip
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers under a name that goes
            torch.manual_seed(seed)
            model = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_dir), config)
            with torch.no_grad():  # weak ones would not change the likeliest token
                for name, parameter in model.named_parameters():
                    if "lora_B" in name:
                        parameter.mul_(4)
        model.save_pretrained(str(folder))
        AdapterCard(
            name=f"writer{seed}", base_model="tiny", base_weights_sha256=weights_sha256(tiny_dir), task="assist",
            labels=(), bidirectional=False, temperature=1.0, max_tokens=64,
        ).write(folder)  # fmt: skip
        folders.append(folder)
    return folders


@pytest.fixture(scope="session")
def build(tiny_dir: Path) -> Callable[..., LocalEngine]:
    """Make an engine on the tiny model in float32; keyword arguments are engine settings."""

    def make(adapters: dict[str, Path] | None = None, **settings: object) -> LocalEngine:
        values = {"weights": "float32", "threads": 1, "max_context_tokens": TINY_WINDOW, **settings}
        with_identity = {name: (path, ModelIdentity(name, "1" * 64)) for name, path in (adapters or {}).items()}
        return LocalEngine(
            tiny_dir, ModelIdentity("tiny", "0" * 64), with_identity, EngineSettings.model_validate(values)
        )

    return make


@pytest.fixture(params=["openvino", "torch"])
def runner(request: pytest.FixtureRequest) -> str:
    """Both ways to compute: what an engine promises does not depend on them."""
    return str(request.param)


@pytest.fixture
async def engine(build: Callable[..., LocalEngine], adapter_dir: Path, runner: str) -> AsyncIterator[LocalEngine]:
    served = build({"toy": adapter_dir}, runner=runner)
    await served.start()
    yield served
    await served.close()


@pytest.fixture(scope="session")
def smollm2_dir() -> Path:
    folder = default_models_dir() / "smollm2-135m-instruct"
    if not (folder / "model.safetensors").is_file():
        pytest.skip("the model is not pulled: finslm models pull")
    return folder
