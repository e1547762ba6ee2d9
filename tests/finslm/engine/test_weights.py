"""Weights are read whole and right, or the folder is refused with what is wrong with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file, save_file

from finslm.config import EngineSettings
from finslm.engine.loading import load_runner
from finslm.engine.lora import read_lora
from finslm.engine.weights import LlamaShape, quantise, read_base, read_tensors
from finslm.errors import ConfigError

Tensors = dict[str, Any]


def test_number_formats_give_the_numbers_that_torch_reads(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save_torch

    numbers = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    saved = {"a": numbers, "b": numbers.half(), "c": numbers.bfloat16(), "empty": torch.zeros(0, 3)}
    save_torch(saved, tmp_path / "w.safetensors")
    read = read_tensors(tmp_path / "w.safetensors")
    assert {name: (array.dtype, array.shape) for name, array in read.items()} == {
        name: (np.float32, tuple(tensor.shape)) for name, tensor in saved.items()
    }
    for name, tensor in saved.items():
        assert np.array_equal(read[name], tensor.float().numpy())


@given(hnp.arrays(np.float32, (3, 8), elements=st.floats(-1e4, 1e4, width=32)))
def test_rounding_is_off_by_half_a_step_at_most(matrix: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    values, scales = quantise(matrix)
    assert values.dtype == np.int8
    assert (np.abs(values * scales - matrix) <= 0.5001 * scales).all()
    assert np.abs(values).max() <= 127


def _without(name: str) -> Callable[[Tensors], None]:
    def leave_out(tensors: Tensors) -> None:
        del tensors[name]

    return leave_out


def _spoiled(name: str, value: float) -> Callable[[Tensors], None]:
    def spoil(tensors: Tensors) -> None:
        tensors[name] = tensors[name].copy()
        tensors[name].flat[-1] = value

    return spoil


def _cut(name: str) -> Callable[[Tensors], None]:
    def cut(tensors: Tensors) -> None:
        tensors[name] = np.ascontiguousarray(tensors[name][:-1])

    return cut


LAYER, NORM = "model.layers.1.mlp.up_proj.weight", "model.layers.0.input_layernorm.weight"


class TestBase:
    @pytest.fixture
    def folder(self, tiny_dir: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(tiny_dir, tmp_path / "model"))

    @pytest.mark.parametrize("runner", ["openvino", "torch"])
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    @pytest.mark.parametrize("name", [LAYER, NORM, "model.embed_tokens.weight"])
    def test_numbers_that_are_not_finite_refuse_the_start(
        self, folder: Path, runner: str, value: float, name: str
    ) -> None:
        self._change(folder, _spoiled(name, value))
        settings = EngineSettings.model_validate({"runner": runner, "weights": "float32"})
        with pytest.raises(ConfigError, match=f"{name} holds numbers that are not finite"):
            load_runner(folder, [], settings, 1, lambda: 0)

    @pytest.mark.parametrize("name", [LAYER, NORM])
    @pytest.mark.parametrize("change", [_without, _cut])
    def test_a_missing_or_cut_tensor_refuses_the_start(
        self, folder: Path, name: str, change: Callable[[str], Callable[[Tensors], None]]
    ) -> None:
        self._change(folder, change(name))
        with pytest.raises(ConfigError, match=f"{name} is .*: pull the model again"):
            read_base(folder, LlamaShape.read(folder))

    @pytest.mark.parametrize("keep", [0, 7, 300, -1])
    def test_a_file_that_was_cut_refuses_the_start(self, folder: Path, keep: int) -> None:
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:keep])
        with pytest.raises(ConfigError, match="no usable weights"):
            read_tensors(file)

    @pytest.mark.parametrize(
        "change",
        [{"model_type": "gpt2"}, {"attention_bias": True}, {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1}}],
    )
    def test_another_kind_of_model_is_refused_with_the_way_out(self, folder: Path, change: dict[str, Any]) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        with pytest.raises(ConfigError, match="set engine.runner to torch"):
            LlamaShape.read(folder)

    def _change(self, folder: Path, change: Callable[[Tensors], None]) -> None:
        file = folder / "model.safetensors"
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, {"format": "pt"})


Q_DOWN = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


class TestAdapter:
    @pytest.fixture
    def folder(self, writers: list[Path], tmp_path: Path) -> Path:
        return Path(shutil.copytree(writers[0], tmp_path / "adapter"))

    def _read(self, folder: Path, tiny_dir: Path) -> None:
        shape = LlamaShape.read(tiny_dir)
        read_lora(folder, shape.layers, shape.matrices())

    def test_one_as_peft_wrote_it_is_read_whole(self, folder: Path, tiny_dir: Path) -> None:
        """The control: what the tests below refuse is not refused for another reason."""
        assert Q_DOWN in load_file(folder / "adapter_model.safetensors")
        self._read(folder, tiny_dir)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (_spoiled(Q_DOWN, float("nan")), "holds numbers that are not finite"),
            (_without(Q_DOWN), "half of self_attn.q_proj of layers.0 is missing"),
            (_cut(Q_DOWN), "q_proj of layers.0 is"),
            (lambda tensors: tensors.update(more=np.ones(3, np.float32)), "more fits no matrix of this base"),
            (lambda tensors: tensors.clear(), "no matrices are in it"),
        ],
    )
    def test_what_is_not_all_there_is_refused(
        self, folder: Path, tiny_dir: Path, change: Callable[[Tensors], None], says: str
    ) -> None:
        file = folder / "adapter_model.safetensors"
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file)
        with pytest.raises(ConfigError, match=says):
            self._read(folder, tiny_dir)

    @pytest.mark.parametrize(
        "change",
        [
            {"use_dora": True},
            {"use_rslora": True},
            {"bias": "all"},
            {"peft_type": "LOHA"},
            {"rank_pattern": {"q_proj": 2}},
            {"lora_alpha": float("nan")},
            {"target_modules": ["embed_tokens"]},
        ],
    )
    def test_another_kind_of_adapter_is_refused(self, folder: Path, tiny_dir: Path, change: dict[str, Any]) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        with pytest.raises(ConfigError, match="only plain LoRA"):
            self._read(folder, tiny_dir)

    @pytest.mark.parametrize("change", [{"r": 0}, {"r": "x"}, {"lora_alpha": None}])
    def test_an_unusable_scale_is_refused(self, folder: Path, tiny_dir: Path, change: dict[str, Any]) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        with pytest.raises(ConfigError, match="no usable adapter_config.json"):
            self._read(folder, tiny_dir)
