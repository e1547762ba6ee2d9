"""A trained name classifier as the files that the redactor loads: ONNX in 8-bit integers, tokenizer, labels.

``python -m finslm.train.names.export --base DIR --trained DIR --out DIR``
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.preprocess import quant_pre_process

from finslm.train.names.model import LABELS, NameTagger

_AXES = {0: "batch", 1: "pieces"}


def export(model: NameTagger, base: Path, out: Path) -> None:
    """Write ``model.onnx``, ``tokenizer.json`` and ``config.json``."""
    out.mkdir(parents=True, exist_ok=True)
    model.eval()
    example = torch.ones((2, 8), dtype=torch.int64)
    with tempfile.TemporaryDirectory() as folder:
        whole, ready = Path(folder) / "whole.onnx", Path(folder) / "ready.onnx"
        torch.onnx.export(
            model,
            (example, example, example),
            str(whole),
            input_names=["ids", "features", "mask"],
            output_names=["scores"],
            dynamic_axes={"ids": _AXES, "features": _AXES, "mask": _AXES, "scores": _AXES},
            opset_version=17,
            dynamo=False,
        )
        quant_pre_process(str(whole), str(ready), skip_symbolic_shape=True)
        # 7 bits of 8: without VNNI the processor's 16-bit sums overflow (onnxruntime's own advice)
        quantize_dynamic(
            str(ready), str(out / "model.onnx"), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
        )
    shutil.copyfile(base / "tokenizer.json", out / "tokenizer.json")
    (out / "config.json").write_text(json.dumps({"labels": LABELS}, indent=1) + "\n", "utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--trained", type=Path, required=True, help="folder that fit wrote")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    shape = json.loads((chosen.trained / "config.json").read_text("utf-8"))
    model = NameTagger(chosen.base, shape["layers"], shape["neurons"])
    model.load_state_dict(torch.load(chosen.trained / "model.pt", weights_only=True))
    export(model, chosen.base, chosen.out)


if __name__ == "__main__":
    main()
