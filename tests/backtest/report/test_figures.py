from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.backtest.report.figure import rounded, thinned, times, value_axis
from triptych.backtest.report.figures_equity import costs_figure, equity_figure
from triptych.backtest.report.figures_model import calibration_figure, metric_figures, training_figure
from triptych.backtest.report.figures_trades import distribution_figure, trade_figures
from triptych.backtest.report.pictures import data_uri, pixels
from triptych.backtest.result import TIME, TRADE_SCHEMA


def trace(figure, name):
    return next(one for one in figure.data if one["name"] == name)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 60), st.integers(0, 2**31))
def test_thinning_keeps_ends_and_extremes(n, buckets, seed):
    values = np.random.default_rng(seed).standard_normal(n)
    rows = thinned([values], buckets)
    assert rows[0] == 0
    assert rows[-1] == n - 1
    assert np.all(np.diff(rows) > 0)
    assert values[rows].max() == values.max()
    assert values[rows].min() == values.min()
    assert len(rows) <= max(n if n <= 4 * buckets else 0, 4 * buckets)


def test_numbers_are_rounded_and_gaps_are_null():
    assert rounded(np.array([1.23456789, np.nan, np.inf, -0.000123456789]), 4) == [1.235, None, None, -0.0001235]


def test_midnight_is_left_out_of_daily_times():
    days = pl.Series([0, 86_400_000]).cast(TIME)
    assert times(days) == ["1970-01-01", "1970-01-02"]
    assert times(pl.Series([0, 3_600_000]).cast(TIME)) == ["1970-01-01 00:00", "1970-01-01 01:00"]


def test_equity_that_grows_many_times_is_drawn_on_a_log_axis():
    assert "type" not in value_axis([np.array([1.0, 7.0])], "Equity")
    assert value_axis([np.array([1.0, 9.0])], "Equity")["type"] == "log"
    assert "type" not in value_axis([np.array([-1.0, 9.0])], "Equity")


def test_the_drawdown_is_below_zero_and_counts_from_the_capital():
    frame = pl.DataFrame(
        {"time": [1, 2, 3], "equity": [90.0, 120.0, 60.0], "benchmark": [100.0, 100.0, 100.0]},
        schema_overrides={"time": TIME},
    )
    figure = equity_figure(frame, 100.0)
    assert trace(figure, "Strategy, drawdown")["y"] == [-10.0, 0.0, -50.0]


def test_boundaries_are_drawn_with_their_names(report):
    layout = equity_figure(report.equity, report.initial_capital, report.boundaries).layout
    assert [one["text"] for one in layout["annotations"]] == ["fold 2", "fold 3"]
    assert layout["shapes"][0]["x0"] == "2023-03-04 12:00:00"


def test_costs_added_back_give_the_equity_before_costs():
    frame = pl.DataFrame(
        {
            "time": [1, 2],
            "equity": [99.0, 97.0],
            "fees": [1.0, 2.0],
            "spread_slippage": [0.5, 1.0],
            "funding": [0.0, -1.0],
        },
        schema_overrides={"time": TIME},
    )
    assert trace(costs_figure(frame), "Before costs")["y"] == [100.5, 99.0]


def test_a_long_history_is_shown_latest_and_merged(report):
    latest, whole = trade_figures(report.candles, report.trades)
    candles = trace(latest, "Candles")
    assert len(candles["x"]) == 2000
    assert latest.note.startswith("The latest 2,000 of 3,000 candles, one by one. ")
    merged = trace(whole, "Candles")
    assert len(merged["x"]) == 1500
    assert whole.note == f"The whole period; each candle drawn stands for 2 candles. {report.trades.height} trades."
    frame = next(iter(report.candles.values()))
    assert merged["open"][0] == pytest.approx(frame["open"][0], rel=1e-6)
    assert merged["close"][0] == pytest.approx(frame["close"][1], rel=1e-6)
    assert merged["high"][0] == pytest.approx(frame["high"][:2].max(), rel=1e-6)
    assert merged["low"][0] == pytest.approx(frame["low"][:2].min(), rel=1e-6)


def test_a_short_history_is_shown_as_it_is(report_of):
    report = report_of(n=500)
    (figure,) = trade_figures(report.candles, report.trades)
    assert figure.note.startswith("All 500 candles. ")
    assert len(figure.layout["xaxis"]["range"]) == 2


def test_entries_and_exits_stand_at_their_times_and_prices(report_of):
    report = report_of(n=500)
    (figure,) = trade_figures(report.candles, report.trades)
    longs = report.trades.filter(pl.col("side") == "long")
    drawn = trace(figure, "Long entry")
    assert drawn["x"] == times(longs["entry_time"])
    assert drawn["y"] == pytest.approx(longs["entry_price"].to_list(), rel=1e-6)
    ends = trace(figure, "Exit with gain")["x"] + trace(figure, "Exit with loss")["x"]
    assert len(ends) == report.trades.height


def test_many_trades_are_thinned_to_the_largest_and_the_note_says_so(report_of):
    report = report_of(n=500)
    many = pl.concat([report.trades] * 80)
    (figure,) = trade_figures(report.candles, many)
    assert figure.note.endswith("Only the 1,000 with the largest profit or loss are marked.")
    assert len(trace(figure, "Exit with gain")["x"] + trace(figure, "Exit with loss")["x"]) == 1000


def test_more_than_six_instruments_are_not_all_drawn(report_of):
    report = report_of(n=50)
    frame = next(iter(report.candles.values()))
    figures = trade_figures({f"S{k}": frame for k in range(8)}, report.trades)
    assert len(figures) == 6
    assert figures[0].note.endswith("6 of 8 instruments are drawn.")


def test_every_trade_is_in_the_histogram_and_zero_is_an_edge(report):
    figure = distribution_figure(report.trades)
    losses, gains = trace(figure, "Losses"), trace(figure, "Gains")
    assert sum(losses["y"]) == report.trades.filter(pl.col("return") < 0).height
    assert sum(gains["y"]) == report.trades.filter(pl.col("return") >= 0).height


@pytest.mark.parametrize("returns", [[0.0], [0.01], [0.01, 0.01, 0.01], [-0.5, 1e-9, 4.0]])
def test_any_trades_have_a_histogram(returns):
    empty = pl.DataFrame(schema=TRADE_SCHEMA)
    rows = [{**dict.fromkeys(empty.columns), "return": value} for value in returns]
    figure = distribution_figure(pl.DataFrame(rows, schema=TRADE_SCHEMA))
    assert sum(sum(one["y"]) for one in figure.data) == len(returns)
    json.dumps(figure.spec(), allow_nan=False)


def test_calibration_shows_bins_that_hold_predictions():
    bins = [
        {"low": 0.3, "high": 0.4, "count": 10, "confidence": 0.35, "accuracy": 0.3},
        {"low": 0.4, "high": 0.5, "count": 0, "confidence": None, "accuracy": None},
    ]
    figure = calibration_figure({"bins": bins})
    assert trace(figure, "Model")["x"] == [0.35]
    assert trace(figure, "Predictions")["y"] == [10]
    assert calibration_figure({"bins": bins[1:]}) is None
    assert calibration_figure({}) is None


def test_each_metric_is_drawn_with_those_baselines_that_have_it(report):
    figures = {figure.label: figure for figure in metric_figures(report.evaluation)}
    assert list(figures) == ["Accuracy", "Macro F1", "MCC", "ROC AUC", "Brier", "Calibration error"]
    accuracy = figures["Accuracy"].data[0]
    assert accuracy["y"] == ["Logistic regression", "Persistence", "Majority", "Model"]
    assert accuracy["x"][-1] == 0.412
    assert accuracy["error_x"]["array"][-1] == pytest.approx(0.03)
    assert figures["Brier"].note == "With 95 % intervals. Lower is better."
    assert figures["MCC"].note == "With 95 % intervals. Higher is better."


def test_a_metric_may_be_a_bare_number_or_unknown():
    (figure,) = metric_figures({"metrics": {"mcc": 0.1, "roc_auc": {"value": None, "low": None, "high": None}}})
    assert figure.data[0]["error_x"]["array"] == [0.0]


def test_the_best_epoch_is_named():
    curves = [{"epoch": 0, "train_loss": 1.0, "validation_loss": 1.1}, {"epoch": 1, "validation_loss": 0.9}]
    figure = training_figure(curves)
    assert figure.note == "The lowest validation loss, 0.9000, was reached in epoch 1."
    assert trace(figure, "Train loss")["y"] == [1.0, None]
    assert training_figure([{"epoch": 0}]) is None


def test_pixels_follow_the_number_of_channels():
    grey = pixels(np.array([[0.0, 0.5], [1.0, 2.0]]))
    assert grey[:, :, 0].tolist() == [[0, 128], [255, 255]]
    assert pixels(np.zeros((3, 4, 5))).shape == (4, 5, 3)
    assert pixels(np.zeros((2, 4, 5))).shape == (4, 10, 3)
    assert pixels(np.zeros((1, 4, 5), dtype=np.uint8)).shape == (4, 5, 3)
    assert pixels(np.full((1, 1), np.nan))[0, 0].tolist() == [0, 0, 0]


def test_colours_keep_their_order():
    image = np.zeros((3, 1, 1))
    image[0] = 1.0
    assert pixels(image)[0, 0].tolist() == [255, 0, 0]


def test_a_picture_is_a_png_in_the_page():
    text = data_uri(np.zeros((3, 2, 2)))
    assert text.startswith("data:image/png;base64,iVBORw0KGgo")
    assert text == data_uri(np.zeros((3, 2, 2)))
