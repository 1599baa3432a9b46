"""Whether the filter of regimes is as sure as it is right, and its regimes are those of their names.

Fitted on the first 60 % of a history, judged on the rest: against the regime that the rules give a quarter of their
window later. A made market is always there; files of candles named in TRIPTYCH_CANDLES, parted by colons, join it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score

from benchmarks._table import Row, main
from triptych.bootstrap.chart_patterns import read_one
from triptych.domain import REGIMES, CandleSeries, Instrument, Timeframe
from triptych.features.regimes import AHEAD, LONG, SHORT, single_regime
from triptych.inference.regime_fitting import later_regimes
from triptych.inference.regimes import RegimeFilter, measures

SEED = 31
STAYS = 0.995
KINDS = ((0.0, 1.0, 1.0), (0.15, 1.0, 1.0), (-0.15, 1.0, 1.0), (0.0, 2.5, 1.5), (0.0, 0.8, 0.4))
"""Drift and deviation of a return, and volume, of the made market's kinds: calm, rising, falling, wild, thin."""
SHARE = 0.6
BINS = 10


def made_market(n: int, seed: int) -> CandleSeries:
    """Candles whose kind lasts 200 candles on average."""
    rng = np.random.default_rng(seed)
    kind = np.zeros(n, dtype=np.int64)
    for t in range(1, n):
        kind[t] = kind[t - 1] if rng.uniform() < STAYS else rng.integers(len(KINDS))
    drift, spread, volume = np.array(KINDS)[kind].T
    close = 100.0 * np.exp(np.cumsum(0.002 * (drift + spread * rng.normal(size=n))))
    opens = np.r_[100.0, close[:-1]]
    values = np.column_stack(
        [opens, np.maximum(opens, close), np.minimum(opens, close), close, volume * rng.lognormal(3.0, 0.5, n)]
    )
    timeframe = Timeframe(900_000)
    times = np.arange(n, dtype=np.int64) * timeframe.milliseconds
    return CandleSeries(instrument=Instrument(symbol="MADE"), timeframe=timeframe, open_time_ms=times, values=values)


def calibration_error(told: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Expected calibration error of the likeliest regime, in ten bins: Guo et al. 2017, On Calibration, section 2."""
    sure, right = told.max(axis=1), told.argmax(axis=1) == truth
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    return float(
        sum(abs(sure[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
    )


def judged(name: str, series: CandleSeries) -> list[Row]:
    """Rows of one history."""
    cut = int(SHARE * len(series))
    fitted = RegimeFilter.fit([series.head(cut)])
    told, rows = fitted.probabilities(series), measures(series)
    truth, now = later_regimes(rows), single_regime(rows)
    at = np.arange(cut + LONG, len(series) - AHEAD)
    at = at[truth[at] >= 0]
    seen = np.arange(LONG, cut - AHEAD)
    shares = np.bincount(truth[seen], minlength=len(REGIMES)) + 1.0
    table = np.ones((len(REGIMES), len(REGIMES)))
    np.add.at(table, (now[seen], truth[seen]), 1.0)
    by_rule = (table / table.sum(axis=1, keepdims=True))[now[at]]

    def loss(p: NDArray[np.float64]) -> float:
        return float(-np.log(np.maximum(p[np.arange(len(at)), truth[at]], 1e-12)).mean())

    mine = told[at]
    likeliest = mine.argmax(axis=1)
    no_memory = replace(fitted, forgetting=1.0, power=1.0).probabilities(series)[at]
    found = [
        Row(
            name=f"{name}: log loss", ours=loss(mine), peer=loss(by_rule), peer_name="shares after each rule",
            floor=loss(np.tile(shares / shares.sum(), (len(at), 1))), unit="nats, floor: shares", lower_is_better=True,
        ),
        Row(
            name=f"{name}: log loss, the past forgotten altogether", ours=loss(no_memory), unit="nats",
            lower_is_better=True,
        ),
        Row(name=f"{name}: mean of the highest probability", ours=float(mine.max(axis=1).mean()), unit="share"),
        Row(name=f"{name}: how often it is right", ours=float((mine.argmax(axis=1) == truth[at]).mean()), unit="share"),
        Row(name=f"{name}: macro F1", ours=float(f1_score(truth[at], likeliest, average="macro")), unit="F1"),
        Row(name=f"{name}: balanced accuracy", ours=float(balanced_accuracy_score(truth[at], likeliest)), unit="share"),
        Row(name=f"{name}: calibration error", ours=calibration_error(mine, truth[at]), unit="share"),
        Row(name=f"{name}: forgetting", ours=fitted.forgetting, unit="power"),
        Row(name=f"{name}: weight of a candle's measures", ours=fitted.power, unit="power"),
    ]  # fmt: skip
    for regime, one in fitted.agreement_on(series.between(cut - LONG - 10 * SHORT, len(series))).items():
        for what in ("rule", "likeliest", "agreement"):
            if what != "agreement" or one["likeliest"] > 0:
                found.append(Row(name=f"{name}, {regime}: {what}", ours=one[what], unit="share"))
    return found


def rows(quick: bool) -> list[Row]:
    """The table."""
    table = judged("made market", made_market(8_000 if quick else 30_000, SEED))
    for path in filter(None, os.environ.get("TRIPTYCH_CANDLES", "").split(":")):
        table += judged(Path(path).stem, read_one(Path(path), None))
    return table


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0])
