"""``finslm bench``: every way is measured, and the table says which is the fastest."""

from __future__ import annotations

from pathlib import Path

import pytest

from finslm.cli import bench
from finslm.errors import ConfigError
from finslm.evaluate.speed import Figure, Speed, Way, measure, ways
from finslm.testing import write_tiny_model


def test_each_way_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finslm.evaluate.speed._SECONDS", 0.01)
    folder = write_tiny_model(tmp_path)
    chosen = [way for way in ways(2) if way.threads == 1]
    speeds = list(measure(folder, chosen, (1, 3)))
    assert [speed.way for speed in speeds] == chosen
    for speed in speeds:
        assert list(speed.writing) == [1, 3]
        for figure in (speed.reading, *speed.writing.values()):
            assert 0 < figure.low <= figure.median <= figure.high


def test_there_is_one_line_for_each_way_and_number_of_threads() -> None:
    assert len(set(ways(4))) == 8
    assert {way.threads for way in ways(1)} == {1}


def test_the_table_names_the_settings_of_the_fastest(capsys: pytest.CaptureFixture[str]) -> None:
    slow, quick = Figure(1, 1, 1), Figure(9, 8, 10)
    speeds = [
        Speed(Way("torch", "float32", 1), 1.0, slow, {1: quick, 16: slow, 64: slow}),
        Speed(Way("openvino", "int8", 2), 1.0, slow, {1: slow, 16: quick, 64: slow}),
    ]
    bench._show("model", speeds)
    shown = capsys.readouterr().out
    assert "16 answers at once: engine.runner=openvino engine.weights=int8 engine.threads=2" in shown
    assert "one answer: engine.runner=torch" in shown


def test_an_unknown_runner_is_refused() -> None:
    with pytest.raises(ConfigError, match="known: openvino, torch"):
        bench.bench(None, "vllm", as_json=False)
