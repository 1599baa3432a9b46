"""Pictures written as PNG files, images per second, on one worker and on two, beside Pillow and mplfinance."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks._table import Row, alternate
from triptych.bootstrap.rendering.histories import History
from triptych.bootstrap.rendering.moments import Moments
from triptych.bootstrap.rendering.plans import Plan, Style, make_plans
from triptych.bootstrap.rendering.stills import write_stills
from triptych.domain import CandleSeries, Instrument, Timeframe

LENGTH = 60
SIDE = 224


def picture_rows(values: np.ndarray, count: int, repeats: int, draw: Callable[[], object] | None) -> list[Row]:
    """Charts of 224 x 224 from candles to files in a folder.

    Args:
        values: candles, float64 of shape (rows, 5).
        count: pictures a round.
        repeats: rounds.
        draw: one picture of the same kind by mplfinance, without the file; None where it is missing.
    """
    from PIL import Image

    series = CandleSeries(
        instrument=Instrument(symbol="TEST"), timeframe=Timeframe(60_000),
        open_time_ms=np.arange(len(values), dtype=np.int64) * 60_000, values=values,
    )  # fmt: skip
    history = History(
        symbol="TEST", timeframe="1m", close_time_ms=series.close_time_ms, candles=series, books=None, place="benchmark"
    )
    (plan,) = make_plans(
        [history], {"candlestick": {"height": SIDE, "width": SIDE}}, length=LENGTH, moments=Moments(last=count),
        style=Style(view="network"), together=False,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.png" for i in range(count)]

        def by_pillow() -> None:
            for path, picture in zip(paths, plan.pictures(), strict=True):
                Image.fromarray(picture).save(path, compress_level=plan.style.level)

        sides = [_writer(plan, paths, 1), _writer(plan, paths, 2), by_pillow, *([] if draw is None else [draw])]
        seconds = alternate(*sides, repeats=repeats, warm_ups=1)
    peers = [("Pillow, same images", count / seconds[2])]
    if draw is not None:
        peers.append(("mplfinance, without the file", 1 / seconds[3]))
    return [
        Row(
            name=f"candlestick {SIDE}x{SIDE} of {LENGTH} to PNG files, {workers} worker{'s' * (workers > 1)}, {count}",
            ours=count / seconds[workers - 1], peer=peer, peer_name=name, unit="images/s",
        )
        for workers in (1, 2)
        for name, peer in peers
    ]  # fmt: skip


def _writer(plan: Plan, paths: list[Path], workers: int) -> Callable[[], object]:
    return lambda: write_stills(plan, paths, format="png", workers=workers, advance=lambda _: None)
