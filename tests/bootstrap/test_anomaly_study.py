import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from tests.fakes.market import walk

from triptych.bootstrap.anomalies import Rows, score_anomalies
from triptych.bootstrap.anomaly_channels import read_channels
from triptych.bootstrap.anomaly_picture import draw_watch
from triptych.bootstrap.anomaly_study import run_study
from triptych.bootstrap.anomaly_watch import watch_anomalies
from triptych.bootstrap.candle_books import tape_of
from triptych.domain.errors import DataError, RecipeError
from triptych.market.books import write_tape
from triptych.market.frames import to_frame
from triptych.market.synthetic import Config as SyntheticConfig
from triptych.market.synthetic import synthesise
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
            "beside": ["pca", "zscore"], "threshold": {"alarms_per_day": 0.02, "rows_per_day": 1},
            "marks": {WILD: "half is gone"},
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
        "days.csv", "days_pca.csv", "days_zscore.csv", "detector", "scores.parquet", "scores_pca.parquet",
        "scores_zscore.parquet", "study.json", "watched.parquet",
    ]  # fmt: skip
    assert json.loads((out / "study.json").read_text())["files"] == ["closes.parquet"]
    assert pl.read_parquet(out / "watched.parquet").columns == ["A", "B", "C", "time"]
    picture = draw_watch(watch, out.parent / "picture.png")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert picture.stat().st_size < 150_000


def test_plain_detectors_watch_the_same_days_beside_it(watched):
    out, watch = watched
    assert [one.detector for one in watch.beside] == ["pca", "zscore"]
    found = json.loads((out / "study.json").read_text())
    assert [one["detector"] for one in (found, *found["beside"])] == ["catch", "pca", "zscore"]
    for one, told in zip(watch.beside, found["beside"], strict=True):
        assert one.frame["time"].equals(watch.frame["time"])
        assert told["alarms"] == int(one.frame["alarm"].sum())
        (mark,) = told["marks"]
        assert (mark["day"], mark["rank"], mark["alarms"]) == (str(WILD), 1, 1)
        assert pl.read_parquet(out / f"scores_{one.detector}.parquet").equals(one.frame)


@pytest.mark.parametrize("name", ["isolation_forest", "kmeans", "pca"])
def test_a_recipe_may_watch_by_any_detector_alone(closes, tmp_path, triptych, name):
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        f'channels.read = "closes"\nperiod.fit_until = {SPLIT}\nthreshold.rows_per_day = 1\n[marks]\n{WILD} = "half"\n'
    )
    said = triptych(
        "anomaly", "run", recipe, closes, "--out", tmp_path / "out", "--set", f"detector.name={name}", "--set",
        "detector.seed=3", "--set", 'beside=["zscore"]',
    )  # fmt: skip
    assert said.status == 0, said.err
    card = json.loads((tmp_path / "out" / "detector" / "card.json").read_text())
    assert (card["name"], card["config"]["seed"]) == (name, 3)
    assert "Beside one another: alarms, rank of the day" in said.out
    assert f"{WILD} half" in said.out


def test_what_a_run_saves_is_scored_and_watched_with_its_times_and_threshold(watched):
    out, watch = watched
    scored, _, moving = score_anomalies(out / "detector", out / "watched.parquet", Rows())
    assert moving.words == "rolling, 0.02 alarms in 1 rows a day"
    after = scored.tail(watch.frame.height)
    assert after["time"].to_list() == watch.frame["time"].to_list()
    np.testing.assert_allclose(after["score"], watch.frame["score"], rtol=1e-6)
    np.testing.assert_allclose(after["threshold"], watch.frame["threshold"], rtol=1e-6)
    assert after["alarm"].to_list() == watch.frame["alarm"].to_list()
    fixed, _, moving = score_anomalies(out / "detector", out / "watched.parquet", Rows(), threshold={"method": "fixed"})
    assert (moving.words, fixed["threshold"].n_unique()) == ("fixed, the detector's own", 1)


def test_markets_that_close_are_watched_over_their_breaks(closes, tmp_path):
    weekdays = pl.read_parquet(closes).filter(pl.col("day").dt.weekday() < 6)
    weekdays.write_parquet(tmp_path / "closes.parquet")
    study = Study.model_validate(
        {"channels": {"read": "closes", "breaks": False}, "period": {"fit_until": FIRST + timedelta(days=1220)},
         "detector": {"epochs": 1}}
    )  # fmt: skip
    watch = run_study(study, [tmp_path / "closes.parquet"], tmp_path / "out")
    rows = pl.read_parquet(tmp_path / "out" / "watched.parquet").with_columns(pl.col("time").dt.to_string("iso"))
    lines = iter([json.dumps(row) for row in rows.iter_rows(named=True)])
    readings = [reading for _, reading in watch_anomalies(tmp_path / "out" / "detector", lines, Rows(), threshold={})]
    told = [reading.score for reading in readings[-watch.frame.height :]]
    np.testing.assert_allclose(told, watch.frame["score"], rtol=1e-4)
    assert [reading.alarm for reading in readings[-watch.frame.height :]] == watch.frame["alarm"].to_list()


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


@pytest.fixture(scope="module")
def coin(tmp_path_factory):
    """A file of candles, one of books at the closes, one of funding, and the study that reads them."""
    home = tmp_path_factory.mktemp("extras")
    market = synthesise(SyntheticConfig(seed=3, n_candles=400, instruments=1))
    (series,) = market.series
    to_frame(series).with_columns(symbol=pl.lit(series.symbol)).write_parquet(home / "candles.parquet")
    tape = tape_of(market, series.symbol)
    write_tape(home / "books.parquet", tape.between(0, 300))
    charged = series.open_time_ms[::32]
    pl.DataFrame({"timestamp": charged, "rate": np.linspace(1e-4, 2e-4, len(charged))}).with_columns(
        pl.col("timestamp").cast(pl.Datetime("ms", "UTC"))
    ).write_parquet(home / "funding.parquet")
    channels = {
        "extras": ["spread", "depth_imbalance", "funding"], "books": {"path": str(home / "books.parquet")},
        "funding": {series.symbol: str(home / "funding.parquet")},
    }  # fmt: skip
    return home, series, channels


def test_books_and_funding_stand_beside_the_channels_of_candles(coin):
    home, series, channels = coin
    columns, values, times = read_channels(Channels(**channels), [home / "candles.parquet"])
    assert [name.split(" ", 1)[1] for name in columns[4:]] == ["spread", "depth_imbalance", "funding"]
    assert times.tolist() == series.close_time_ms[1:].tolist()
    unknown = np.isnan(values)
    assert unknown[299:, 4:6].all()  # books end with candle 299, which is row 298
    assert not unknown[:299].any()
    assert not unknown[:, 6].any()
    np.testing.assert_allclose(values[0, 6], 1.0)  # in basis points


def test_the_command_writes_rows_that_fit_and_score_take(coin, triptych, tmp_path):
    home, series, channels = coin
    sets = ["--set", "channels.columns=[]", "--set", 'channels.extras=["spread"]']
    sets += ["--set", f"channels.books.path={channels['books']['path']}"]
    said = triptych(
        "anomaly", "channels", "coins_1h", home / "candles.parquet", "--out", tmp_path / "rows.parquet", *sets
    )
    assert said.status == 0, said.error
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    names = ("return", "range", "volume", "signed volume", "spread")
    assert rows.columns == [*(f"{series.symbol} {name}" for name in names), "time"]
    assert rows[f"{series.symbol} spread"].null_count() == 100
    options = ("--time", "time", "--mask", "--detector", "zscore", "--json")
    fitted = triptych("anomaly", "fit", tmp_path / "rows.parquet", "--out", tmp_path / "detector", *options)
    assert json.loads(fitted.out)["columns"] == rows.columns[:-1]
    scored = triptych("anomaly", "score", tmp_path / "detector", tmp_path / "rows.parquet", "--time", "time", "--json")
    assert json.loads(scored.out)["rows"] == 399


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        (
            "books",
            "spread and depth_imbalance are read of order books, and channels.books.path names no recording. Name a "
            "file or folder of order books in channels.books.path, or leave them out of channels.extras.",
        ),
        (
            "funding",
            "channels.extras has funding, and channels.funding names no file of {symbol}. Name the funding.parquet "
            "that `triptych data fetch --funding` writes for each, or leave funding out of channels.extras.",
        ),
    ],
)
def test_extras_whose_files_are_not_named_are_refused(coin, left_out, sentence):
    home, series, channels = coin
    config = Channels(**{key: value for key, value in channels.items() if key != left_out})
    with pytest.raises(RecipeError) as error:
        read_channels(config, [home / "candles.parquet"])
    assert str(error.value) == sentence.format(symbol=series.symbol)


def test_closes_have_no_extras():
    with pytest.raises(ValueError, match="extras stand beside candles"):
        Channels(read="closes", extras=("spread",))
