"""Does a detector that reads the order book beside the candles find more in the embedded market?

The books are those that the market draws, leaning with the pressure that moves its prices. Planted events change the
candles; of these only a frozen feed is put into the books too, which freeze with it. So a book can tell of an event
only in that it goes on as if there were none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
import polars as pl

from benchmarks._detection import figures_by_type
from triptych.bootstrap import create_detector
from triptych.bootstrap.candle_books import tape_of
from triptych.domain import CandleSeries
from triptych.features.channels import market_channels
from triptych.market.synthetic import Config as SyntheticConfig
from triptych.market.synthetic import SyntheticMarket, synthesise
from triptych.market.synthetic.anomalies import AnomalyEvent, plant_anomalies
from triptych.market.synthetic.anomalies import Config as AnomalyConfig
from triptych.training.anomaly.by_type import WITHIN
from triptych.training.anomaly.metrics import judge

VARIANTS: Final[dict[str, tuple[str, ...]]] = {
    "candles": (),
    "spread": ("spread",),
    "depth imbalance": ("depth_imbalance",),
    "spread and depth imbalance": ("spread", "depth_imbalance"),
}
"""Channels of each instrument beyond those of its candles."""


def with_books(market: SyntheticMarket, one: CandleSeries, events: Sequence[AnomalyEvent]) -> CandleSeries:
    """The candles of an instrument with the market's book at each close; a frozen feed freezes it."""
    books = tape_of(market, one.symbol).rows().copy()
    for event in events:
        if event.kind == "stale_feed" and event.symbol == one.symbol:
            books[event.start : event.stop] = books[event.start - 1]
    return replace(one, books=books)


def booked(variant: str, seed: int, *, n_candles: int = 20_000, epochs: int = 6) -> dict[str, float]:
    """Figures of CATCH with some channels on one market: fitted on its clean half, judged on the other."""
    market = synthesise(SyntheticConfig(seed=seed, n_candles=n_candles))
    planted = plant_anomalies(market, AnomalyConfig(seed=seed))
    series = [with_books(market, one, planted.events) for one in planted.series]
    made = market_channels(series, VARIANTS[variant])
    frame = pl.DataFrame(made.values, schema=list(made.columns))
    train = frame.head(planted.first - 1)
    training: dict[str, Any] = {"num_threads": 1, "epochs": epochs}
    detector = create_detector("catch", training=training).fit(train)
    late = frame.slice(planted.first - detector.memory)
    scores = detector.decision_function(late)[detector.memory - 1 :]
    quiet = np.ones(len(planted.labels), dtype=bool)
    for event in planted.events:
        quiet[event.start : event.stop + detector.memory] = False
    alarms = scores > detector.threshold_
    figures = asdict(judge(planted.labels[planted.first :], scores, alarms, slack=WITHIN))
    figures |= {"quiet_share": float(alarms[quiet[planted.first :]].mean())}
    return figures | figures_by_type(planted, scores, alarms)
