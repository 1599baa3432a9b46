from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from triptych.backtest.report import tables
from triptych.backtest.report.words import label, moment, number, plain, probability, share, signed_share
from triptych.backtest.result import TIME


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_months_stand_under_their_names():
    moments = [datetime(2022, 12, 15, tzinfo=UTC), datetime(2023, 2, 15, tzinfo=UTC), datetime(2023, 3, 15, tzinfo=UTC)]
    frame = pl.DataFrame(
        {"time": moments, "equity": [110.0, 99.0, 108.9], "benchmark": [100.0, 100.0, 120.0]},
        schema_overrides={"time": TIME},
    )
    table = tables.monthly_table(frame, 100.0)
    first, second = texts(table)
    assert table.heads[:3] == ["Year", "Jan", "Feb"]
    assert first == ["2022", *[""] * 11, "+10.0", "+10.0", "+0.0"]
    assert second[:5] == ["2023", "", "−10.0", "+10.0", ""]
    assert second[-2:] == ["−1.0", "+20.0"]
    assert table.rows[1][2].tone == "loss"
    assert table.rows[1][2].weight == pytest.approx(1.0)


def test_confusion_counts_stand_with_their_share_of_the_true_class():
    rows = texts(tables.confusion_table([[6, 3, 1], [0, 0, 0], [1, 1, 2]]))
    assert rows[0] == ["was sell", "6\n60.0 %", "3\n30.0 %", "1\n10.0 %", "10"]
    assert rows[1] == ["was hold", "0\n–", "0\n–", "0\n–", "0"]


@pytest.mark.parametrize(
    ("name", "baseline", "tone"),
    [("mcc", 0.05, "gain"), ("mcc", 0.15, ""), ("mcc", 0.3, "loss"), ("brier", 0.3, "gain"), ("brier", 0.05, "loss")],
)
def test_a_baseline_is_coloured_when_the_interval_excludes_it(name, baseline, tone):
    evaluation = {
        "metrics": {name: {"value": 0.15, "low": 0.1, "high": 0.2}},
        "baselines": {"majority": {name: {"value": baseline, "low": 0.0, "high": 1.0}}},
    }
    assert tables.metrics_table(evaluation).rows[0][2].tone == tone


def test_costs_are_listed_with_their_share(report):
    rows = texts(tables.cost_rows(report.performance))
    assert [row[0] for row in rows] == [
        "Fees", "Spread and slippage", "Funding", "Total", "Return before costs", "Return after costs",
    ]  # fmt: skip
    assert rows[0][2] == share(report.performance["costs"]["fees_share"])


def test_a_drawdown_that_lasts_is_not_yet_over(report):
    rows = {row[0]: row[1:] for row in texts(tables.performance_table(report.performance))}
    assert rows["It ended"] == ["not yet", "not yet"]


def test_trades_are_grouped_by_side_and_end_and_by_instrument_where_there_are_several(report):
    names = [row[0] for row in texts(tables.trade_groups(report.trades))]
    assert set(names) == {"Side: long", "Side: short", "Ended by: order"}
    two = pl.concat([report.trades, report.trades.with_columns(symbol=pl.lit("OTHER"))])
    assert "Instrument: OTHER" in [row[0] for row in texts(tables.trade_groups(two))]


def test_luck_that_could_not_be_measured_leaves_an_empty_table(report):
    unknown = {**report.luck, **dict.fromkeys(("timing_return", "mean_return", "total_return", "sharpe"))}
    assert tables.luck_table(unknown).rows == []
    assert texts(tables.luck_facts(unknown))[0][0] == "Probability that luck alone does this well"


def test_records_keep_the_order_of_their_columns():
    table = tables.records_table([{"b": 1, "a": {"x": 2}}, {"c": None}])
    assert table.heads == ["B", "A.x", "C"]
    assert texts(table) == [["1", "2", "–"], ["–", "–", "–"]]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (share(None), "–"), (share(float("nan")), "–"),
        (signed_share(0.021), "+2.1 %"), (signed_share(-0.021), "−2.1 %"),
        (number(-1234.5), "−1,234.50"), (number(None), "–"), (number(float("inf")), "–"),
        (probability(0.0), "< 0.001"), (probability(1.0), "> 0.999"), (probability(0.5), "0.500"),
        (probability(None), "–"),
        (moment(0), "1970-01-01 00:00"), (moment(None), "–"),
        (label("macro_f1"), "Macro F1"), (label("roc_auc"), "ROC AUC"), (label("train_loss"), "Train loss"),
        (plain(True), "yes"), (plain(1234567), "1,234,567"), (plain(0.1), "0.1"), (plain([]), "–"),
        (plain([1, "a"]), "1, a"),
        (plain(float("nan")), "–"),
    ],
)  # fmt: skip
def test_values_are_written_as_people_read_them(shown, expected):
    assert shown == expected
