"""A recipe whose network reads factors of two instruments, the whole way through."""

import json

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import MICRO

from triptych import bootstrap
from triptych.bootstrap.building import Dataset
from triptych.domain import CANDLE_FIELDS
from triptych.domain.errors import DataError, RecipeError
from triptych.inference import load_artifact
from triptych.settings import load_recipe

FACTORS = ("return_1", "rsi_14", "volume_sma_20")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return recipe_in(tmp_path_factory.mktemp("recipe"))


def recipe_in(folder, *overrides):
    text = MICRO.replace('name = "gasf"', 'name = "factor_grid"\nfactors = 3\nchannels = 2\nupscale = 2').replace(
        "[data.synthetic]", '[data]\nsymbols = ["ALFA-USDT"]\n[data.synthetic]'
    )
    text = text.replace("instruments = 1", "instruments = 3").replace("n_candles = 1000", "n_candles = 1400")
    text = text.replace("epochs = 3", "epochs = 1")
    text += f'\n[features]\nnames = {json.dumps(FACTORS)}\nwindow = 30\ncompanions = ["CHARLIE-USDT"]\n'
    path = folder / "factors.toml"
    path.write_text(text)
    return load_recipe(str(path), overrides)


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    return bootstrap.train(recipe, folder=tmp_path_factory.mktemp("factors") / "run")


def test_only_the_chosen_instrument_is_traded_and_the_companion_is_part_of_the_data(recipe):
    candles = bootstrap.load_candles(recipe)
    assert [one.symbol for one in candles.series] == ["ALFA-USDT"]
    assert [one.symbol for one in candles.companions] == ["CHARLIE-USDT"]
    alone = bootstrap.load_candles(recipe.model_copy(update={"features": recipe.features.model_copy(
        update={"companions": ()})}))  # fmt: skip
    assert candles.hash != alone.hash


def test_windows_hold_six_columns_and_begin_where_all_factors_are_known(recipe):
    dataset = Dataset.of(recipe, bootstrap.load_candles(recipe))
    (fold,) = dataset.folds
    windows = dataset.windows(fold.train)
    batch = windows.gather(windows.starts.new_tensor([0, len(windows) - 1])).windows
    assert batch.shape == (2, 16, 6)
    assert batch.isfinite().all()
    first = int(dataset.samples(fold.train).index.min())
    rows = dataset.tables[0].values
    assert np.isnan(rows[first - 16 - 1]).any() or first % 2 == 0
    assert np.isfinite(rows[first - 15 : first + 1]).all()


def test_the_artifact_asked_about_the_last_candles_says_what_the_run_recorded(recipe, run):
    candles = bootstrap.load_candles(recipe)
    artifact = load_artifact(run.artifact)
    assert (artifact.card.columns, artifact.card.features["companions"]) == (6, ["CHARLIE-USDT"])
    recorded = pl.read_parquet(run.folder / "predictions.parquet")
    series = candles.series[0]
    for backend in ("onnx", "torch"):
        predictor = artifact.predictor(backend)
        last = series.between(len(series) - predictor.length, len(series))
        (answer,) = predictor.over(last, np.array([len(last) - 1]), candles.by_symbol)
        expected = recorded.tail(1).select("probability_sell", "probability_hold", "probability_buy").to_numpy()[0]
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)


def test_it_is_backtested_and_reported_like_any_other_and_nothing_peeks(run):
    result = bootstrap.backtest(run)
    assert result["verdict"]["claims_edge"] is False
    written = bootstrap.report(run)
    assert written.html.stat().st_size > 100_000
    probe = json.loads((run.folder / "leak_probe.json").read_text())
    assert probe["passed"]
    assert {"factors", "image (factor_grid)", "prediction"} <= {row["name"] for row in probe["results"]}


def test_predicting_a_file_without_the_companion_says_what_is_missing(run, recipe, tmp_path):
    series = bootstrap.load_candles(recipe).series[0]
    fields = dict(zip(CANDLE_FIELDS, series.values.T, strict=True))
    path = tmp_path / "candles.parquet"
    pl.DataFrame({"symbol": series.symbol, "timestamp": series.open_time_ms, **fields}).write_parquet(path)
    with pytest.raises(DataError) as caught:
        bootstrap.predict(run.folder, path, symbol="ALFA-USDT")
    assert caught.value.message == ("ALFA-USDT: the model reads CHARLIE-USDT as well, and there are no candles of it.")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "encoding.name=gasf",
            "The encoding gasf draws candles, and the windows hold factors.",
        ),
        (
            "features.names=[]",
            "The encoding factor_grid draws 6 columns, and a window of candles has 5.",
        ),
        (
            "encoding.channels=3",
            "ALFA-USDT: 3 factors of 2 instruments make 6 columns, and the encoding factor_grid draws 9.",
        ),
    ],
)
def test_an_encoding_that_does_not_fit_the_windows_is_refused_before_anything_is_written(tmp_path, override, message):
    with pytest.raises(RecipeError) as caught:
        bootstrap.train(recipe_in(tmp_path, override), folder=tmp_path / "run")
    assert caught.value.message == message
    assert not (tmp_path / "run").exists()


def test_predicting_an_instrument_that_the_file_does_not_hold_lists_those_it_holds(run, recipe, tmp_path):
    series = bootstrap.load_candles(recipe).series[0]
    fields = dict(zip(CANDLE_FIELDS, series.values.T, strict=True))
    path = tmp_path / "candles.parquet"
    pl.DataFrame({"symbol": series.symbol, "timestamp": series.open_time_ms, **fields}).write_parquet(path)
    with pytest.raises(DataError) as caught:
        bootstrap.predict(run.folder, path, symbol="DELTA-USDT")
    assert str(caught.value) == f"{path} holds no candles of DELTA-USDT. It holds: ALFA-USDT."


def test_the_card_keeps_what_the_factors_were_in_training(recipe, run):
    artifact = load_artifact(run.artifact)
    own = artifact.seen().names
    assert set(artifact.card.reference) == {"confidence", "window_return", "window_range", "window_volume", *own}
    assert len(own) == 3
    series, ends = bootstrap.load_candles(recipe), np.arange(900, 1400)
    (values, *_) = artifact.seen().over(series.series[0], ends, series.by_symbol).values()
    low, high = artifact.card.reference[own[0]][0], artifact.card.reference[own[0]][-1]
    assert low < np.median(values) < high
