from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.served import BITCOIN, COSTS, in_thread, tape

from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.exchanges.simulated.server import BybitServer
from triptych.inference import open_any_artifact

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, folder: Path, *arguments: object) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:__main__", EXAMPLES / name, *map(str, arguments)],
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


def test_fetch_data_brings_candles_home_and_asks_for_nothing_twice(tmp_path: Path) -> None:
    server = BybitServer([tape(1500)], known=1500, costs=COSTS)
    with in_thread(server):
        printed = run("fetch_data.py", tmp_path, f"127.0.0.1:{server.port}").splitlines()
    assert printed[0] == "first: 1,440 new candles, 0 were there"
    assert printed[1] == "again: 0 new candles, 1,440 were there"
    assert printed[2].startswith("1,440 candles of 1m, last close ")
    assert printed[3].startswith("BTCUSDT 1m, 1,440 candles: ")
    assert printed[4].startswith("24 candles of 1h, the last Candle(symbol='BTCUSDT', ")


def test_realtime_prediction_predicts_at_every_close(trained: Path, tmp_path: Path) -> None:
    """Over the wire, what the model says of the same candles from a file."""
    folder = open_run(trained)
    (series,) = load_candles(folder.recipe).series
    named = replace(
        series, instrument=replace(series.instrument, symbol="BTCUSDT", maximum_leverage=BITCOIN.maximum_leverage)
    )
    server = BybitServer([named], known=100)
    stop = threading.Event()
    with in_thread(server) as on_server:

        def step() -> None:
            while not stop.wait(0.3):
                on_server(server.step())

        stepping = threading.Thread(target=step)
        stepping.start()
        try:
            printed = run("realtime_prediction.py", tmp_path, trained, f"127.0.0.1:{server.port}", 4)
        finally:
            stop.set()
            stepping.join()
    found = re.findall(r"^(\d) BTCUSDT, closed at (\d+) ms UTC: sell (.+) hold (.+) buy (.+)$", printed, re.MULTILINE)
    assert [line[0] for line in found] == ["1", "2", "3", "4"]
    predictor = open_any_artifact(folder.artifact).predictor()
    for _, close_ms, *chances in found:
        (end,) = np.flatnonzero(named.close_time_ms == int(close_ms))
        expected = predictor.over(named, np.array([end]))[0]
        assert chances == [f"{chance:.2f}" for chance in expected]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_uses_the_public_names_only(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) < 40
    assert "from triptych" not in text
