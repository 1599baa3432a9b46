"""`triptych data fetch --venue`: candles of other venues, stocks and indices into the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from triptych.bootstrap.fetching import Fetched, OnProgress, series_of
from triptych.domain import Candle, SystemClock, Timeframe
from triptych.domain.errors import DataError
from triptych.exchanges.history import AbstractHistory
from triptych.market import CandleStore, MergeReport
from triptych.market.store import Moment, to_ms

OVERLAP: Final = 5
"""Stored candles that are asked for once more: a history that was rewritten, by a split say, shows itself there."""
_DAY_MS: Final = 86_400_000


def source_of(venue: str) -> AbstractHistory:
    """`yahoo`, or a venue of ccxt by ccxt's name. Raises RecipeError when the extra is not installed."""
    if venue == "yahoo":
        from triptych.exchanges.yahoo import YahooCandles

        return YahooCandles()
    from triptych.exchanges.ccxt import CcxtCandles

    return CcxtCandles(venue)


def fetch_from(
    source: AbstractHistory,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    *,
    store: Path,
    start: Moment,
    end: Moment | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> list[Fetched]:
    """Bring closed candles from `start` up to `end` (None: now) into the store, page by page.

    A history that is there from `start` on is continued from its end; every page is merged as it comes, so the same
    call goes on after a stop.

    Raises DataError for an unknown symbol or timeframe, and when candles that are stored differ from those of the
    source; ExchangeError when it cannot be asked; StorageError when the disk refuses.
    """
    now_ms, start_ms = SystemClock().now_ms(), to_ms(start)
    end_ms = now_ms if end is None else min(now_ms, to_ms(end))
    if start_ms >= end_ms:
        raise DataError("The span to fetch is empty: it ends before it begins.", remedy="Set --start before --end.")
    kept, found = CandleStore(store), []
    for symbol in symbols:
        instrument = source.instrument(symbol)
        for timeframe in (Timeframe.parse(text) for text in timeframes):
            what = f"{symbol} {timeframe}"
            total = max(1, (end_ms - start_ms) // _DAY_MS)
            on_progress(what, 0, total)
            begin, already = _begin(kept, source.venue, symbol, timeframe, start_ms)
            fetched, merged = 0, MergeReport()
            for page in source.pages(symbol, timeframe, start_ms=begin, end_ms=end_ms):
                closed: list[Candle] = [one for one in page if one.close_time_ms <= now_ms]
                if not closed:
                    continue
                report = kept.merge(series_of(closed, instrument, timeframe))
                if report.kept:
                    raise DataError(
                        f"{source.venue} {what}: {report.kept} stored candles differ from what the venue says now, as "
                        "after a split of a stock. Nothing stored was changed.",
                        remedy="Fetch the whole history into a new store.",
                    )
                fetched += len(closed)
                merged = MergeReport(new=merged.new + report.new, same=merged.same + report.same)
                on_progress(what, min(total, (closed[-1].close_time_ms - start_ms) // _DAY_MS), total)
            on_progress(what, total, total)
            times = _stored(kept, source.venue, symbol, timeframe)
            times = times[(times >= start_ms) & (times < end_ms)]
            found.append(
                Fetched(
                    symbol=symbol, what=str(timeframe), fetched=fetched, new=merged.new, already=already,
                    first_ms=int(times[0]) if len(times) else None, last_ms=int(times[-1]) if len(times) else None,
                )
            )  # fmt: skip
    return found


def _begin(store: CandleStore, venue: str, symbol: str, timeframe: Timeframe, start_ms: int) -> tuple[int, int]:
    """Where to go on, and how many candles are there already. A history that begins later is fetched as a whole."""
    times = _stored(store, venue, symbol, timeframe)
    within = times[times >= start_ms]
    # A market that is closed at the start opens within ten days.
    if len(times) <= OVERLAP or times[0] > start_ms + 10 * _DAY_MS:
        return start_ms, len(within)
    return max(start_ms, int(times[-OVERLAP])), len(within)


def _stored(store: CandleStore, venue: str, symbol: str, timeframe: Timeframe) -> np.ndarray:
    if store.list().filter(venue=venue, symbol=symbol, timeframe=str(timeframe)).is_empty():
        return np.empty(0, dtype=np.int64)
    return store.load(venue, symbol, timeframe).open_time_ms
