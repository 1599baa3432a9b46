import json

import numpy as np
import polars as pl
import pytest

from triptych.bootstrap.predicting import open_artifact, predict, prediction_rows, write_predictions
from triptych.bootstrap.run_folder import open_run
from triptych.domain import ManualClock
from triptych.domain.errors import ArtifactError, ColumnError, DataError, NotEnoughData, RunError
from triptych.market import synthetic, to_frame, to_panel

START_MS = 1_704_067_200_000  # 2024-01-01
QUARTER_MS = 900_000


def market(n=60, *, timeframe="15m", instruments=1):
    return synthetic.synthesise(
        synthetic.Config(seed=5, n_candles=n, timeframe=timeframe, instruments=instruments)
    ).series


@pytest.fixture
def fresh(tmp_path):
    """60 candles that no model has seen."""
    path = tmp_path / "fresh.parquet"
    to_panel(market()).write_parquet(path)
    return path


def test_every_candle_with_a_full_window_is_predicted_at_its_close(trained, fresh):
    frame = predict(trained, fresh)
    assert frame.columns == [
        "symbol", "time", "probability_sell", "probability_hold", "probability_buy", "prediction",
        "learned_from_it",
    ]  # fmt: skip
    assert frame["time"].dt.epoch("ms").to_list() == [START_MS + QUARTER_MS * (i + 1) for i in range(15, 60)]
    assert set(frame["symbol"]) == {"ALFA-USDT"}
    probabilities = frame.select("^probability_.*$").to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert frame["prediction"].to_list() == [("sell", "hold", "buy")[i] for i in probabilities.argmax(axis=1)]


def test_predictions_are_those_of_the_backtest_on_the_same_candles(trained, tmp_path):
    run = open_run(trained)
    to_panel(synthetic.synthesise(run.recipe.data.synthetic).series).write_parquet(tmp_path / "seen.parquet")
    frame = predict(trained, tmp_path / "seen.parquet", last=135)
    recorded = pl.read_parquet(trained / "predictions.parquet")
    assert frame["time"].equals(recorded["time"])
    np.testing.assert_allclose(
        frame.select("^probability_.*$").to_numpy(), recorded.select("^probability_.*$").to_numpy(), atol=1e-6
    )


def test_onnx_runtime_and_torch_agree(trained, fresh):
    onnx, torch = (predict(trained, fresh, backend=b).select("^probability_.*$").to_numpy() for b in ("onnx", "torch"))
    np.testing.assert_allclose(onnx, torch, atol=1e-4)
    assert onnx.std(axis=0).max() > 1e-3


def test_an_artifact_folder_does_as_well_as_its_run(trained, fresh):
    assert predict(trained / "folds" / "0" / "artifact", fresh).equals(predict(trained, fresh))


def test_only_the_last_candles_when_asked(trained, fresh):
    whole = predict(trained, fresh)
    assert predict(trained, fresh, last=3).equals(whole.tail(3))
    assert predict(trained, fresh, last=1000).equals(whole)


def test_finer_candles_are_resampled_first(trained, tmp_path):
    (fine,) = market(300, timeframe="5m")
    to_panel([fine]).write_parquet(tmp_path / "fine.parquet")
    frame = predict(trained, tmp_path / "fine.parquet")
    assert len(frame) == 100 - 15
    assert frame["time"].dt.epoch("ms")[0] == START_MS + QUARTER_MS * 16


def test_coarser_candles_are_refused(trained, tmp_path):
    to_panel(market(60, timeframe="1h")).write_parquet(tmp_path / "coarse.parquet")
    with pytest.raises(DataError) as caught:
        predict(trained, tmp_path / "coarse.parquet")
    assert caught.value.message == "ALFA-USDT: the candles are 1h, the model was trained on 15m."
    assert caught.value.remedy == "Bring candles of 15m or finer."


def test_too_few_candles_are_refused(trained, tmp_path):
    to_panel(market(15)).write_parquet(tmp_path / "short.parquet")
    with pytest.raises(NotEnoughData) as caught:
        predict(trained, tmp_path / "short.parquet")
    assert caught.value.message == "ALFA-USDT: 15 candles are fewer than the model's window of 16."
    assert caught.value.remedy == "Bring at least 16 candles."


def test_exactly_one_window_gives_one_prediction(trained, tmp_path):
    to_panel(market(16)).write_parquet(tmp_path / "one.parquet")
    assert len(predict(trained, tmp_path / "one.parquet")) == 1


def test_a_candle_that_has_not_closed_yet_is_not_predicted_on(trained, fresh):
    in_the_middle_of_the_last = ManualClock(START_MS + QUARTER_MS * 60 - 1)
    assert len(predict(trained, fresh, clock=in_the_middle_of_the_last)) == 44
    assert len(predict(trained, fresh, clock=ManualClock(START_MS + QUARTER_MS * 60))) == 45


def test_several_instruments_are_predicted_each_on_its_own(trained, tmp_path, fresh):
    to_panel(market(instruments=2)).write_parquet(tmp_path / "two.parquet")
    both = predict(trained, tmp_path / "two.parquet")
    assert both.group_by("symbol", maintain_order=True).len().rows() == [("ALFA-USDT", 45), ("BRAVO-USDT", 45)]
    assert both.filter(symbol="ALFA-USDT").equals(predict(trained, fresh))
    assert predict(trained, tmp_path / "two.parquet", symbol="BRAVO-USDT").equals(both.filter(symbol="BRAVO-USDT"))


def test_columns_that_are_not_recognised_can_be_named(trained, tmp_path, fresh):
    path = tmp_path / "mine.csv"
    to_frame(market()[0]).rename({"close": "letzter"}).write_csv(path)
    with pytest.raises(ColumnError):
        predict(trained, path)
    named = predict(trained, path, columns={"close": "letzter"})
    np.testing.assert_allclose(
        named.select("^probability_.*$").to_numpy(), predict(trained, fresh).select("^probability_.*$").to_numpy(),
        atol=1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "p.json"])
def test_predictions_are_written_and_read_back(trained, tmp_path, fresh, name):
    frame = predict(trained, fresh, last=3)
    path = write_predictions(frame, tmp_path / "new" / name)
    if name.endswith("parquet"):
        assert pl.read_parquet(path).equals(frame)
    elif name.endswith("csv"):
        back = pl.read_csv(path, try_parse_dates=True)
        assert back.drop("time").equals(frame.drop("time"))
        assert back["time"].dt.epoch("ms").equals(frame["time"].dt.epoch("ms"))
    else:
        rows = json.loads(path.read_text())
        assert rows == prediction_rows(frame)
        assert rows[-1]["time"] == "2024-01-01 15:00:00"
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_another_kind_of_file_is_refused(trained, tmp_path, fresh):
    with pytest.raises(DataError) as caught:
        write_predictions(predict(trained, fresh), tmp_path / "p.xlsx")
    assert str(caught.value) == (
        f"Cannot write predictions to {tmp_path}/p.xlsx. Choose a name ending in .csv, .parquet or .json."
    )
    assert not (tmp_path / "p.xlsx").exists()


def test_what_is_neither_run_nor_artifact_is_refused(tmp_path, fresh):
    for folder in (tmp_path, tmp_path / "nowhere", fresh):
        with pytest.raises(ArtifactError) as caught:
            predict(folder, fresh)
        assert caught.value.message == f"{folder} is neither a run nor an artifact."


def test_a_run_under_training_does_not_predict(run_folder, fresh):
    open_run(run_folder).update(status="training")
    with pytest.raises(RunError, match="is not trained to its end"):
        open_artifact(run_folder)
