"""The study as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

TITLES = {"banking77": "BANKING77, 10 rows a label", "tfns": "financial tweets, 1,000 rows"}


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
    figure, axes = plt.subplots(1, 1 + len(result["baselines"]), figsize=(12, 3.6), layout="constrained")
    sizes = [row["parameters"] for row in rows]
    axes[0].plot(sizes, [row["held_out"]["bits_per_byte"] for row in rows], "o-", color="#1f4e79", label="from scratch")
    if reference := result.get("reference"):
        axes[0].plot(
            [reference["parameters"]], [reference["bits_per_byte"]], "D", color="#666666", label=reference["name"]
        )
        axes[0].legend(frameon=False)
    axes[0].set(title=f"Held-out text, {result['budget']['tokens'] / 1e6:g}M tokens trained", ylabel="bits per byte")
    for place, (task, baseline) in zip(axes[1:], result["baselines"].items(), strict=True):
        for start, style in (("pretrained", "o-"), ("random", "s--")):
            found = [(r["parameters"], r["tasks"][task][start]) for r in rows if start in r["tasks"].get(task, {})]
            low = [s["accuracy"] - s["accuracy_low"] for _, s in found]
            high = [s["accuracy_high"] - s["accuracy"] for _, s in found]
            color = "#1f4e79" if start == "pretrained" else "#b3541e"
            place.errorbar([p for p, _ in found], [s["accuracy"] for _, s in found], [low, high], fmt=style,
                           color=color, capsize=2, label=start)  # fmt: skip
        place.axhline(baseline["accuracy"], color="#666666", ls=":", label="TF-IDF + SVM")
        place.set(title=TITLES.get(task, task), ylabel="accuracy on the test rows")
        place.legend(frameon=False)
    for place in axes:
        place.set(xscale="log", xlabel="parameters")
        place.grid(alpha=0.3)
        place.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)
    plt.close(figure)
