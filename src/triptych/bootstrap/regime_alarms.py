"""Alarms that the market has switched to another regime: on a file of candles, or by the model of a run.

Their thresholds are set by false alarms, the same way for all (`bootstrap/alarm_thresholds.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.alarm_thresholds import CALM, FALSE_ALARMS, rows_for, threshold_for, uncertainty
from triptych.bootstrap.alarm_watchers import AbstractWatcher, Method, Reading, watcher_of_file, watcher_of_run
from triptych.bootstrap.run_folder import Run
from triptych.domain import CandleSeries
from triptych.domain.errors import NotEnoughData
from triptych.market.shuffling import shuffled
from triptych.training.seeds import derive_seed

ORDERS: Final = 5
LEAST_ROWS: Final = 4_000
"""Random orders of a watcher that is bound to times, at least, and candles in them: a network reads each of them."""


@dataclass(frozen=True, kw_only=True)
class RegimeAlarms:
    """Alarms of the part that nothing was fitted on.

    Attributes:
        series: the history.
        method: how they were raised.
        first: the first candle that is judged: nothing was fitted on it, and an alarm is possible at it.
        judged: candles from there on at which one is possible.
        alarms: candles at which an alarm was raised, by position in the history.
        statistic: what was held against the threshold at each candle, shape (n_candles,): the probability of the
            likeliest regime, the change between two windows, or the size of the return that CUSUM adds up.
        regime: position in `REGIMES` of the likeliest at each candle, shape (n_candles,); -1 where none is told.
        threshold: that was set or given.
        asked: false alarms in 1,000 candles that were asked for; None where the threshold was given.
        in_nothing: alarms in 1,000 candles of the candles in random order, at this threshold; low, high: their 95 %
            interval, of other random orders.
        n_calm: candles in random order that this was counted on, at each of which an alarm was possible.
        agreement: how far the regimes told in the judged part are those of their names; empty where none are told.
        notes: what one must know, a sentence each.
    """

    series: CandleSeries
    method: Method
    first: int
    alarms: NDArray[np.int64]
    statistic: NDArray[np.float64]
    regime: NDArray[np.int64]
    threshold: float
    asked: float | None
    in_nothing: float
    low: float
    high: float
    n_calm: int
    agreement: dict[str, dict[str, float]]
    notes: tuple[str, ...]

    @property
    def judged(self) -> int:
        return int(np.isfinite(self.statistic[self.first :]).sum())


def alarms_of_file(
    series: CandleSeries,
    *,
    share: float = 0.6,
    method: Method = "switches",
    false_alarms: float = FALSE_ALARMS,
    threshold: float | None = None,
    seed: int = 0,
) -> RegimeAlarms:
    """Fit on the first share of a history and raise alarms on the rest, each at a close and from candles up to it.

    Args:
        series: the history.
        share: of it, that is fitted on.
        method: the model of switches, the filter of five regimes, or CUSUM on the sizes of returns.
        false_alarms: in 1,000 candles, that are asked for.
        threshold: instead of these: of model and filter the probability that another regime must reach, of CUSUM the
            sum of departures in standard deviations of the first share.
        seed: of the random order.

    Raises NotEnoughData when nothing is left to judge, RecipeError for the method of a siamese network.
    """
    first = int(len(series) * share)
    if first >= len(series):
        raise NotEnoughData(f"{len(series)} candles leave none to judge.", remedy="Bring more candles.")
    watcher = watcher_of_file(series, first, method)
    return _raised(watcher, series, first, method, false_alarms, threshold, seed)


def alarms_of_run(
    run: Run,
    *,
    symbol: str | None = None,
    method: Method | None = None,
    false_alarms: float | None = None,
    threshold: float | None = None,
) -> RegimeAlarms:
    """Alarms by the model of a run on its own candles, from the start of its test part on.

    Args:
        run: trained to its end, of a recipe with [regimes] use, or with [siamese].
        symbol: instrument; None takes the first.
        method: `switches` and `filter` are those of the artifact, `likeness` the distance of two windows without a
            common candle by its siamese network, `cusum` the baseline; None takes what the artifact has.
        false_alarms, threshold: as in `alarms_of_file`; neither takes the threshold that training has set for
            `switches`, by which the recipe acts, and 1 false alarm for the others.

    The model is that of the first fold, which has learnt from no candle of the test part. Raises RunError for a run
    that is not complete or whose candles have changed, ArtifactError where the model has no such method.
    """
    series, first, named, watcher = watcher_of_run(run, symbol, method)
    seed = derive_seed(run.recipe.seed, "alarms") % 2**32
    return _raised(watcher, series, first, named, false_alarms, threshold, seed)


def in_nothing_to_find(
    watcher: AbstractWatcher, before: CandleSeries, false_alarms: float, seed: int
) -> tuple[list[Reading], int]:
    """What a watcher says of candles in random order, and at how many of them an alarm is possible.

    Args:
        watcher: that is asked.
        before: candles before the judged part.
        false_alarms: in 1,000, that a threshold is to be set for; the fewer, the more candles are asked about.
        seed: of the orders.

    Raises NotEnoughData when there are too few candles for a single one at which an alarm is possible.
    """
    watcher = watcher.alone()
    if not watcher.bound_to_times:
        rows = rows_for(false_alarms)
        return [watcher.read(shuffled(before, seed, watcher.warm_up + rows), watcher.warm_up)], rows
    each = len(before) - watcher.warm_up
    if each < 1:
        raise NotEnoughData(
            f"{before.symbol}: {len(before):,} candles before the judged part, and no alarm is possible in the first "
            f"{watcher.warm_up:,}.",
            remedy=f"Bring at least {watcher.warm_up + 1:,} candles before it.",
        )
    orders = max(ORDERS, -(-LEAST_ROWS // each))
    found = [watcher.read(shuffled(before, seed + number), watcher.warm_up) for number in range(orders)]
    return found, sum(int(_known(one, watcher.warm_up).sum()) for one in found)


def _known(reading: Reading, first: int) -> NDArray[np.bool_]:
    """At which candles from `first` on an alarm is possible: not where a companion's candles are missing."""
    found: NDArray[np.bool_] = np.isfinite(reading.statistic[first:])
    return found


def _raised(
    watcher: AbstractWatcher,
    series: CandleSeries,
    begun: int,
    method: Method,
    false_alarms: float | None,
    threshold: float | None,
    seed: int,
) -> RegimeAlarms:
    first = max(begun, watcher.warm_up)
    if first >= len(series):
        raise NotEnoughData(
            f"{series.symbol}: {len(series):,} candles, and by {method} no alarm is possible in the first "
            f"{watcher.warm_up:,}.",
            remedy=f"Bring at least {watcher.warm_up + 1:,} candles.",
        )
    wanted = FALSE_ALARMS if false_alarms is None else false_alarms
    calm, n_calm = in_nothing_to_find(watcher, series.between(max(0, begun - CALM), begun), wanted, seed)

    def raised(threshold: float) -> int:
        return sum(len(one.raised(threshold)) for one in calm)

    notes = watcher.notes
    asked = None
    if threshold is None and false_alarms is None and watcher.trained is not None:
        threshold, asked = watcher.trained
    if threshold is None:
        asked = wanted
        possible = np.unique(np.concatenate([one.thresholds for one in calm]))
        threshold, in_nothing = threshold_for(wanted, raised, possible, n_calm)
        if in_nothing > wanted:
            notes += (
                f"No threshold raises as few as {wanted:g} false alarms in 1,000 candles: the highest raises "
                f"{in_nothing:.1f}.",
            )
    else:
        in_nothing = 1000.0 * raised(threshold) / n_calm
    possible_at = [_known(one, watcher.warm_up) for one in calm]
    found = [
        (np.cumsum(known) - 1)[one.raised(threshold) - watcher.warm_up]
        for one, known in zip(calm, possible_at, strict=True)
    ]
    low, high = uncertainty(found, [int(known.sum()) for known in possible_at], seed)
    seen = watcher.read(series, first)
    return RegimeAlarms(
        series=series, method=method, first=first, alarms=seen.raised(threshold), statistic=seen.statistic,
        regime=seen.regime, threshold=threshold, asked=asked, in_nothing=in_nothing, low=low, high=high,
        n_calm=n_calm,
        agreement=watcher.agreement, notes=notes,
    )  # fmt: skip
