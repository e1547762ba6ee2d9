"""The harness of ``python -m benchmarks.engine``, without models: its sums, its tables, its processes."""

from __future__ import annotations

import io
import json
import struct
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.engine import report, systems, workload
from benchmarks.engine.measure import Comparison
from benchmarks.engine.ours import write_endless
from benchmarks.engine.systems import OURS, System
from benchmarks.engine.worker import Worker, WorkerFailed

RATE, TIME = report.Figure("whole", "tokens/s"), report.Figure("seen", "ms", less=True)

STUB = """
import sys
from benchmarks.engine import wire

def send(requests):
    if sys.argv[1] == "0":
        raise ValueError("no such model")
    gap = 1 / float(sys.argv[1])
    answers = [wire.Answer(r.new, gap, gap * r.new) for r in requests]
    return wire.Run(answers, gap * max(r.new for r in requests))

wire.quiet()
print("a library that prints")
wire.serve({"version": "stub"}, send)
"""


def words(system: str, user: str) -> list[int]:
    """A tokenizer whose tokens are words, between four that the template adds."""
    return [1, *map(hash, system.split()), 2, 3, *map(hash, user.split()), 4]


@pytest.fixture
def stub(tmp_path):
    script = tmp_path / "stub.py"
    script.write_text(STUB)

    def make(name: str, *rates: str, missing: str = "") -> System:
        choices = [{"threads": n, "rate": n} for n in range(1, len(rates) + 1)]
        return System(
            name, "none", missing, lambda o, _: [sys.executable, str(script), rates[o["rate"] - 1]], lambda _: choices
        )

    return make


def test_median_and_extremes_over_rounds():
    assert report.spread([3.0, 1.0, 10.0]) == {"median": 3.0, "min": 1.0, "max": 10.0}


def test_a_ratio_above_one_says_that_ours_is_faster_for_rates_and_for_times():
    assert report.times_as_fast(RATE, [20, 30, 90], [10, 10, 10]) == {"median": 3, "min": 2, "max": 9}
    assert report.times_as_fast(TIME, [10, 10, 10], [20, 30, 90]) == {"median": 3, "min": 2, "max": 9}


def test_ratios_are_of_the_same_round():
    """Machine twice as slow in the second round: the ratio does not move."""
    both = report.summary(RATE, {OURS: [{"whole": 40.0}, {"whole": 20.0}], "peer": [{"whole": 20.0}, {"whole": 10.0}]})
    assert both["systems"]["peer"]["finslm_times_as_fast"] == {"median": 2, "min": 2, "max": 2}
    assert "finslm_times_as_fast" not in both["systems"][OURS]


def test_a_system_that_lacks_a_figure_gets_none():
    made = report.summary(RATE, {OURS: [{"whole": 40.0}], "bench": [{"decode": 9.0}], "down": []})
    assert list(made["systems"]) == [OURS]


def test_requests_are_of_the_sizes_asked_for_and_the_same_for_the_same_seed():
    made = workload.many(words, "1", 16)
    assert made == workload.many(words, "1", 16) != workload.many(words, "2", 16)
    assert {len(r.ids) for r in made} >= {32, 400}
    assert {r.new for r in made} >= {16, 128}
    assert all(words(r.system, r.user) == r.ids for r in made)
    (single,) = workload.one(words, "1")
    assert (len(single.ids), single.new) == (256, 128)


def test_prompts_that_were_seen_share_their_first_200_tokens():
    first, *others = workload.seen(words, "1")
    assert len(others) == workload.TAILS
    for other in others:
        assert workload.shared(first.ids, other.ids) >= 200
        assert len(other.ids) == 256
    assert workload.shared(first.ids, workload.seen(words, "2")[0].ids) < 200


def test_a_text_that_cannot_be_sized_is_refused():
    with pytest.raises(ValueError, match="no text of 3 tokens"):
        workload.many(words, "1", 1, lengths=(3, 3))


def test_rounds_choices_failures_and_absent_peers(stub):
    seen = [stub(OURS, "50", "100"), stub("peer", "25"), stub("broken", "0"), stub("absent", missing="--x not given")]
    compared = Comparison(seen, words, rounds=3, seed=1)
    result = {"workloads": {name: compared.run(name) for name in ("one", "many16", "first")}}
    result["systems"] = compared.systems
    one = result["workloads"]["one"]
    assert one["options"][OURS]["rate"] == 2
    assert one["figures"]["decode"]["systems"][OURS]["rounds"] == [100.0] * 3
    assert one["figures"]["whole"]["systems"]["peer"]["finslm_times_as_fast"]["median"] == 4
    assert one["failed"] == {"broken": "ValueError: no such model"}
    assert set(one["figures"]["whole"]["systems"]) == {OURS, "peer"}
    assert result["workloads"]["first"]["figures"]["seen"]["systems"]["peer"]["median"] == 40
    assert result["systems"]["absent"] == {"weights": "none", "state": "not here: --x not given"}
    json.dumps(result)

    out = io.StringIO()
    for part in (*report.tables(result), *report.remarks(result)):
        Console(file=out, width=140).print(part)
    assert "4 (4-4)" in out.getvalue()
    assert "absent: not here: --x not given" in out.getvalue()
    assert "broken: failed at one: ValueError: no such model" in out.getvalue()


def test_a_process_that_ends_says_why(tmp_path):
    script = tmp_path / "ends.py"
    script.write_text("raise SystemExit('no library of that name')")
    with pytest.raises(WorkerFailed, match="exit 1: no library of that name"):
        Worker([sys.executable, str(script)], threads=1)


def test_a_process_that_hangs_is_killed_with_what_it_started(tmp_path):
    script = tmp_path / "hangs.py"
    script.write_text(
        "import subprocess, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(subprocess.Popen(['sleep', '600']).pid))\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(WorkerFailed, match="exit -9"):
        Worker([sys.executable, str(script)], threads=1, limit_s=2.0)
    status = Path("/proc", (tmp_path / "pid").read_text(), "status")
    assert not status.exists() or "State:\tZ" in status.read_text()


def test_peers_without_a_place_are_not_here(tmp_path):
    places = systems.Places(tmp_path, tmp_path, "{}", None, None, None, tmp_path)
    missing = {system.name: system.missing for system in systems.all_systems(places, [1, 2])}
    assert missing.pop(OURS) == missing.pop("transformers") == ""
    assert missing.pop("OpenVINO GenAI") == "--genai-python not given"
    assert len(missing) == 4
    assert set(missing.values()) == {"--llama not given"}


def test_each_gguf_is_found_by_its_name(tmp_path):
    for name in ("llama-server", "llama-bench", "m.Q8_0.gguf"):
        (tmp_path / name).touch()
    places = systems.Places(tmp_path, tmp_path, "{}", tmp_path, tmp_path, None, None)
    made = {system.name: system for system in systems.all_systems(places, [1, 2])}
    assert made["llama-server Q8_0"].missing == ""
    assert made["llama-server Q4_1"].missing == "no *Q4_1.gguf (--gguf)"
    command = made["llama-server Q8_0"].command({"threads": 2}, 16)
    assert command[3:] == [str(tmp_path), str(tmp_path / "m.Q8_0.gguf"), "--slots=16", "--threads=2"]
    assert made["llama-bench Q8_0"].only_one


def test_rows_of_control_tokens_become_zero(tmp_path):
    header = json.dumps({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}, "model.embed_tokens.weight": {
        "dtype": "BF16", "shape": [3, 2], "data_offsets": [2, 14]}}).encode()  # fmt: skip
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "tokenizer.json").write_text('{"added_tokens": [{"id": 0}, {"id": 2}]}')
    body = bytes(range(1, 15))
    (tmp_path / "from" / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + body)
    made = write_endless(tmp_path / "from", tmp_path / "to") / "model.safetensors"
    assert made.read_bytes()[8 + len(header) :] == b"\1\2" + bytes(4) + bytes([7, 8, 9, 10]) + bytes(4)
