"""Alarms that the market has switched to another regime, on a file of candles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.domain import REGIMES, CandleSeries, utc
from triptych.domain.errors import NotEnoughData
from triptych.features.regimes import LONG
from triptych.inference.regimes import RegimeFilter, measures
from triptych.inference.switches import cusum_alarms, switch_alarms


@dataclass(frozen=True, kw_only=True)
class RegimeAlarms:
    """Alarms of the part that nothing was fitted on.

    Attributes:
        fitted: the filter.
        probability: of each regime at each candle of the history, shape (n_candles, 5).
        first: the first candle that is judged.
        alarms: candles at which an alarm was raised, by position in the history.
        agreement: how far the regimes told in the judged part are those of their names, see `agreement_with_rules`.
    """

    fitted: RegimeFilter
    probability: NDArray[np.float64]
    first: int
    alarms: NDArray[np.int64]
    agreement: dict[str, dict[str, float]]


def regime_alarms(
    series: CandleSeries, *, share: float, threshold: float, method: Literal["filter", "cusum"] = "filter"
) -> RegimeAlarms:
    """Fit on the first share of a history and raise alarms on the rest, each at a close and from candles up to it.

    Args:
        series: the history.
        share: of it, that is fitted on.
        threshold: of `filter` the probability that another regime must reach; of `cusum` the sum of departures of the
            volatility measure, in its standard deviations of the first share.
        method: which alarms.

    Raises NotEnoughData when nothing is left to judge.
    """
    first = int(len(series) * share)
    if first >= len(series):
        raise NotEnoughData(f"{len(series)} candles leave none to judge.", remedy="Bring more candles.")
    fitted = RegimeFilter.fit([series.head(first)])
    told = fitted.probabilities(series)
    if method == "filter":
        found = switch_alarms(told[first:], threshold)
    else:
        volatility = measures(series)[:, 1]
        seen = volatility[LONG:first]
        found = cusum_alarms((volatility[first:] - seen.mean()) / max(float(seen.std()), 1e-12), threshold)
    start = max(0, first - LONG)
    agreement = fitted.agreement_on(series.between(start, len(series)))
    return RegimeAlarms(fitted=fitted, probability=told, first=first, alarms=found + first, agreement=agreement)


def alarm_rows(series: CandleSeries, found: RegimeAlarms) -> list[dict[str, Any]]:
    """Alarms as JSON-ready rows: the close at which each was raised, UTC, and the likeliest regime there."""
    rows = []
    for at in found.alarms.tolist():
        likeliest = int(found.probability[at].argmax())
        rows.append(
            {
                "time": utc(int(series.close_time_ms[at])),
                "regime": REGIMES[likeliest],
                "probability": round(float(found.probability[at, likeliest]), 4),
            }
        )
    return rows
