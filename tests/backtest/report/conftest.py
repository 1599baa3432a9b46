"""A report of a strategy that trades at random: every section filled, all numbers seeded."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from triptych.backtest.luck import Config, Interval, assess
from triptych.backtest.report import ReportData, SampleImage
from triptych.backtest.result import TIME
from triptych.backtest.statistics import performance
from triptych.backtest.verdict import judge

START_MS = 1_672_531_200_000
HOUR_MS = 3_600_000


def metric(value, width=0.03):
    return {"value": value, "low": value - width, "high": value + width}


EVALUATION = {
    "metrics": {
        "accuracy": metric(0.412), "macro_f1": metric(0.398), "mcc": metric(0.058, 0.04), "roc_auc": metric(0.547),
        "brier": metric(0.645, 0.02), "calibration_error": metric(0.041, 0.012),
    },
    "baselines": {
        "majority": {"accuracy": metric(0.371), "mcc": metric(0.0, 0.0), "brier": metric(0.66, 0.01)},
        "persistence": {"accuracy": metric(0.352), "macro_f1": metric(0.35), "mcc": metric(0.011)},
        "logistic_regression": {"accuracy": metric(0.39), "mcc": metric(0.031), "roc_auc": metric(0.53)},
    },
    "confusion": [[412, 301, 287], [255, 530, 264], [271, 299, 431]],
    "calibration": {"bins": [
        {"low": low / 20, "high": (low + 1) / 20, "count": count, "confidence": low / 20 + 0.024, "accuracy": right}
        for low, count, right in ((6, 240, 0.35), (7, 900, 0.38), (8, 1010, 0.42), (9, 540, 0.44), (10, 260, 0.49))
    ]},
    "class_counts": {"sell": 1000, "hold": 1049, "buy": 1001},
    "n": 3050,
    "effective_n": 410.0,
    "comparison": {"accuracy": {"against": "logistic_regression", **metric(0.022, 0.02)}},
}  # fmt: skip

CONSENSUS = {
    "method": "stacking",
    "n": 3050,
    "cost": 0.0015,
    "sentence": "No evidence that they are better together than patterns alone.",
    "better_member": "patterns",
    "models": {
        "consensus": {"coverage": metric(0.31), "precision": metric(0.44), "mean_return": metric(-0.001), "mcc": 0.06},
        "patterns": {"coverage": metric(0.28), "precision": metric(0.42), "mean_return": metric(-0.001), "mcc": 0.05},
        "indicators": {"coverage": {"value": None, "low": None, "high": None, "reason": "none"}, "mcc": 0.01},
    },
    "lift": {"mcc": metric(0.01), "precision": {"value": 0.02, "low": None, "high": None}},
    "error_correlation": {"patterns / indicators": 0.61},
    "disagreement": {"patterns / indicators": 0.4},
    "alone": {"patterns": {"total_return": -0.02, "sharpe": -1.0, "trades": 12}},
    "decisions": [{"time": "2023-01-02 00:00", "symbol": "SYNTH-1", "target": 1.0, "reason": "long; votes: a, b"}],
}

RECIPE = """[data]
symbols = ["SYNTH-1"]
timeframe = "1h"

[encoding]
name = "candlestick"
length = 64

[model]
name = "efficientnet_b0"
"""


def make_report(simulate, *, n=3000, edge=0.0, seed=7, symbol="SYNTH-1", **changes) -> ReportData:
    """Exposure drawn at random in stretches of twelve candles; `edge` is added to the market in its direction."""
    generator = np.random.default_rng(seed)
    exposure = np.repeat(generator.choice([-1.0, 0.0, 1.0], size=n // 12 + 1), 12)[:n]
    market = 0.0001 + 0.006 * generator.standard_normal(n) + edge * exposure
    result = simulate(market, exposure, cost_rate=0.0006, symbol=symbol)
    close = 100 * np.cumprod(1 + market)
    opened = np.concatenate([[100.0], close[:-1]])
    wick = 0.002 * np.abs(generator.standard_normal((2, n)))
    candles = pl.DataFrame(
        {
            "time": START_MS + HOUR_MS * np.arange(n),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + wick[0]),
            "low": np.minimum(opened, close) * (1 - wick[1]),
            "close": close,
            "volume": generator.gamma(2.0, 50.0, n),
        },
        schema_overrides={"time": TIME},
    )
    measured, luck = performance(result), assess(result, Config(replicates=500, trials=3))
    images = [
        SampleImage(
            image=np.cumsum(np.cumsum(generator.standard_normal((3, 48, 48)), axis=1), axis=2) * 0.02 + 0.4,
            label=label, prediction=prediction, probability=0.41, caption=f"{symbol}, window {place}",
        )
        for place, (label, prediction) in enumerate([("buy", "buy"), ("sell", "hold"), ("hold", "hold")])
    ]  # fmt: skip
    fields = {
        "title": f"EfficientNet-B0 on {symbol} 1h",
        "description": "Candlestick charts of 64 candles, direction over 12 candles.",
        "verdict": judge(measured, luck, skill=Interval(value=0.058, low=0.018, high=0.098)).to_dict(),
        "performance": measured.to_dict(),
        "luck": luck.to_dict(),
        "equity": result.equity,
        "trades": result.trades,
        "initial_capital": result.initial_capital,
        "candles": {symbol: candles},
        "boundaries": [
            {"time_ms": START_MS + HOUR_MS * n // 2, "label": "fold 2"},
            {"time_ms": START_MS + HOUR_MS * n * 3 // 4, "label": "fold 3"},
        ],
        "evaluation": EVALUATION,
        "consensus": CONSENSUS,
        "training_curves": [
            {
                "epoch": epoch, "train_loss": 1.1 * 0.94**epoch + 0.1, "learning_rate": 1e-3 * 0.5 ** (epoch // 5),
                "validation_loss": 1.12 * 0.97**epoch + 0.004 * epoch, "validation_accuracy": 0.35 + 0.004 * epoch,
            }
            for epoch in range(18)
        ],
        "samples": images,
        "explanations": images[:1],
        "data_quality": [
            {"symbol": symbol, "candles": n, "gaps": 2, "duplicates": 0, "ohlc_violations": 0, "outliers": 3}
        ],
        "leak_probe": {
            "passed": True, "sentence": "No peeking found: 2 probes at 2 cuts agree.",
            "cuts": ["2023-02-01", "2023-03-01"],
            "results": [
                {"name": "images", "passed": True, "compared": 96, "differing": 0, "largest_difference": 0.0},
                {"name": "decisions", "passed": True, "compared": 96, "differing": 0, "largest_difference": 0.0},
            ],
        },
        "recipe": RECIPE,
        "provenance": {"data_hash": "9f2c" * 16, "seed": 7, "versions": {"triptych": "0.1.0", "torch": "2.13.0"}},
        "environment": {"created": "2024-01-01 00:00:00", "machine": "2 cores"},
    }  # fmt: skip
    return ReportData(**{**fields, **changes})


@pytest.fixture
def report(make_result) -> ReportData:
    """A full report of three thousand hourly candles."""
    return make_report(make_result)


@pytest.fixture
def report_of(make_result):
    """`make_report` with its simulator at hand: options n, edge, seed, symbol and any field of the report."""
    return lambda **options: make_report(make_result, **options)
