import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from tests.fakes.market import walk

from triptych.bootstrap.anomaly_picture import draw_watch
from triptych.bootstrap.anomaly_study import read_channels, run_study
from triptych.domain.errors import DataError
from triptych.market.frames import to_frame
from triptych.settings.study import Channels, Study

FIRST = date(2010, 1, 1)
SPLIT, WILD = FIRST + timedelta(days=1100), FIRST + timedelta(days=1200)


@pytest.fixture(scope="module")
def closes(tmp_path_factory):
    """1,300 days of three prices that move together, and one day on which one of them falls by half."""
    generator = np.random.default_rng(2)
    moves = 0.01 * (generator.standard_normal((1300, 1)) + 0.3 * generator.standard_normal((1300, 3)))
    moves[1200, 1] -= 0.7
    prices = 50 * np.exp(np.cumsum(moves, axis=0))
    days = pl.date_range(FIRST, FIRST + timedelta(days=1299), "1d", eager=True)
    path = tmp_path_factory.mktemp("study") / "closes.parquet"
    pl.DataFrame({"day": days, "A": prices[:, 0], "B": prices[:, 1], "C": prices[:, 2]}).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def watched(closes):
    study = Study.model_validate(
        {
            "channels": {"read": "closes"}, "period": {"fit_until": SPLIT}, "detector": {"epochs": 1},
            "threshold": {"alarms_per_day": 0.02, "rows_per_day": 1}, "marks": {WILD: "half is gone"},
        }
    )  # fmt: skip
    out = closes.parent / "out"
    return out, run_study(study, [closes], out)


def test_what_came_after_is_watched_and_the_known_day_is_found(watched):
    _, watch = watched
    assert watch.columns == ("A", "B", "C")
    assert watch.frame.height == 200
    assert watch.frame["time"][0].date() == SPLIT
    assert watch.frame["score"].null_count() == 0
    (mark,) = watch.marks
    assert (mark.day, mark.event, mark.rank) == (str(WILD), "half is gone", 1)
    assert mark.alarms == 1
    assert mark.reasons.startswith("B: ")
    assert watch.summary["fitted rows"] == 1099
    assert watch.summary["alarms"] == int(watch.frame["alarm"].sum())


def test_the_folder_holds_what_other_commands_take(watched):
    out, watch = watched
    assert sorted(path.name for path in out.iterdir()) == [
        "days.csv", "detector", "scores.parquet", "study.json", "watched.parquet",
    ]  # fmt: skip
    assert json.loads((out / "study.json").read_text())["files"] == ["closes.parquet"]
    assert pl.read_parquet(out / "watched.parquet").columns == ["A", "B", "C", "time"]
    picture = draw_watch(watch, out.parent / "picture.png")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert picture.stat().st_size < 150_000


def test_candles_become_channels_in_the_recipes_order(tmp_path):
    for symbol in ("AAA", "BBB"):
        to_frame(walk(50, seed=1)).with_columns(symbol=pl.lit(symbol)).write_parquet(tmp_path / f"{symbol}_15m.parquet")
    files = [tmp_path / "AAA_15m.parquet", tmp_path / "BBB_15m.parquet"]
    columns, values, times = read_channels(Channels(columns=("BBB", "AAA")), files)
    assert columns[0] == "BBB return"
    assert values.shape == (49, 8)
    assert len(times) == 49
    with pytest.raises(DataError) as error:
        read_channels(Channels(columns=("CCC",)), files)
    assert error.value.message == "There are no candles of CCC; the files hold AAA, BBB."
