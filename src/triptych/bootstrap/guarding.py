"""From the guard's settings to the detector that watches."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

from triptych.bootstrap.candle_books import beside, max_age_ms, tape_for
from triptych.bootstrap.feature_detectors import refuse_other_candles, refuse_seen
from triptych.domain import CandleSeries, Timeframe
from triptych.domain.errors import RecipeError
from triptych.inference import BookNeed
from triptych.inference.watch import AbstractWatch
from triptych.market import synthetic
from triptych.settings import Recipe
from triptych.trading.guard import Config


def open_watch(config: Config, timeframe: Timeframe) -> AbstractWatch | None:
    """The watch of candles of a timeframe that the settings name, for paper and live; None where nothing is guarded.

    `symbols` of the watch are to be among the instruments or companions of the engine, and `length` candles of each
    are looked back on.

    Raises ArtifactError when the detector is missing, damaged, or not one of market channels of that timeframe.
    """
    if config.detector is None:
        return None
    from triptych.inference.anomaly.market_watch import MarketWatch  # takes a while to load
    from triptych.inference.anomaly.saving import load_detector

    refuse_other_candles(config.detector, timeframe, "the guarded session")
    return MarketWatch(load_detector(Path(config.detector)), false_alarms=config.false_alarms, scope=config.scope)


def watch_need(
    watch: AbstractWatch | None, recipe: Recipe, timeframe: Timeframe, traded: Collection[str] = ()
) -> BookNeed | None:
    """What a watch needs of order books; None when it reads none. `traded` are the instruments that are not only
    looked at."""
    if watch is None or not watch.levels:
        return None
    return BookNeed(
        levels=watch.levels,
        max_age_ms=max_age_ms(recipe.data.books, timeframe),
        companions=any(symbol not in traded for symbol in watch.symbols),
    )


def with_watched_books(watch: AbstractWatch, recipe: Recipe, series: Sequence[CandleSeries]) -> list[CandleSeries]:
    """Histories with the books beside them that a watch reads, from what the recipe names; as they are where it reads
    none. What a model reads beside its candles is loaded with them, and stays as it is.

    Raises RecipeError where the recipe names no recording, and what `beside` raises for one that does not fit.
    """
    need = watch_need(watch, recipe, series[0].timeframe) if series else None
    if need is None:
        return list(series)
    data = recipe.data
    if data.source != "synthetic" and data.books.path is None:
        raise RecipeError(
            f"The guard's detector reads {need.levels} levels of order book a side, and data.books.path of "
            f"{recipe.name} names no recording.",
            remedy="Train with a file or folder of order books in data.books.path, or guard by a detector that was "
            "fitted on candles alone.",
        )
    market = synthetic.synthesise(data.synthetic) if data.source == "synthetic" else None
    return [
        beside(one, tape_for(recipe, one, need, market), need) if one.symbol in watch.symbols else one for one in series
    ]


def recorded_watch(
    recipe: Recipe,
    series: Sequence[CandleSeries],
    companions: Sequence[CandleSeries] = (),
    *,
    start_ms: int | None = None,
) -> AbstractWatch | None:
    """What guards a backtest of `series` from `start_ms` on: every reading of the history made at once.

    Raises ArtifactError as `open_watch` does, where an instrument that is watched has no history, and for a detector
    that was fitted on rows behind `start_ms`; RecipeError where it reads order books and the recipe names none. Warns
    of a policy without a detector.
    """
    config = recipe.guard
    if config.detector is None:
        if config.policy != Config().policy:
            warnings.warn(
                f'guard.policy = "{config.policy}" does nothing without guard.detector: nothing is guarded.',
                stacklevel=2,
            )
        return None
    if start_ms is not None:
        refuse_seen(config.detector, start_ms, "the guard")
    from triptych.inference.anomaly.market_watch import MarketWatch

    watch = open_watch(config, series[0].timeframe)
    assert isinstance(watch, MarketWatch)
    seen = with_watched_books(watch, recipe, (*series, *companions))
    return watch.record(seen, [one.symbol for one in series])
