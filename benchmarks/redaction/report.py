"""The figures as a table: what was measured, its bar, ours, stock Presidio's, and whether the bar is met."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.table import Table

Figures = dict[str, Any]


class Row(NamedTuple):
    """One line of the table; ``met`` is None where there is no bar."""

    what: str
    ours: float
    presidio: float | None = None
    bar: str = ""
    met: bool | None = None


def table(result: Figures) -> Table:
    """The table of every part that was measured."""
    made = Table("what", "bar", "finslm", "Presidio", "", title="Detection")
    for part, rows in _PARTS.items():
        if part in result:
            for row in rows(result[part]):
                met = {None: "", True: "met", False: "missed"}[row.met]
                made.add_row(row.what, row.bar, _number(row.ours), _number(row.presidio), met)
            made.add_section()
    return made


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _at_least(what: str, ours: float, presidio: float | None, bar: float) -> Row:
    return Row(what, ours, presidio, f">= {bar:g}", ours >= bar)


def _below(what: str, ours: float, bar: float) -> Row:
    return Row(what, ours, None, f"< {bar:g}", ours < bar)


def _synth(part: Figures) -> Iterator[Row]:
    us, them = part["ours"], part["presidio"]
    for name, bar in (("recall", 0.97), ("precision", 0.93)):
        what = f"synth_dataset_v2: {name} by character"
        yield _at_least(f"{what}, typed", us["typed"][name], them["typed"][name], bar)
        yield Row(f"{what}, any type", us["any_type"][name], them["any_type"][name])
        yield Row(f"{what} that is a letter or digit, typed", us["worded"][name], them["worded"][name])
    yield _at_least("synth_dataset_v2: F2 by span, overlap 0.9", us["span_f2"]["0.9"], them["span_f2"]["0.9"], 0.92)
    yield Row("synth_dataset_v2: F2 by span, overlap 0.75", us["span_f2"]["0.75"], them["span_f2"]["0.75"])


def _finance(part: Figures) -> Iterator[Row]:
    us, them = part["ours"], part["presidio"]
    made = f"{us['documents']:,} documents of {us['structures']} structures"
    bars = {"check digits": 0.99, "names": 0.97, "addresses": 0.97, "names and addresses": 0.97}
    for group in ("towns and countries", "organisations", "damaged check digits"):
        ours, theirs = us["recall"][group], them["recall"][group]
        yield Row(f"{made}: {group}, values covered by the right type", ours["typed"], theirs["typed"])
        yield Row(f"{made}: {group}, values covered by any type", ours["any_type"], theirs["any_type"])
    for group, bar in bars.items():
        for kind, said in (("typed", "the right type"), ("any_type", "any type")):
            ours, theirs = us["recall"][group][kind], them["recall"][group][kind]
            yield _at_least(f"{made}: {group}, values covered by {said}", ours, theirs, bar)
    for name in ("recall", "precision"):
        yield Row(f"{made}: {name} by letter and digit", us["by_character"][name], them["by_character"][name])


def _entities(part: Figures) -> Iterator[Row]:
    for name, measured in part.items():
        us, them = measured["ours"], measured["presidio"]
        for kind in ("all", "PERSON", "ORGANIZATION", "LOCATION"):
            ours, theirs = (each["entities"].get(kind) for each in (us, them))
            if ours and theirs:
                what = f"{name}, {ours['count']:,} entities ({kind}): F1 to the word"
                yield Row(what, ours["f1"], theirs["f1"])
        yield Row(f"{name}: macro F1 of words by tag", us["token_macro_f1"], them["token_macro_f1"])
        for figure in ("recall", "precision"):
            yield Row(f"{name}: {figure} by character, typed", us["typed"][figure], them["typed"][figure])


def _attacks(part: Figures) -> Iterator[Row]:
    us, them = part["ours"], part["presidio"]
    yield _at_least(f"{us['cases']} attacks: right type", us["typed"], them["typed"], 0.95)
    covered = "check_digits_covered"
    yield Row("attacks: check-digit ids covered", us[covered], them[covered], "1", us[covered] == 1)


def _ordinary(part: Figures) -> Iterator[Row]:
    cards = part["cards_from_timestamps"]
    yield Row("cards found in timestamps", cards, None, "0", not cards)
    for name, measured in (("patterns", "ours"), ("with names", "ours_with_names")):
        for kind, found in part[measured].items():
            theirs = part["presidio"].get(kind, {}).get("per_1000_lines")
            yield Row(f"false findings in 1,000 lines, {name}: {kind}", found["per_1000_lines"], theirs)


def _speed(part: Figures) -> Iterator[Row]:
    times, speeds = part["throughput"]["times_presidio"], part["throughput"]["characters_per_s"]
    for name, bar in (("ours", 10), ("patterns", 100)):
        what = f"times Presidio: {name} ({speeds[name]['median'] / 1000:.0f} kchar/s)"
        yield _at_least(what, times[name]["median"], 1, bar)
    yield Row("1 KB, p50 ms", part["one_kb_ms"]["p50"])
    yield _below("1 KB, p99 ms", part["one_kb_ms"]["p99"], 15)
    yield _below("20 KB of hostile text, slowest, ms", max(part["hostile_20_kb_ms"].values()), 200)


def _memory(part: Figures) -> Iterator[Row]:
    growth = part["growth_bytes_per_document"]
    yield _below(f"bytes that memory grows per document, over {part['documents']:,}", growth, 16)


_PARTS = {
    "synth": _synth,
    "finance": _finance,
    "entities": _entities,
    "attacks": _attacks,
    "ordinary": _ordinary,
    "speed": _speed,
    "memory": _memory,
}
