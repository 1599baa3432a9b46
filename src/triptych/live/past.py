"""The past that a start needs: candles enough to look back on, and every close that was missed since the last one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from triptych.domain import Candle, Timeframe
from triptych.exchanges.gateway import AbstractCandleSource
from triptych.inference.closing_times import LONGEST_HOLIDAY_MS, SHORTEST_PAUSE_MS

MOST_MISSED = 10_000
"""Missed closes that are gone through at a start; of a longer gap the newest."""
WEEK_MS = 7 * 86_400_000
MOST_DOUBLINGS = 4
"""How often it is asked for as much time again where too few candles came: markets may be closed four hours in five."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedPast:
    """What closed before a start.

    Attributes:
        known: candles by close that only have to be looked back on, oldest first.
        missed: candles by close that nobody has looked at, oldest first.
        newest: the newest candle of each instrument that has any.
        lacking: by instrument, missed closes whose candles are not at hand, UTC ms.
    """

    known: Sequence[Sequence[Candle]]
    missed: Sequence[Sequence[Candle]]
    newest: dict[str, Candle]
    lacking: dict[str, range]


async def fetch_past(
    source: AbstractCandleSource,
    symbols: Sequence[str],
    timeframe: Timeframe,
    *,
    memory: int,
    needed: int | None = None,
    since_ms: int,
    now_ms: int,
) -> FetchedPast:
    """Ask for the last `memory` candles of each instrument before `since_ms`, and for all since.

    The last `needed` of them, and those of a week, are asked for first: where no market was closed meanwhile, there are
    no nights to be told by the others, and they are left.

    Args:
        source: asked.
        symbols: all instruments that the engine looks at.
        timeframe: of the candles.
        memory: candles that the engine looks back on.
        needed: those of them without which it decides nothing; None: all.
        since_ms: time after which closes may have been missed, UTC; -1: none were.
        now_ms: the present, UTC.

    Where the market was closed for so long that too few candles came, earlier ones are asked for: until there are
    enough, the history begins, or it has been asked for `MOST_DOUBLINGS` times.

    Raises ExchangeError when the source cannot be asked.
    """
    step = timeframe.milliseconds
    reach_ms = since_ms if since_ms < 0 else max(since_ms, now_ms - MOST_MISSED * step)
    # And a week: markets close at night and on weekends.
    before_ms = now_ms if reach_ms < 0 else min(reach_ms, now_ms)

    async def reaching(back: _Asked, memory: int) -> _Asked:
        return await back.reaching_back(source, before_ms - memory * step - WEEK_MS, before_ms, memory)

    asked = [_Asked(symbol=symbol, start_ms=now_ms, end_ms=now_ms) for symbol in symbols]
    first = memory if needed is None else min(needed, memory)
    asked = await asyncio.gather(*(reaching(one, first) for one in asked))
    if first < memory and any(one.has_closed(before_ms, step) for one in asked):
        asked = await asyncio.gather(*(reaching(one, memory) for one in asked))
    told = [one.candles for one in asked]
    known: dict[int, list[Candle]] = {}
    missed: dict[int, list[Candle]] = {}
    newest: dict[str, Candle] = {}
    lacking: dict[str, range] = {}
    for symbol, candles in zip(symbols, told, strict=True):
        if not candles:
            continue
        newest[symbol] = candles[-1]
        new = [one for one in candles if 0 <= reach_ms < one.close_time_ms]
        old = candles[: len(candles) - len(new)][-memory:]
        for by_close, ones in ((known, old), (missed, new)):
            for one in ones:
                by_close.setdefault(one.close_time_ms, []).append(one)
        # Where history begins before the gap, what it does not hold was never traded.
        if new and (reach_ms > since_ms or not old):
            first_ms = new[0].close_time_ms
            lacking[symbol] = range(first_ms - (first_ms - since_ms - 1) // step * step, first_ms, step)
    return FetchedPast(
        known=[known[close_ms] for close_ms in sorted(known)], missed=[missed[close_ms] for close_ms in sorted(missed)],
        newest=newest, lacking={symbol: closes for symbol, closes in lacking.items() if closes},
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a source has told of an instrument: its candles from `start_ms` on up to `end_ms`, UTC ms."""

    symbol: str
    start_ms: int
    end_ms: int
    candles: Sequence[Candle] = ()

    async def reaching_back(self, source: AbstractCandleSource, start_ms: int, before_ms: int, memory: int) -> _Asked:
        """The same from `start_ms` on, or from as far back as `memory` candles had closed by `before_ms`."""
        candles, reached_ms = list(self.candles), self.start_ms
        for further_ms in (before_ms - (before_ms - start_ms) * 2**doubled for doubled in range(1 + MOST_DOUBLINGS)):
            if sum(one.close_time_ms <= before_ms for one in candles) >= memory:
                break
            begin_ms = max(further_ms, 0)
            if begin_ms >= reached_ms:
                continue
            earlier = await source.history(self.symbol, begin_ms, reached_ms)
            # Nothing in longer than any holiday: the history begins later.
            is_over = not earlier and reached_ms - begin_ms > LONGEST_HOLIDAY_MS and reached_ms < self.end_ms
            candles, reached_ms = [*earlier, *candles], begin_ms
            if is_over:
                break
        return _Asked(symbol=self.symbol, start_ms=reached_ms, end_ms=self.end_ms, candles=candles)

    def has_closed(self, before_ms: int, step_ms: int) -> bool:
        """Whether the market was closed for as long as a pause or a night, or has not opened again."""
        ends = [self.start_ms, *(one.close_time_ms for one in self.candles)]
        begins = [*(one.open_time_ms for one in self.candles), before_ms]
        missing = [begin - end for end, begin in zip(ends, begins, strict=True)]
        # The time that was asked for begins and ends within a candle.
        missing[0] -= step_ms
        missing[-1] -= step_ms
        return any(one >= SHORTEST_PAUSE_MS for one in missing)
