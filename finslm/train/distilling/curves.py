"""The picture of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_COLOURS = {"label": "#1f4e79", "rationale": "#b3541e"}
_WIDTH = 20
"""Steps that a point of a curve is the mean of."""


def draw(losses: Mapping[str, Sequence[float]], file: Path) -> None:
    """Loss of labels and of rationales by step, each a running mean; PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
    for name, values in losses.items():
        if any(values):
            axes.plot(range(1, len(values) + 1), _running(values), color=_COLOURS[name], label=name)
    axes.set(title="Training loss", xlabel="step", ylabel="nats a token", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _running(values: Sequence[float]) -> list[float]:
    return [float(np.mean(values[max(0, i - _WIDTH + 1) : i + 1])) for i in range(len(values))]
