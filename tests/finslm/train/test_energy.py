"""Energy of a training: what the counters say, also when they begin anew, and what is reckoned where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from finslm.train.energy import Meter, sentence

RANGE = 1_000_000_000


def counters(folder: Path, *joules: float) -> None:
    """As the kernel lays them out: a zone for each package, and one for its memory, which the package counts too."""
    for number, each in enumerate(joules):
        for name in (f"intel-rapl:{number}", f"intel-rapl:{number}:0"):
            (folder / name).mkdir(exist_ok=True)
            (folder / name / "name").write_text(f"package-{number}\n")
            (folder / name / "energy_uj").write_text(f"{int(each * 1e6) % RANGE}\n")
            (folder / name / "max_energy_range_uj").write_text(f"{RANGE}\n")


def test_all_packages_are_added_and_a_counter_may_begin_anew(tmp_path: Path) -> None:
    """900 J to 1,500 J passes the end of a counter of 1,000 J; the platform's zone, which has both, counts not."""
    counters(tmp_path, 900, 0, 0)
    (tmp_path / "intel-rapl:2" / "name").write_text("psys\n")
    meter, seen = Meter(tmp_path), list[int]()
    watched = meter.watching(lambda step, _steps, _loss: seen.append(step))
    for step, joules in enumerate((1200, 1500)):
        counters(tmp_path, joules, joules / 10)
        watched(step, 2, 0.5)
    assert seen == [0, 1]
    counters(tmp_path, 4500 - 900, 360)
    taken = meter.taken(60, 2)
    assert taken == {"watt_hours": round((600 + (3600 - 1500) % 1000 + 360) / 3600, 2), "how": "measured"}
    assert (
        sentence(taken)
        == " 0.3 Wh by the processors' counters (RAPL): whatever else ran on them is in it, a GPU is not."
    )


@pytest.mark.parametrize("state", ["none", "closed", "resumed"])
def test_without_counters_it_is_reckoned(state: str, tmp_path: Path) -> None:
    """Also where only root may read them, and for a run of which this process saw a part."""
    if state != "none":
        counters(tmp_path, 100)
    if state == "closed":
        (tmp_path / "intel-rapl:0" / "energy_uj").write_text("")
    taken = Meter(tmp_path).taken(3600, 2, whole=state != "resumed")
    assert taken == {"watt_hours": 20.0, "how": "reckoned"}
    assert sentence(taken) == " Energy was not measured; at 10 W a thread it is some 20.0 Wh."
    assert sentence(None) == ""
