"""From the guard's settings to the detector that watches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from triptych.domain import CandleSeries
from triptych.inference.watch import AbstractWatch
from triptych.trading.guard import Config


def open_watch(config: Config) -> AbstractWatch | None:
    """The watch that the settings name, for paper and live; None where nothing is guarded.

    `symbols` of the watch are to be among the instruments or companions of the engine, and `length` candles of each
    are looked back on.

    Raises ArtifactError when the detector is missing, damaged, or not one of market channels.
    """
    from triptych.inference.anomaly.market_watch import MarketWatch  # takes a while to load
    from triptych.inference.anomaly.saving import load_detector

    if config.detector is None:
        return None
    return MarketWatch(load_detector(Path(config.detector)), false_alarms=config.false_alarms)


def recorded_watch(
    config: Config, series: Sequence[CandleSeries], companions: Sequence[CandleSeries] = ()
) -> AbstractWatch | None:
    """The same for a backtest of `series`: every reading of the history made at once.

    Raises ArtifactError as `open_watch` does, and where an instrument that is watched has no history.
    """
    if config.detector is None:
        return None
    from triptych.inference.anomaly.market_watch import MarketWatch

    watch = open_watch(config)
    assert isinstance(watch, MarketWatch)
    return watch.record((*series, *companions), [one.symbol for one in series])
