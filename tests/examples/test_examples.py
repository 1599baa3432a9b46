from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, folder: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:__main__", EXAMPLES / name],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_generate_images_draws_one_picture_per_encoding(tmp_path: Path) -> None:
    printed = run("generate_images.py", tmp_path)
    assert {path.name for path in (tmp_path / "images").iterdir()} >= {
        "candlestick.png", "gadf.png", "gasf.png", "jkx.png",
    }  # fmt: skip
    assert "jkx: 1 x 96 x 180, images/jkx.png" in printed
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "images").iterdir())


def test_train_model_leaves_a_model_that_backtest_trades_with(tmp_path: Path) -> None:
    printed = run("train_model.py", tmp_path)
    (path,) = tmp_path.glob("runs/small-*/folds/0/artifact/card.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    assert (card["length"], card["encoding"]["name"], card["symbols"]) == (16, "candlestick", ["ALFA-USDT"])
    last = printed.splitlines()[-1]
    assert last.startswith("after the newest candle: sell ")
    assert sum(float(number) for number in re.findall(r"\d\.\d\d", last)) == pytest.approx(1.0, abs=0.016)

    printed = run("backtest.py", tmp_path)  # the same recipe: the run is found, not trained again
    assert re.findall(r"trial (\d) on these candles", printed) == ["1", "2"]
    assert re.findall(r": (\d+) trades", printed)[0] != "0"
    (path,) = tmp_path.glob("runs/small-*/report.html")
    assert printed.splitlines()[-1] == f"report: {path.relative_to(tmp_path)}"
    assert path.read_text(encoding="utf-8").lower().startswith("<!doctype html>")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_uses_the_public_names_only(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) < 40
    assert "from triptych" not in text
