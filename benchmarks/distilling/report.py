"""The study as a table in Markdown and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_BLUE, _RED, _GREY = "#1f4e79", "#b3541e", "#666666"
_ARMS = ((False, "labels alone"), (True, "with rationales"))


def spread(result: Mapping[str, Any], task: str, share: float, *, rationales: bool) -> list[float]:
    """Accuracies of the seeds that are done."""
    key = {"task": task, "share": share, "rationales": rationales}
    return [row["accuracy"] for row in result["cells"] if {k: row["cell"][k] for k in key} == key]


def gains(result: Mapping[str, Any], task: str, share: float) -> list[float]:
    """With less without, of each seed that has both."""
    by = {
        (row["cell"]["seed"], row["cell"]["rationales"]): row["accuracy"]
        for row in result["cells"]
        if row["cell"]["task"] == task and row["cell"]["share"] == share
    }
    return [by[seed, True] - by[seed, False] for seed, arm in sorted(by) if arm and (seed, False) in by]


def shares(result: Mapping[str, Any]) -> list[float]:
    """Those with a cell, in order."""
    return sorted({row["cell"]["share"] for row in result["cells"]})


def table(result: Mapping[str, Any]) -> str:
    """Markdown: a row for each task and share."""
    head = ("task", "share", "rows", "labels alone", "with rationales", "difference", "seeds", "TF-IDF + SVM")
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(cells) + " |" for cells in _rows(result)]
    return "\n".join([*lines, "", f"{len(result['cells'])} of {result['cells_wanted']} cells are done."])


def _rows(result: Mapping[str, Any]) -> Iterator[list[str]]:
    for task, baseline in result["baselines"].items():
        for share in shares(result):
            rows = {
                row["rows"] for row in result["cells"] if row["cell"]["task"] == task and row["cell"]["share"] == share
            }
            if not rows:
                continue
            arms = [_mean(spread(result, task, share, rationales=arm)) for arm, _ in _ARMS]
            differences = gains(result, task, share)
            linear = baseline["by_share"].get(str(share))
            yield [
                task,
                f"{share:.1%}",
                str(rows.pop()),
                *arms,
                _mean(differences, "+.3f"),
                str(len(differences)),
                "-" if linear is None else f"{linear:.3f}",
            ]


def _mean(values: list[float], form: str = ".3f") -> str:
    """Mean, and standard deviation where there are two or more."""
    if not values:
        return "-"
    return f"{np.mean(values):{form}}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def draw(result: Mapping[str, Any], file: Path) -> None:
    """Share of the rows against accuracy, a picture for each task; PNG. Bars reach from the worst seed to the best."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    tasks = result["baselines"]
    figure, axes = plt.subplots(1, len(tasks), figsize=(5 * len(tasks), 3.6), layout="constrained", squeeze=False)
    for place, task in zip(axes[0], tasks, strict=True):
        _draw_task(place, task, result)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _draw_task(axes: Any, task: str, result: Mapping[str, Any]) -> None:
    baseline = result["baselines"][task]
    for (arm, title), style, color in zip(_ARMS, ("s--", "o-"), (_RED, _BLUE), strict=True):
        found = [(100 * share, v) for share in shares(result) if (v := spread(result, task, share, rationales=arm))]
        means = [float(np.mean(v)) for _, v in found]
        low = [mean - min(v) for mean, (_, v) in zip(means, found, strict=True)]
        high = [max(v) - mean for mean, (_, v) in zip(means, found, strict=True)]
        axes.errorbar([s for s, _ in found], means, [low, high], fmt=style, color=color, capsize=2, label=title)
    linear = [(100 * float(share), v) for share, v in baseline["by_share"].items()]
    axes.plot([s for s, _ in linear], [v for _, v in linear], ":", color=_GREY, label="TF-IDF + SVM")
    axes.axhline(baseline["commonest_label"], color=_GREY, lw=0.6, label="commonest label")
    axes.set(title=task, xlabel="share of the training rows, per cent", ylabel="accuracy on the test rows")
    axes.set(xscale="log", xticks=[100 * float(s) for s in baseline["by_share"]], ylim=(0, 1))
    axes.get_xaxis().set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
