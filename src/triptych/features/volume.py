"""Volume against its own average, and signed by the price. Cumulative lines (OBV, AD) enter by their changes only."""

from __future__ import annotations

from typing import Final

import numpy as np

from triptych.features._history import History
from triptych.features._rolling import Array, ema, ema_memory, lag, ratio, rolling_sum
from triptych.features.factor import Factor, Family

_factor = Family("volume")


def _obv(h: History) -> Array:
    signed = np.sign(h.close - h.previous_close) * h.volume
    return ratio(rolling_sum(signed, 20), 20.0 * h.mean_volume(20))


def _adosc(h: History) -> Array:
    # EMA(3) - EMA(10) of a cumulative sum, written in the sum's steps: an EMA of n candles lags by (n - 1) / 2 of them.
    return ratio(4.5 * ema(h.accumulation, 10) - ema(h.accumulation, 3), ema(h.volume, 10))


def _mfi(h: History) -> Array:
    step = h.typical_price - lag(h.typical_price, 1)
    flow = h.typical_price * h.volume
    up = rolling_sum(np.where(step > h.least, flow, 0.0 * step), 14)
    down = rolling_sum(np.where(step < -h.least, flow, 0.0 * step), 14)
    return 100.0 * ratio(up, up + down, neutral=0.5)


FACTORS: Final[tuple[Factor, ...]] = (
    _factor(
        "volume_sma_20",
        19,
        lambda h: ratio(h.volume, h.mean_volume(20), neutral=1.0),
        "volume / its mean of 20; 1 when nothing was traded",
        "ratio",
    ),
    _factor(
        "volume_trend",
        19,
        lambda h: ratio(rolling_sum(h.volume, 5) / 5.0, h.mean_volume(20), neutral=1.0),
        "mean volume of 5 / mean of 20; 1 when nothing was traded",
        "ratio",
    ),
    _factor(
        "obv_20",
        20,
        _obv,
        "change of OBV over 20 candles / their volume, from -1 to 1; 0 when nothing was traded",
        "ratio",
    ),
    _factor(
        "adosc", 9, _adosc, "ADOSC(3, 10) / EMA(volume, 10); 0 when nothing was traded", "ratio", settle=ema_memory(10)
    ),
    _factor("mfi_14", 14, _mfi, "MFI(14): rising part of the money flow; 50 without flow", "0..100"),
    _factor(
        "money_flow_20",
        19,
        lambda h: ratio(rolling_sum(h.accumulation, 20), 20.0 * h.mean_volume(20)),
        "Chaikin's money flow(20): volume signed by the close's place / volume; 0 when nothing was traded",
        "ratio",
    ),
)
"""To add a factor, add a line."""
