"""``openvino``: the network as OpenVINO IR, from ids and mask to probabilities or logits; no cache, whole texts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from finslm.engine.quiet_openvino import ov
from finslm.engine.weights import Floats
from finslm.export.folder import copy_tokenizer
from finslm.export.original import Answers, Original, Whole

NETWORK_FILE: Final = "network.xml"
_INPUTS: Final = ("input_ids", "attention_mask")


def write(original: Original, merged: Any, into: Path, dtype: torch.dtype) -> None:
    """Trace and save. Inputs ``input_ids`` and ``attention_mask`` [B, T] int64; output ``answer``."""
    whole = Whole(merged, original.card).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 7, 0, 0]])
    example = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    shapes = [(name, [-1, -1], ov.Type.i64) for name in _INPUTS]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing: what it may miss, the check finds
        network = ov.convert_model(whole, example_input=example, input=shapes)
    network.output(0).get_tensor().set_names({"answer"})
    ov.save_model(network, str(into / NETWORK_FILE), compress_to_fp16=dtype is torch.float16)
    copy_tokenizer(original.base_dir, into)


def read(into: Path) -> Answers:
    """The network as OpenVINO computes it, in float32."""
    request = (
        ov.Core()
        .compile_model(str(into / NETWORK_FILE), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        .create_infer_request()
    )

    def answer(ids: Sequence[int]) -> Floats:
        row = np.array([list(ids)], np.int64)
        request.infer({"input_ids": row, "attention_mask": np.ones_like(row)})
        return np.array(request.get_tensor("answer").data[0], np.float32)

    return answer
