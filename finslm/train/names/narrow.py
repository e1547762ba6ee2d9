"""Makes a trained name classifier smaller: the heads and neurons go that its answers depend on least.

``python -m finslm.train.names.narrow --base DIR --trained DIR --shard FILE --heads 8 --neurons 512 --out DIR``

How much the loss changes when one is switched off is estimated by its derivative with respect to a gate in
front of each (Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019). The smaller network
must be trained again: ``fit --start OUT --teacher TRAINED``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy

from finslm.train.names.fit import batches, marks_of, tensors, write
from finslm.train.names.model import IGNORED, NameTagger, Shape, keep_heads, keep_neurons, restored
from finslm.train.names.shards import Row, load


def narrow(model: NameTagger, shard: Sequence[Row], marks: tuple[int, int], shape: Shape) -> None:
    """Leave ``shape.heads`` heads and ``shape.neurons`` neurons of each layer.

    Args:
        model: the trained network; it is changed.
        shard: labelled text on which the importance is measured.
        marks: see :func:`finslm.train.names.fit.marks_of`.
        shape: the shape to come; as many layers as before.
    """
    layers = shape.layers
    neurons = [torch.zeros(outer.in_features) for _, outer in model.feed_forward()]
    heads = [torch.zeros(attention.self.num_attention_heads) for attention in model.attentions()]
    model.eval()
    for batch in batches(shard, np.random.default_rng(1)):
        ids, features, mask, labels = tensors(batch, marks)
        model.zero_grad()
        scores = model(ids, features, mask)
        cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=IGNORED).backward()  # type: ignore[no-untyped-call]
        for layer in range(layers):
            neurons[layer] += _by_gate(model.feed_forward()[layer][1].weight) ** 2
            attention = model.attentions()[layer]
            gates = _by_gate(attention.output.dense.weight)
            heads[layer] += gates.reshape(-1, attention.self.attention_head_size).sum(1) ** 2
    for layer in range(layers):
        keep_neurons(*model.feed_forward()[layer], neurons[layer].topk(shape.neurons).indices)
        keep_heads(model.attentions()[layer], heads[layer].topk(shape.heads).indices)


def _by_gate(weight: Tensor) -> Tensor:
    """Derivative of the loss with respect to a gate in front of each input of a product."""
    if weight.grad is None:
        raise ValueError("the loss was not derived")
    return (weight.detach() * weight.grad).sum(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--trained", type=Path, required=True, help="folder that fit wrote")
    parser.add_argument("--shard", type=Path, required=True, help="a shard of training text")
    parser.add_argument("--heads", type=int, required=True)
    parser.add_argument("--neurons", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    model, before = restored(chosen.base, chosen.trained)
    shape = Shape(before.layers, chosen.neurons, chosen.heads)
    narrow(model, load(chosen.shard), marks_of(Tokenizer.from_file(str(chosen.base / "tokenizer.json"))), shape)
    write(chosen.out, model, shape)


if __name__ == "__main__":
    main()
