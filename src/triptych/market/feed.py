"""The live feed: closed candles in whatever order they come, out in batches of one close, without gaps or repetitions.

Candles of one instrument leave in the order of time. When one is missing, those behind it wait until history has been
asked for it: what history holds is put in, what it does not hold was never traded and is passed over. So after a gap
the candles are exactly those of the venue's history. Candles of all instruments that close at the same time leave
together; an instrument that is silent is waited for until history has told whether it traded, but not for ever.

Pure: who feeds it brings the candles, the answers of history and the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from triptych.domain import Candle, Timeframe, utc
from triptych.domain.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Candles that closed at the same time. `is_late`: their close was left behind already; not to be decided on."""

    close_ms: int
    candles: tuple[Candle, ...]
    is_late: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Candles to ask history for: of one instrument, by open time, from `start_ms` up to and without `end_ms`."""

    symbol: str
    start_ms: int
    end_ms: int


@dataclass(slots=True)
class _Queue:
    """One instrument: the open time that comes next, and candles that wait."""

    next_ms: int | None = None
    has_begun: bool = False
    """Whether a candle has left, or was known from the start: none before the next one is expected."""
    waiting: dict[int, Candle] = field(default_factory=dict)
    answered_ms: int = -1
    """History has been asked for everything that opens before this."""


class CandleFeed:
    """Puts candles of several instruments of one timeframe in order.

    Attributes:
        repetitions: candles that came again after they had left.
        conflicts: those of them that said something else.
        repaired: candles that history had to bring.
    """

    def __init__(self, symbols: Sequence[str], timeframe: Timeframe, *, patience_ms: int = 5_000) -> None:
        """Feed `symbols`; a close is waited for `patience_ms` by those that have it already.

        And for as long again until history has answered about the others: one that has not traded is then told from
        one whose candle is late.
        """
        self.repetitions = self.conflicts = self.repaired = 0
        self._step, self._timeframe, self._patience_ms = timeframe.milliseconds, timeframe, patience_ms
        self._queues = {symbol: _Queue() for symbol in symbols}
        self._last: dict[str, Candle] = {}
        self._left_ms = -1

    def begin_after(self, symbol: str, open_ms: int) -> None:
        """The candle that opened at `open_ms` is known already: the next one is expected."""
        queue = self._queues[symbol]
        queue.next_ms, queue.has_begun = open_ms + self._step, True
        self._left_ms = max(self._left_ms, open_ms + self._step)

    def on_candle(self, candle: Candle) -> None:
        """Take in a closed candle. Raises DataError for another instrument or timeframe, or a time off the grid."""
        queue = self._queues.get(candle.symbol)
        if queue is None or candle.timeframe != self._timeframe or not self._is_on_grid(candle):
            raise DataError(
                f"The feed of {self._timeframe} candles got {candle.symbol} {candle.timeframe} of "
                f"{utc(candle.open_time_ms)} UTC.",
                remedy="Subscribe to the instruments and the timeframe of the recipe only.",
            )
        if queue.next_ms is None or not queue.has_begun:
            queue.next_ms = min((candle.open_time_ms, *queue.waiting))
        if candle.open_time_ms < queue.next_ms:
            self.repetitions += 1
            self.conflicts += self._differs(candle)
            return
        queue.waiting[candle.open_time_ms] = candle

    def _is_on_grid(self, candle: Candle) -> bool:
        return self._timeframe.floor(candle.open_time_ms) == candle.open_time_ms

    def gaps(self) -> list[Gap]:
        """What history must be asked for before the candles that wait can leave."""
        found = []
        for symbol, queue in self._queues.items():
            if queue.next_ms is None or not queue.waiting or queue.next_ms in queue.waiting:
                continue
            start = max(queue.next_ms, queue.answered_ms)
            end = min(queue.waiting)
            if start < end:
                found.append(Gap(symbol=symbol, start_ms=start, end_ms=end))
        return found

    def fill(self, gap: Gap, candles: Iterable[Candle]) -> None:
        """Take in what history answered about a gap; what it did not bring does not exist.

        Raises DataError for candles that were not asked for.
        """
        queue = self._queues[gap.symbol]
        for candle in candles:
            if candle.symbol != gap.symbol or not gap.start_ms <= candle.open_time_ms < gap.end_ms:
                raise DataError(
                    f"History was asked for {gap.symbol} from {utc(gap.start_ms)} to {utc(gap.end_ms)} UTC and brought "
                    f"{candle.symbol} of {utc(candle.open_time_ms)}.",
                    remedy="This is a fault of the source: report it.",
                )
            if queue.next_ms is not None and candle.open_time_ms < queue.next_ms:
                self.repetitions += 1  # the stream was faster than the answer, and the candle has left
                self.conflicts += self._differs(candle)
            elif queue.waiting.setdefault(candle.open_time_ms, candle) is candle:
                self.repaired += 1
        queue.answered_ms = max(queue.answered_ms, gap.end_ms)

    def silent(self, now_ms: int) -> list[Gap]:
        """Instruments whose newest candle should have come long ago: ask history, the stream may have lost it."""
        newest = self._timeframe.floor(now_ms - self._patience_ms)  # what closed after it may still come by itself
        return [
            Gap(symbol=symbol, start_ms=queue.next_ms, end_ms=newest)
            for symbol, queue in self._queues.items()
            if queue.next_ms is not None and not queue.waiting and max(queue.next_ms, queue.answered_ms) < newest
        ]

    @property
    def is_waiting(self) -> bool:
        """Whether there are candles that have not left."""
        return any(queue.waiting for queue in self._queues.values())

    def due(self, now_ms: int, told_ms: int = -1) -> list[Batch]:
        """Batches that may leave at `now_ms`, oldest first; nobody is waited for at closes up to `told_ms`, UTC ms."""
        batches: list[Batch] = []
        while batch := self._next(now_ms, told_ms):
            batches.append(batch)
        return batches

    def _next(self, now_ms: int, told_ms: int) -> Batch | None:
        ready = {symbol: first for symbol, queue in self._queues.items() if (first := self._first(queue)) is not None}
        if not ready:
            return None
        open_ms = min(ready.values())
        close_ms = open_ms + self._step
        # An instrument that has nothing ready may still bring a candle of this close.
        others = [queue for symbol, queue in self._queues.items() if symbol not in ready]
        awaited = [queue for queue in others if queue.next_ms is None or queue.next_ms <= open_ms]
        is_unknown = any(queue.next_ms is not None and queue.answered_ms < close_ms for queue in awaited)
        if awaited and close_ms > told_ms and now_ms < close_ms + self._patience_ms * (1 + is_unknown):
            return None
        leaving = tuple(self._leave(symbol) for symbol, first in ready.items() if first == open_ms)
        is_late = close_ms <= self._left_ms
        self._left_ms = max(self._left_ms, close_ms)
        return Batch(close_ms=close_ms, candles=leaving, is_late=is_late)

    def _first(self, queue: _Queue) -> int | None:
        """Open time of the candle that may leave next: nothing before it is missing."""
        if not queue.waiting or queue.next_ms is None:
            return None
        first = min(queue.waiting)
        return first if first == queue.next_ms or queue.answered_ms >= first else None

    def _leave(self, symbol: str) -> Candle:
        queue = self._queues[symbol]
        candle = queue.waiting.pop(min(queue.waiting))
        queue.next_ms, queue.has_begun = candle.open_time_ms + self._step, True
        self._last[symbol] = candle
        return candle

    def _differs(self, candle: Candle) -> bool:
        last = self._last.get(candle.symbol)
        return last is not None and last.open_time_ms == candle.open_time_ms and last != candle
