"""What stands beside candles for the channels of an anomaly detector: order books at the closes, and funding rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from triptych.bootstrap.candle_books import beside, max_age_ms, named_recording
from triptych.domain import CandleSeries
from triptych.domain.errors import RecipeError
from triptych.features.extra_channels import NO_FUNDING, FundingHistory, levels_of
from triptych.inference import BookNeed
from triptych.market.funding import read_funding_file
from triptych.settings.study import Channels


def with_extras(config: Channels, series: Sequence[CandleSeries]) -> list[CandleSeries]:
    """The histories with the order books beside them that `extras` read; as they are where they read none.

    Raises RecipeError when no recording is named, DataError and its kinds for one that does not fit the candles.
    """
    levels = levels_of(config.extras)
    if not levels:
        return list(series)
    if config.books.path is None:
        read = [one for one in config.extras if one != "funding"]
        raise RecipeError(
            f"{' and '.join(read)} are read of order books, and channels.books.path names no recording.",
            remedy="Name a file or folder of order books in channels.books.path, or leave them out of channels.extras.",
        )
    need = BookNeed(levels=levels, max_age_ms=max_age_ms(config.books, series[0].timeframe), companions=True)
    tapes = [named_recording(config.books.path, one, need, "channels.books.path") for one in series]
    return [beside(one, tape, need) for one, tape in zip(series, tapes, strict=True)]


def funding_of(config: Channels, symbols: Sequence[str]) -> Mapping[str, FundingHistory]:
    """Funding rates by symbol; none where `extras` do not ask for them.

    Raises RecipeError for a symbol that no file is named for, StorageError for a file that cannot be read.
    """
    if "funding" not in config.extras:
        return NO_FUNDING
    missing = [symbol for symbol in symbols if symbol not in config.funding]
    if missing:
        raise RecipeError(
            f"channels.extras has funding, and channels.funding names no file of {', '.join(missing)}.",
            remedy="Name the funding.parquet that `triptych data fetch --funding` writes for each, or leave funding "
            "out of channels.extras.",
        )
    found = {}
    for symbol in symbols:
        frame = read_funding_file(Path(config.funding[symbol]).expanduser())
        times = frame["timestamp"].to_physical().to_numpy().astype(np.int64)
        found[symbol] = FundingHistory(time_ms=times, rate=frame["rate"].to_numpy())
    return found
