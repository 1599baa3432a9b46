"""Factors: a whole history at once and the live window; scores against Polars; grids as views against stacking."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks._table import Row, alternate, main
from triptych import SyntheticConfig, synthesise
from triptych.domain import CandleSeries
from triptych.features import Config, FeaturePipeline
from triptych.features.normalisation import rolling_scores
from triptych.inference import WindowRows

LIVE = 2_600
"""Candles of a live window: the warm-up of the grid, an image, and some to spare."""
WINDOW = 640


def rows(quick: bool) -> list[Row]:
    """The table."""
    n = 10_000 if quick else 100_000
    repeats = 3 if quick else 9
    series = synthesise(SyntheticConfig(seed=7, n_candles=n, instruments=1)).series[0]
    table = [_pipeline(series, names, length, repeats) for names in ("grid56", "all") for length in (n, LIVE)]
    grid = FeaturePipeline(Config())
    found = grid.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)[grid.warm_up :]
    return [*table, _scores(found, repeats), *_grids(found.astype(np.float32), repeats)]


def _pipeline(series: CandleSeries, names: str, n: int, repeats: int) -> Row:
    pipeline = FeaturePipeline(Config(names=(names,), window=WINDOW))
    part = series.between(len(series) - n, len(series))
    (ours_s,) = alternate(
        lambda: pipeline.rows(part.values, part.open_time_ms, part.timeframe.milliseconds), repeats=repeats
    )
    name = f"{len(pipeline.columns)} factors with scores, {n:,} candles"
    return Row(name=name, ours=1e3 * ours_s, unit="ms", lower_is_better=True)


def _scores(found: NDArray[np.float64], repeats: int) -> Row:
    columns = pl.DataFrame(found)
    every = pl.all()
    scores = (every - every.rolling_mean(WINDOW)) / every.rolling_std(WINDOW, ddof=0)
    ours_s, peer_s = alternate(
        lambda: rolling_scores(found, WINDOW, 4.0), lambda: columns.select(scores.clip(-4.0, 4.0)), repeats=repeats
    )
    return Row(
        name=f"rolling scores of {found.shape[1]} columns, {len(found):,} rows",
        ours=1e3 * ours_s,
        peer=1e3 * peer_s,
        peer_name="Polars, all its threads",
        unit="ms",
        lower_is_better=True,
    )


def _grids(found: NDArray[np.float32], repeats: int) -> list[Row]:
    images = _views(found)
    ours_s, peer_s = alternate(lambda: _views(found), lambda: _stacked(found), repeats=repeats)
    memory = Row(
        name=f"memory of {len(images)} grids",
        ours=found.nbytes / 2**20,
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


def _views(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every image, a day apart, as a view on the table of factors."""
    table = WindowRows(values=found, ends=np.arange(len(found)), step=1)
    return table.windows(896)[::16].reshape(-1, 224, 224)


def _stacked(found: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = len(found) // 4 * 4
    return np.stack([found[end - 896 : end].reshape(224, 224) for end in range(896, whole + 1, 16)])


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0])
