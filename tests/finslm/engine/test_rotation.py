"""Turned weights compute what the weights compute, adapters included, and are rounded more exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finslm.engine.lora import FUSED, read_lora
from finslm.engine.ov_runner import OpenVinoRunner
from finslm.engine.rotation import Rotation, Turn
from finslm.engine.runner import Logits, Part
from finslm.engine.weights import Floats, LlamaShape, quantise, read_base


@pytest.mark.parametrize("size", [1, 2, 7, 12, 64, 96, 576])
def test_a_turn_is_orthogonal_and_spreads_what_is_large(size: int) -> None:
    matrix = Turn(size)(np.eye(size, dtype=np.float32))
    assert np.allclose(matrix @ matrix.T, np.eye(size), atol=1e-5)
    assert np.abs(matrix).max() <= 2.0 / np.sqrt(size) + 1e-6  # |cos + sin| is at most the square root of 2
    assert np.array_equal(matrix, Turn(size)(np.eye(size, dtype=np.float32)))  # the same in every process


def test_an_outlier_costs_less_when_it_is_turned() -> None:
    """Why it is done: a vector of which one place is fifty times the others, rounded to 8 bits with one scale."""
    x = np.random.default_rng(0).normal(size=(64, 192)).astype(np.float32)
    x[:, 5] *= 50

    def error(values: Floats) -> float:
        steps, scales = quantise(values)
        return float(np.abs(steps * scales - values).mean())

    assert error(Turn(192)(x)) < error(x) / 3


@pytest.fixture(scope="module")
def shape(tiny_dir: Path) -> LlamaShape:
    return LlamaShape.read(tiny_dir)


def random_base(shape: LlamaShape) -> dict[str, Floats]:
    """Norms that are not 1 and a last layer of its own, which the tiny model does not have."""
    rng = np.random.default_rng(3)
    sizes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocabulary, shape.hidden),
        "lm_head.weight": (shape.vocabulary, shape.hidden),
        "model.norm.weight": (shape.hidden,),
    }
    for layer in range(shape.layers):
        of_layer: dict[str, tuple[int, ...]] = {**shape.matrices()}
        of_layer |= dict.fromkeys(("input_layernorm", "post_attention_layernorm"), (shape.hidden,))
        sizes |= {f"model.layers.{layer}.{name}.weight": size for name, size in of_layer.items()}
    return {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}


def near(left: Floats, right: Floats) -> bool:
    return bool(np.allclose(left, right, atol=1e-3 * float(np.abs(right).max())))


@pytest.mark.parametrize("tied", [True, False])
def test_every_product_is_what_it_was(shape: LlamaShape, tied: bool) -> None:
    tensors = random_base(shape)
    shape = shape._replace(tied=tied)
    turned = Rotation(tensors, shape).base(tensors)
    assert set(turned) == set(tensors)
    hidden, heads = Turn(shape.hidden), Turn(shape.head)

    def by_head(x: Floats) -> Floats:
        return heads(x.reshape(len(x), -1, shape.head)).reshape(x.shape)

    x = np.random.default_rng(5).normal(size=(4, shape.hidden)).astype(np.float32)
    last = tensors["model.embed_tokens.weight" if tied else "lm_head.weight"]
    assert near(hidden(x) @ turned["lm_head.weight"].T, (x * tensors["model.norm.weight"]) @ last.T)
    assert near(turned["model.embed_tokens.weight"], hidden(tensors["model.embed_tokens.weight"]))
    assert all((tensor == 1).all() for tensor in turned.values() if tensor.ndim == 1)
    for layer in range(shape.layers):

        def of(names: str, source: dict[str, Floats], layer: int = layer) -> Floats:
            return source[f"model.layers.{layer}.{names}.weight"]

        for names, norm in ((FUSED["qkv"], "input_layernorm"), (FUSED["gate_up"], "post_attention_layernorm")):
            for name in names:
                plain = (x * of(norm, tensors)) @ of(name, tensors).T
                expected = by_head(plain) if name == "self_attn.v_proj" else plain
                assert near(hidden(x) @ of(name, turned).T, expected)
        context = np.random.default_rng(6).normal(size=(4, shape.heads * shape.head)).astype(np.float32)
        plain = context @ of("self_attn.o_proj", tensors).T
        assert near(by_head(context) @ of("self_attn.o_proj", turned).T, hidden(plain))
        inner = np.random.default_rng(7).normal(size=(4, shape.inner)).astype(np.float32)
        assert near(inner @ of("mlp.down_proj", turned).T, hidden(inner @ of("mlp.down_proj", tensors).T))


def test_every_addition_of_an_adapter_is_what_it_was(shape: LlamaShape, writers: list[Path]) -> None:
    tensors = random_base(shape)
    rotation = Rotation(tensors, shape)
    plain = read_lora(writers[1], shape.layers, shape.matrices())
    turned = rotation.lora(plain)
    hidden, heads = Turn(shape.hidden), Turn(shape.head)
    rng = np.random.default_rng(8)
    assert set(turned.pairs) == set(plain.pairs)
    for (layer, product), (down, up) in plain.pairs.items():
        x = rng.normal(size=(4, down.shape[1])).astype(np.float32)
        norm = {"qkv": "input_layernorm", "gate_up": "post_attention_layernorm"}.get(product)
        scale = 1.0 if norm is None else tensors[f"model.layers.{layer}.{norm}.weight"]
        expected = (x * scale) @ down.T @ up.T
        if product == "qkv":
            values = shape.groups * shape.head
            turned_values = heads(expected[:, -values:].reshape(4, -1, shape.head)).reshape(4, -1)
            expected = np.concatenate([expected[:, :-values], turned_values], 1)
        elif product in ("out", "down"):
            expected = hidden(expected)
        given = {"out": lambda x: heads(x.reshape(4, -1, shape.head)).reshape(4, -1), "down": lambda x: x}
        got = turned.pairs[layer, product]
        assert near(given.get(product, hidden)(x) @ got.down.T @ got.up.T, expected)


PROMPT = [3 + 7 * n % 200 for n in range(40)]


def divergence(left: Logits, right: Logits) -> float:
    """Kullback-Leibler, mean of the rows, nats."""
    p, q = (logits - np.logaddexp.reduce(logits, 1, keepdims=True) for logits in (left, right))
    return float((np.exp(p) * (p - q)).sum(1).mean())


def test_eight_bits_give_nearly_the_same_answers_and_labels_with_adapters_and_without(
    tiny_dir: Path, writers: list[Path], adapter_dir: Path
) -> None:
    """The float32 network is not turned: were an adapter or the head turned wrongly, nothing would fit."""
    rows, scores = [], []
    for quantised in (False, True):
        runner = OpenVinoRunner(tiny_dir, threads=1, quantised=quantised)
        runner.reserve(8)
        for key, folder in (("writer", writers[1]), ("labels", adapter_dir)):
            runner.adopt(runner.prepare(key, folder))
        parts = [Part(PROMPT, 0, [0, 1], len(PROMPT)), Part(PROMPT, 0, [4, 5], len(PROMPT), adapter="writer")]
        rows.append(runner.step(parts).copy())
        scores.append({score.label: score.score for score in runner.classify([("labels", PROMPT)])[0]})
    plain, adapted = rows[0][: len(PROMPT)], rows[0][len(PROMPT) :]
    apart = divergence(plain, adapted)
    assert divergence(plain, rows[1][: len(PROMPT)]) < 0.1 * apart
    assert divergence(adapted, rows[1][len(PROMPT) :]) < 0.1 * apart
    for label, score in scores[0].items():
        assert scores[1][label] == pytest.approx(score, abs=0.05)


def test_a_base_reads_its_last_layer_where_it_has_one(tiny_dir: Path, shape: LlamaShape) -> None:
    assert ("lm_head.weight" in read_base(tiny_dir, shape)) is not shape.tied
