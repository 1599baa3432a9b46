"""`triptych data fetch`: candles and funding rates from a venue into the store, resumed where they were left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import Candle, CandleSeries, Instrument, Listing, SystemClock, Timeframe
from triptych.domain.errors import DataError, NotEnoughData
from triptych.exchanges.bybit import hosts
from triptych.exchanges.bybit.limits import Config as LimitConfig
from triptych.exchanges.bybit.limits import Limiter
from triptych.exchanges.bybit.market_client import CANDLES_A_PAGE, MarketClient
from triptych.exchanges.bybit.rest import RestClient
from triptych.exchanges.bybit.transport import AbstractTransport, HttpTransport
from triptych.exchanges.bybit.venue_clock import VenueClock
from triptych.exchanges.bybit.words import INTERVALS, VENUE, Category
from triptych.exchanges.timing import AbstractTimer, SystemTimer
from triptych.market import CandleStore, MergeReport
from triptych.market.funding import merge_funding, read_funding
from triptych.market.store import Moment, to_ms

PAGES_A_MERGE: Final = 10
"""Pages between two merges into the store: what a kill can cost."""
DAY_MS: Final = 86_400_000

OnProgress = Callable[[str, int, int], None]
"""Called with what is fetched ("BTCUSDT 1m"), what is done and what there is to do in all (candles, or days)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What became of one history: `first` and `last` are open times (UTC ms) now stored in the span asked for."""

    symbol: str
    what: str
    fetched: int
    new: int
    already: int
    first_ms: int | None
    last_ms: int | None


def fetch_candles(
    symbols: Sequence[str],
    timeframes: Sequence[str],
    *,
    store: Path,
    start: Moment,
    end: Moment | None = None,
    category: Category = "linear",
    with_funding: bool = False,
    where: hosts.Config | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
    transport: AbstractTransport | None = None,
    timer: AbstractTimer | None = None,
) -> list[Fetched]:
    """Bring the closed candles from `start` up to `end` (None: now) into the store, and funding rates on demand.

    Only what the store lacks is asked for, so the same call again, also after a kill, goes on where it stopped and a
    complete history costs no request. `symbols` are the venue's own, such as BTCUSDT.

    Raises DataError for an unknown symbol or timeframe and a span that is empty, ExchangeError when the venue refuses
    or cannot be reached, StorageError when the disk refuses.
    """
    lengths = [Timeframe.parse(text) for text in timeframes]
    unknown = [str(one) for one in lengths if one not in INTERVALS]
    if unknown:
        raise DataError(
            f"Bybit has no candles of {', '.join(unknown)}.",
            remedy=f"Choose from {', '.join(str(one) for one in INTERVALS)}; others can be made of them by resampling.",
        )
    start_ms, now_ms = to_ms(start), SystemClock().now_ms()
    end_ms = now_ms if end is None else to_ms(end)
    if start_ms >= end_ms:
        raise DataError("The span to fetch is empty: it ends before it begins.", remedy="Set --start before --end.")

    async def run() -> list[Fetched]:
        timing = timer or SystemTimer()
        async with transport or HttpTransport() as wire:
            clock = VenueClock(SystemClock())
            rest = RestClient(
                (where or hosts.Config(environment="mainnet")).rest_url,
                transport=wire, timer=timing, clock=clock, limiter=Limiter(LimitConfig(), timing),
            )  # fmt: skip
            job = _Job(MarketClient(rest, category), CandleStore(store), start_ms, on_progress)
            await job.market.time_ms()
            job.end_ms = min(end_ms, clock.now_ms())
            found = []
            for symbol in symbols:
                listing = await job.market.listing(symbol)
                found += [await job.candles(listing, length) for length in lengths]
                if with_funding and listing.funding_interval_minutes:
                    found.append(await job.funding(listing))
            return found

    return asyncio.run(run())


def fetch_listings(
    category: Category, *, where: hosts.Config | None = None, transport: AbstractTransport | None = None
) -> list[Listing]:
    """All instruments of a category with their rules. Raises ExchangeError."""

    async def run() -> list[Listing]:
        timer = SystemTimer()
        async with transport or HttpTransport() as wire:
            rest = RestClient(
                (where or hosts.Config(environment="mainnet")).rest_url,
                transport=wire, timer=timer, clock=VenueClock(SystemClock()), limiter=Limiter(LimitConfig(), timer),
            )  # fmt: skip
            return await MarketClient(rest, category).listings()

    return asyncio.run(run())


class _Job:
    """One span of time, fetched history by history."""

    def __init__(self, market: MarketClient, store: CandleStore, start_ms: int, on_progress: OnProgress) -> None:
        self.market = market
        self.end_ms = 0
        self._store = store
        self._start_ms = start_ms
        self._on_progress = on_progress

    async def candles(self, listing: Listing, timeframe: Timeframe) -> Fetched:
        """Fetch what the store lacks, page by page, merging as it comes."""
        symbol, step = listing.instrument.symbol, timeframe.milliseconds
        first = timeframe.floor(max(self._start_ms, listing.launch_ms or 0) + step - 1)
        last = timeframe.floor(self.end_ms)  # the candle that opens here has not closed
        wanted = np.arange(first, max(first, last), step, dtype=np.int64)
        missing = np.setdiff1d(wanted, self._stored(symbol, timeframe), assume_unique=True)
        what, done, fetched, merged = f"{symbol} {timeframe}", len(wanted) - len(missing), 0, MergeReport()
        self._on_progress(what, done, len(wanted))
        waiting: list[Candle] = []
        pages = list(_pages(missing, step))
        for number, (start_ms, end_ms, count) in enumerate(pages, start=1):
            async for _, page in self.market.candle_history(symbol, timeframe, start_ms=start_ms, end_ms=end_ms):
                waiting += page
                fetched += len(page)
            if waiting and (number % PAGES_A_MERGE == 0 or number == len(pages)):
                report = self._store.merge(series_of(waiting, listing.instrument, timeframe))
                merged = MergeReport(new=merged.new + report.new, same=merged.same + report.same)
                waiting = []
            done += count
            self._on_progress(what, done, len(wanted))
        there = self._stored(symbol, timeframe)
        return Fetched(
            symbol=symbol, what=str(timeframe), fetched=fetched, new=merged.new, already=len(wanted) - len(missing),
            first_ms=int(there[0]) if len(there) else None, last_ms=int(there[-1]) if len(there) else None,
        )  # fmt: skip

    async def funding(self, listing: Listing) -> Fetched:
        """Fetch the funding rates newer than the stored ones, and older ones where the span begins before them."""
        symbol, root = listing.instrument.symbol, self._store.root
        times = read_funding(root, VENUE, symbol)["timestamp"].cast(int).to_list()
        interval_ms = (listing.funding_interval_minutes or 0) * 60_000
        start_ms = max(self._start_ms, listing.launch_ms or 0)
        spans = [(start_ms, self.end_ms)]
        if times:
            spans = [(start_ms, times[0]), (times[-1] + 1, self.end_ms)]
        new = fetched = 0
        total = max(1, sum(max(0, end - start) for start, end in spans) // DAY_MS)
        self._on_progress(f"{symbol} funding", 0, total)
        # A span shorter than an interval before the first stored rate cannot hold another one.
        for start, end in (span for span in spans if span[1] - span[0] >= min(interval_ms, 3_600_000)):
            found = []
            async for from_ms, page in self.market.funding_history(symbol, start_ms=start, end_ms=end):
                found += page
                self._on_progress(f"{symbol} funding", min(total, (end - from_ms) // DAY_MS), total)
            # Written once a span is whole: pages come from the newest back, and a hole in the middle would be kept.
            fetched += len(found)
            new += merge_funding(root, VENUE, symbol, found)
        self._on_progress(f"{symbol} funding", total, total)
        after = read_funding(root, VENUE, symbol)["timestamp"].cast(int).to_list()
        return Fetched(
            symbol=symbol, what="funding", fetched=fetched, new=new, already=len(times),
            first_ms=after[0] if after else None, last_ms=after[-1] if after else None,
        )  # fmt: skip

    def _stored(self, symbol: str, timeframe: Timeframe) -> NDArray[np.int64]:
        known = self._store.list().filter(venue=VENUE, symbol=symbol, timeframe=str(timeframe))
        if known.is_empty():
            return np.empty(0, dtype=np.int64)
        try:
            return self._store.load(VENUE, symbol, timeframe, self._start_ms, self.end_ms).open_time_ms
        except NotEnoughData:
            return np.empty(0, dtype=np.int64)


def _pages(missing: NDArray[np.int64], step: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and number of missing candles of each page: what is missing, cut into spans of a page at most."""
    at = 0
    while at < len(missing):
        start = int(missing[at])
        stop = int(np.searchsorted(missing, start + step * CANDLES_A_PAGE))
        yield start, int(missing[stop - 1]) + step, stop - at
        at = stop


def series_of(candles: Sequence[Candle], instrument: Instrument, timeframe: Timeframe) -> CandleSeries:
    """Candles of one instrument, in time order, as a series."""
    return CandleSeries(
        instrument=instrument,
        timeframe=timeframe,
        open_time_ms=np.array([one.open_time_ms for one in candles], dtype=np.int64),
        values=np.array([(one.open, one.high, one.low, one.close, one.volume) for one in candles], dtype=np.float64),
    )
