"""``finslm finetune`` of an adapter that writes, as a process on the real base."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finslm.engine.adapters import AdapterCard

ROOT = Path(__file__).parents[4]
RECIPE = {
    "head": "write",
    "name": "tiny",
    "use": "Nothing",
    "base_model": "smollm2-135m-instruct",
    "seed": 7,
    "rows": [{"path": "feedback", "task": "complaint_reply"}],
    "lora": {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": ["q_proj"], "layers": [29]},
    "training": {
        "epochs": 1,
        "batch_size": 2,
        "learning_rate": 0.001,
        "warmup_share": 0,
        "weight_decay": 0,
        "max_tokens": 192,
    },
}


@pytest.mark.model
@pytest.mark.timeout(280)
def test_rows_of_feedback_become_an_adapter(tmp_path):
    """Figures, card, curves and adapter are there; the texts are in no cache of the libraries."""
    folder = tmp_path / "feedback"
    folder.mkdir()
    for split, count in (("train", 4), ("dev", 2), ("test", 2)):
        rows = [
            {"text": f"{split} {i}: you took 40 EUR", "answer": f"We are sorry about the 40 EUR, {i}."}
            for i in range(count)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    told = [
        "finetune",
        str(tmp_path / "recipe.yaml"),
        "--data",
        str(tmp_path),
        "--out",
        str(tmp_path / "runs"),
        "--json",
    ]
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-m", "finslm", *told, "--threads", "1"],
        cwd=ROOT,
        env={**os.environ, "HF_HOME": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"] == {"train": 4, "dev": 2, "test": 2}
    assert report["test"]["adapter"]["answers"] == 2
    assert set(report["test"]) == {"adapter", "base", "first two sentences"}
    attack = report["audit"]["membership"]["loss_threshold"]
    assert (attack["members"], attack["others"], report["audit"]["others"]) == (4, 2, "test rows")
    assert 0 <= attack["auc"] <= 1
    out = tmp_path / "runs" / "tiny"
    assert AdapterCard.read(out / "tiny").task == "complaint_reply"
    card = (out / "tiny" / "README.md").read_text()
    assert "nothing invented" in card
    assert "4 rows trained on, 2 test rows" in card
    assert (out / "curves.png").stat().st_size > 1000
    assert not [path for path in home.rglob("*") if path.is_file() and b"40 EUR" in path.read_bytes()]
    assert not list(home.rglob("*.arrow"))
