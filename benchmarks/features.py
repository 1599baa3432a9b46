"""Factors: a whole history at once, the live window, and grids as views against stacking.

The peer of the factors is TA-Lib, whose C functions are called for the indicators that both have: no relative form, no
neutral values, no scores. That of the grids is a copy of every image.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import talib
from numpy.typing import NDArray

from benchmarks._table import Row, alternate, main
from triptych import SyntheticConfig, synthesise
from triptych.features import Config, FeaturePipeline, GridHistory

LIVE = 2_600
"""Candles of a live window: the warm-up of the grid, an image and the candles that complete its rows."""


def rows(quick: bool) -> list[Row]:
    """The table."""
    n = 10_000 if quick else 100_000
    repeats = 3 if quick else 9
    series = synthesise(SyntheticConfig(seed=7, n_candles=n, instruments=1)).series[0]
    table = [_pipeline(series, names, length, repeats) for names in ("grid56", "all") for length in (n, LIVE)]
    found = FeaturePipeline(Config()).rows(series.values, series.open_time_ms, series.timeframe.milliseconds)
    return [*table, *_grids(found[1_199:].astype(np.float32), repeats)]


def _pipeline(series: object, names: str, n: int, repeats: int) -> Row:
    pipeline = FeaturePipeline(Config(names=(names,)))
    values, times = series.values[-n:], series.open_time_ms[-n:]  # type: ignore[attr-defined]
    timeframe_ms = series.timeframe.milliseconds  # type: ignore[attr-defined]
    columns = np.ascontiguousarray(values.T)
    ours_s, peer_s = alternate(lambda: pipeline.rows(values, times, timeframe_ms), _talib(*columns), repeats=repeats)
    return Row(
        name=f"{len(pipeline.columns)} factors ({names}), scored, {n:,} candles",
        ours=1e3 * ours_s,
        peer=1e3 * peer_s,
        peer_name="TA-Lib, 20 raw indicators",
        unit="ms",
        lower_is_better=True,
    )


def _talib(
    o: NDArray[np.float64],
    h: NDArray[np.float64],
    low: NDArray[np.float64],
    c: NDArray[np.float64],
    v: NDArray[np.float64],
) -> Callable[[], object]:
    return lambda: (
        *(talib.SMA(c, 10), talib.SMA(c, 50), talib.EMA(c, 26), talib.EMA(c, 50), talib.WMA(c, 20), talib.DEMA(c, 20)),
        *(talib.MACD(c), talib.ADX(h, low, c), talib.PLUS_DI(h, low, c), talib.AROON(h, low, 25), talib.RSI(c)),
        *(
            talib.STOCH(h, low, c),
            talib.CCI(h, low, c),
            talib.TRIX(c, 15),
            talib.ULTOSC(h, low, c),
            talib.BBANDS(c, 20),
        ),
        *(talib.ATR(h, low, c), talib.OBV(c, v), talib.ADOSC(h, low, c, v), talib.MFI(h, low, c, v)),
    )


def _grids(found: NDArray[np.float32], repeats: int) -> list[Row]:
    grid = GridHistory(found)
    images = grid.views()
    ours_s, peer_s = alternate(lambda: GridHistory(found).views(), lambda: _stacked(found), repeats=repeats)
    memory = Row(
        name=f"memory of {len(images)} grids",
        ours=grid.array.nbytes / 2**20,
        peer=images.nbytes / 2**20,
        peer_name="stacked",
        unit="MiB",
        lower_is_better=True,
    )
    built = Row(
        name=f"building {len(images)} grids",
        ours=1e3 * ours_s,
        peer=1e3 * peer_s,
        peer_name="stacked",
        unit="ms",
        lower_is_better=True,
    )
    return [built, memory]


def _stacked(found: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = len(found) // 4 * 4
    return np.stack([found[end - 896 : end].reshape(224, 224) for end in range(896, whole + 1, 16)])


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0])
