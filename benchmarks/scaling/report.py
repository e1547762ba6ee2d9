"""The study as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

TITLES = {"banking77": "BANKING77, 10 rows a label", "tfns": "financial tweets, 1,000 rows"}

_BLUE, _RED, _GREY = "#1f4e79", "#b3541e", "#666666"


def table(result: Mapping[str, Any]) -> Table:
    """Rows by size; the linear model last."""
    made = Table(title=f"{result['budget']['tokens']:,} tokens each")
    for column in ("", "parameters", "bits per byte", "tokens/s"):
        made.add_column(column, justify="right" if column else "left")
    for task in result["baselines"]:
        made.add_column(f"{task} random", justify="right")
        made.add_column(f"{task} pretrained", justify="right")
    for row in result["rows"]:
        made.add_row(*_cells(row, result["baselines"]))
    if reference := result.get("reference"):
        made.add_row(reference["name"], f"{reference['parameters']:,}", f"{reference['bits_per_byte']:.3f}")
    scores = [cell for s in result["baselines"].values() for cell in ("", f"{s['accuracy']:.3f}")]
    made.add_row("TF-IDF + linear SVM", "", "", "", *scores)
    return made


def _cells(row: Mapping[str, Any], tasks: Mapping[str, Any]) -> Iterator[str]:
    yield row["preset"]
    yield f"{row['parameters']:,}"
    if "not_run" in row:
        yield row["not_run"]
        return
    yield f"{row['held_out']['bits_per_byte']:.3f}"
    yield f"{row['tokens_a_second']:.0f}"
    for task in tasks:
        for start in ("random", "pretrained"):
            found = row["tasks"].get(task, {}).get(start)
            yield f"{found['accuracy']:.3f}" if found else "-"


def draw(result: Mapping[str, Any], file: Path) -> None:
    """Parameters against bits per byte, and against accuracy; PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in result["rows"] if "not_run" not in row]
    tasks = result["baselines"]
    size = (4.2 * (1 + len(tasks)), 3.6)
    figure, axes = plt.subplots(1, 1 + len(tasks), figsize=size, layout="constrained")
    _draw_text(axes[0], result, rows)
    for place, task in zip(axes[1:], tasks, strict=True):
        _draw_task(place, task, tasks[task]["accuracy"], rows)
    for place in axes:
        place.set(xscale="log" if rows else "linear", xlabel="parameters")
        place.grid(alpha=0.3)
        place.spines[["top", "right"]].set_visible(False)
        place.legend(frameon=False)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _draw_text(axes: Any, result: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    bits = [row["held_out"]["bits_per_byte"] for row in rows]
    axes.plot([row["parameters"] for row in rows], bits, "o-", color=_BLUE, label="from scratch")
    if reference := result.get("reference"):
        place = [reference["parameters"]], [reference["bits_per_byte"]]
        axes.plot(*place, "D", color=_GREY, label=f"{reference['name']}, as it is")
    axes.set(title=f"Held-out text, {result['budget']['tokens'] / 1e6:g}M tokens trained", ylabel="bits per byte")


def _draw_task(axes: Any, task: str, linear: float, rows: Sequence[Mapping[str, Any]]) -> None:
    for start, style, color in (("pretrained", "o-", _BLUE), ("random", "s--", _RED)):
        found = [(r["parameters"], r["tasks"][task][start]) for r in rows if start in r["tasks"].get(task, {})]
        values = [s["accuracy"] for _, s in found]
        low = [s["accuracy"] - s["accuracy_low"] for _, s in found]
        high = [s["accuracy_high"] - s["accuracy"] for _, s in found]
        axes.errorbar([p for p, _ in found], values, [low, high], fmt=style, color=color, capsize=2, label=start)
    axes.axhline(linear, color=_GREY, ls=":", label="TF-IDF + SVM")
    axes.set(title=TITLES.get(task, task), ylabel="accuracy on the test rows", ylim=(0, 1))
