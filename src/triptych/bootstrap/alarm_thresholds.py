"""Thresholds of alarms that speak different languages, set by what they raise where there is nothing to find.

That is in the candles they have learnt from, put in random order (`market/shuffling.py`), as often as it takes until
`ROWS` candles stand behind the threshold at which an alarm is possible at all. What is asked for is a number of these
false alarms in 1,000 of them, the same for all.

Of several instruments each has the share of these candles that it has of the real ones: one threshold serves all, and
what it raises should be what was asked for where most of the trading is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.domain.errors import NotEnoughData
from triptych.inference.switch_model import InNothing, SwitchModel, looks_back
from triptych.inference.switches import departure_alarms
from triptych.market.shuffling import shuffled
from triptych.training.intervals import interval, resample_weights, share_interval, widening

FALSE_ALARMS: Final = 1.0
"""False alarms in 1,000 candles that are asked for when nobody says otherwise."""
CALM: Final = 8_000
"""Candles of an instrument that are put in random order, at most: the last ones before the judged part."""
ROWS: Final = 40_000
"""Candles in random order at which an alarm is possible, of all instruments together: 40 alarms at 1 in 1,000."""
LEAST_ALARMS: Final = 20
"""False alarms that a threshold should stand on; where fewer than 1 in 1,000 are asked for there are more `ROWS`."""
MOST_ROWS: Final = 200_000
FEWEST_RETURNS: Final = 30
"""Returns that are put in random order at least, however few an alarm is told from."""
BLOCK: Final = 240
"""Candles in random order that are drawn together when it is told how uncertain a number of alarms is."""
RESAMPLES: Final = 1000
SURE: Final = np.concatenate((np.linspace(0.5, 0.99, 50), 1.0 - np.geomspace(0.009, 1e-9, 60)))
"""Probabilities between two of which a threshold is looked for."""
HALVINGS: Final = 20
"""Of what lies between two of them: until a millionth of it is left."""


def rows_for(false_alarms: float) -> int:
    """Candles in random order that a threshold for so many false alarms in 1,000 is to stand on."""
    return int(np.clip(1000.0 * LEAST_ALARMS / false_alarms, ROWS, MOST_ROWS))


def threshold_for(
    wanted: float, raised: Callable[[float], int], thresholds: NDArray[np.float64], n_candles: int
) -> tuple[float, float]:
    """The lowest threshold at which the alarms have just fallen to no more than are wanted, and how many it raises.

    A higher threshold may raise more alarms again: the model of switches then stays longer with a kind of market that
    is over. So all are tried from below until one is high enough.

    Args:
        wanted: alarms in 1,000 candles.
        raised: how many alarms a threshold raises in `n_candles` in which there is nothing to find.
        thresholds: rising; the first of them that is high enough is found, then a threshold between it and the one
            below by halves. The first one is taken where it is high enough, the last one where none is.
        n_candles: at which an alarm is possible; more than none.
    """

    def rate(threshold: float) -> float:
        return 1000.0 * raised(threshold) / n_candles

    above = threshold = float(thresholds[0])
    kept = rate(threshold)
    for higher in thresholds[1:].tolist():
        if kept <= wanted:
            break
        above, threshold = threshold, higher
        kept = rate(threshold)
    for _ in range(HALVINGS if kept <= wanted and above < threshold else 0):
        between = 0.5 * (above + threshold)
        found = rate(between)
        if found <= wanted:
            threshold, kept = between, found
        else:
            above = between
    return threshold, kept


def uncertainty(
    alarms: Sequence[NDArray[np.int64]], n_candles: Sequence[int], seed: int, level: float = 0.95
) -> tuple[float, float]:
    """The interval of a number of alarms in 1,000 candles: what other random orders would raise.

    By a bootstrap of blocks of `BLOCK` candles, for alarms come in clusters; never narrower than Wilson's interval of
    alarms that come one by one, which tells something where none or hardly any was raised.

    Args:
        alarms: of each history in random order, positions from its first candle at which an alarm is possible.
        n_candles: of each, at which an alarm is possible.
        seed: of the resamples.
        level: of the interval.
    """
    counts = np.concatenate(
        [np.bincount(one // BLOCK, minlength=-(-n // BLOCK)) for one, n in zip(alarms, n_candles, strict=True)]
    )
    lengths = np.concatenate([np.diff(np.r_[np.arange(0, n, BLOCK), n]) for n in n_candles])
    hits, n = int(counts.sum()), int(lengths.sum())
    alone = share_interval(hits, n, level)
    low, high = 1000.0 * alone.low, 1000.0 * alone.high
    if len(counts) > 1:
        blocks = np.arange(len(counts))
        draws = [(counts @ w) / (lengths @ w) for w in resample_weights(blocks, 1, RESAMPLES, seed)]
        stretch = widening(len(counts), 1, 1, level)
        found = interval(1000.0 * hits / n, 1000.0 * np.concatenate(draws), level, (0.0, 1000.0), stretch)
        low, high = min(low, found.low), max(high, found.high)
    return low, high


def set_threshold(histories: Sequence[CandleSeries], memory: int, false_alarms: float, seed: int) -> SwitchModel:
    """A model of switches fitted on histories of the training part, its threshold set on their last candles.

    Args:
        histories: one an instrument; of each the last `CALM` candles are put in random order, again and again until
            its share of `rows_for` many candles have all before them that an alarm is told from. The shares are those
            of the histories' candles. Histories with fewer returns than the filter hears at one close are left out,
            for every window of them would hold the same returns again; unless all are that short.
        memory: returns that an alarm is told from.
        false_alarms: in 1,000 candles, that are asked for.
        seed: of the orders.

    Raises NotEnoughData when the histories are too short for a model.
    """
    model = SwitchModel.fit(histories)
    fewest = max(memory // 2, FEWEST_RETURNS) + 1
    told = [one for one in histories if len(one) >= fewest] or [one for one in histories if len(one) > 1]
    left_out = tuple(one.symbol for one in histories if not any(one is kept for kept in told))
    needed = looks_back(memory)
    wanted, real = rows_for(false_alarms), sum(len(one) for one in told)
    rows = [-(-wanted * len(one) // real) for one in told]
    calm = [
        model.probabilities(
            shuffled(one.between(max(0, len(one) - CALM), len(one)), seed % 2**32 + number, needed + each), memory
        )
        for number, (one, each) in enumerate(zip(told, rows, strict=True))
    ]

    def alarms(threshold: float) -> list[NDArray[np.int64]]:
        return [departure_alarms(one, threshold, memory // 2) for one in calm]

    def raised(threshold: float) -> int:
        return sum(len(one) for one in alarms(threshold))

    threshold, in_nothing = threshold_for(false_alarms, raised, SURE, sum(rows))
    found = [one - needed for one in alarms(threshold)]
    parts, level = [], 1.0 - 0.05 / len(told)  # Bonferroni: that all of them hold is as sure as that one does
    for one, at, n in zip(told, found, rows, strict=True):
        low, high = uncertainty([at], [n], seed, level)
        parts.append(InNothing(symbol=one.symbol, rows=n, alarms=1000.0 * len(at) / n, low=low, high=high))
    low, high = uncertainty(found, rows, seed)
    return replace(
        model, threshold=threshold, asked=false_alarms, in_nothing=in_nothing, low=low, high=high, rows=sum(rows),
        instruments=tuple(parts), left_out=left_out,
    )  # fmt: skip


def require_kept(model: SwitchModel) -> None:
    """Raise NotEnoughData where the model raises more alarms in random order than were asked for, at any threshold."""
    if model.in_nothing > model.asked:
        raise NotEnoughData(
            f"No threshold of the alarms of switches keeps {model.asked:g} false alarms in 1,000 candles: at the "
            f"highest they are {model.in_nothing:.1f}.",
            remedy="Bring more candles, ask for more in regimes.on_switch.false_alarms, or set regimes.on_switch.hold "
            "to 0.",
        )
