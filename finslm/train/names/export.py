"""A trained name classifier as the files that the redactor loads: ONNX in 8-bit integers, tokenizer, labels.

``python -m finslm.train.names.export --base DIR --trained DIR --shard FILE --out DIR``

The ranges of the activations are measured once, on a shard of training text, and fixed. Ranges taken anew
from each batch would be as exact, but what is found in one text would depend on the texts beside it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.preprocess import quant_pre_process
from tokenizers import Tokenizer

from finslm.train.names.fit import marks_of, tensors
from finslm.train.names.model import LABELS, NameTagger, restored
from finslm.train.names.serving import Serving
from finslm.train.names.shards import Row, load

_AXES = {0: "batch", 1: "pieces"}
_INPUTS = ("ids", "features", "mask")
_CALIBRATION_ROWS = 400
_QUANTIZED = "Gemm", "MatMul", "Gather"


class _Rows(CalibrationDataReader):  # type: ignore[misc]
    """Rows of training text, eight at a time."""

    def __init__(self, rows: Sequence[Row], marks: tuple[int, int]) -> None:
        self._batches = iter([tensors(rows[at : at + 8], marks)[:3] for at in range(0, len(rows), 8)])

    def get_next(self) -> dict[str, NDArray[np.int64]] | None:
        batch = next(self._batches, None)
        return None if batch is None else dict(zip(_INPUTS, (part.numpy() for part in batch), strict=True))


def export(model: NameTagger, base: Path, rows: Sequence[Row], out: Path) -> None:
    """Write ``model.onnx``, ``tokenizer.json`` and ``config.json``.

    Args:
        model: the trained network.
        base: folder of the pretrained encoder, for its tokenizer.
        rows: training text on which the ranges of the activations are measured.
        out: folder that is written.
    """
    out.mkdir(parents=True, exist_ok=True)
    serving = Serving(model).eval()
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    example = torch.ones((2, 8), dtype=torch.int64)
    with tempfile.TemporaryDirectory() as folder:
        whole, ready = str(Path(folder) / "whole.onnx"), str(Path(folder) / "ready.onnx")
        torch.onnx.export(
            serving,
            (example, example, example),
            whole,
            input_names=list(_INPUTS),
            output_names=["scores"],
            dynamic_axes=dict.fromkeys((*_INPUTS, "scores"), _AXES),
            opset_version=17,
            dynamo=False,
        )
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            str(out / "model.onnx"),
            _Rows(rows[:_CALIBRATION_ROWS], marks_of(tokenizer)),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            nodes_to_quantize=_weighted(ready),
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            per_channel=True,
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},  # sums go on as floats: exacter and faster
            reduce_range=True,  # 7 bits: without VNNI the processor's 16-bit sums overflow (onnxruntime's own advice)
        )
    shutil.copyfile(base / "tokenizer.json", out / "tokenizer.json")
    (out / "config.json").write_text(json.dumps({"labels": LABELS}, indent=1) + "\n", "utf-8")


def _weighted(file: str) -> list[str]:
    """The matrix products and look-ups with a weight; products of two activations (attention) stay as they are."""
    graph = onnx.load(file).graph
    weights = {tensor.name for tensor in graph.initializer}
    nodes = (node for node in graph.node if node.op_type in _QUANTIZED)
    return [
        node.name for node in nodes if weights.intersection(node.input[:1] if node.op_type == "Gather" else node.input)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--trained", type=Path, required=True, help="folder that fit wrote")
    parser.add_argument("--shard", type=Path, required=True, help="a shard of training text, for the ranges")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    model, _ = restored(chosen.base, chosen.trained)
    export(model, chosen.base, load(chosen.shard), chosen.out)


if __name__ == "__main__":
    main()
