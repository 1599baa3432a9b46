"""The runner: keeps a trader fed with candles and messages, and its lease alive, until it is told to stop.

Side by side run: candles of the venue's public stream, messages of its private one, a pulse that reconciles and looks
after silent instruments, questions about changed rules, the lease and the switch beside the journal, which must not
wait for any of them, and whoever asks for the end. When one of them fails the whole runner ends with its error; the
next start recovers from the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

from pydantic import Field

from triptych import domain
from triptych.domain import AbstractClock, Candle, StreamState, Timeframe
from triptych.domain.errors import DataError, ExchangeError, JournalError, LeaseError
from triptych.exchanges.gateway import AbstractCandleSource, AbstractGateway
from triptych.live.journal import Lease
from triptych.live.monitoring import Metrics
from triptych.live.past import fetch_past
from triptych.live.trader import Trader
from triptych.market.feed import Batch, CandleFeed, Gap

PATIENT_S = 30.0
"""Seconds that a reading of a missed close may take at a start: a detector's first is slow, and nothing is urgent."""


class Config(domain.Config):
    """How the runner waits."""

    patience_seconds: float = Field(
        default=5.0,
        ge=0,
        description="Seconds a close is waited for by the instruments that have it already; and as long again until "
        "history has told whether the others traded.",
    )
    pulse_seconds: float = Field(default=1.0, gt=0, description="Seconds between two looks at silent instruments.")
    reconcile_seconds: float = Field(
        default=30.0, gt=0, description="Seconds between two reconciliations when no decision asks for one."
    )
    doubt_seconds: float = Field(
        default=1.0,
        gt=0,
        description="Seconds between two reconciliations while an order is unknown or the private stream is down. "
        "While the venue cannot be asked the pause is doubled each time, up to runner.reconcile_seconds, and lasts as "
        "long as the venue forbids to ask.",
    )
    lease_seconds: float = Field(
        default=15.0, ge=3, description="Seconds after which another process may take over from one that is silent."
    )

    @property
    def lease_ms(self) -> int:
        """What `lease_seconds` is in milliseconds."""
        return int(self.lease_seconds * 1000)


class Runner:
    """Runs one trader.

    Attributes:
        feed: puts candles in order.
        decisions: closes that were decided on since the start.
    """

    def __init__(
        self,
        *,
        trader: Trader,
        candles: AbstractCandleSource,
        gateway: AbstractGateway,
        symbols: Sequence[str],
        timeframe: Timeframe,
        clock: AbstractClock,
        metrics: Metrics,
        config: Config,
        note: Callable[[str, str, str, str], None],
        before: Callable[[Sequence[Candle]], None] | None = None,
        after: Callable[[Batch], Awaitable[None]] | None = None,
    ) -> None:
        """Join the parts.

        Args:
            trader, candles, gateway, clock, metrics, config: the parts.
            symbols: of all candles that the engine looks at, traded or not.
            timeframe: of the candles.
            note: told in words what a person should know: severity, topic, text, symbol.
            before: called with each batch before the trader sees it: a paper venue trades on the same candles.
            after: awaited behind each decision, such as to tell a dashboard.
        """
        self.feed = CandleFeed(symbols, timeframe, patience_ms=int(config.patience_seconds * 1000))
        self.decisions = 0
        self._trader, self._candles, self._gateway = trader, candles, gateway
        self._symbols, self._timeframe = tuple(symbols), timeframe
        self._clock, self._metrics, self._config, self._note = clock, metrics, config, note
        self._before, self._after = before, after
        self._heard_ms: dict[str, int] = {}
        self._pumping = asyncio.Lock()

    def data_age_s(self, symbol: str) -> float:
        """Seconds since the newest candle of an instrument closed, beyond the length of a candle."""
        heard = self._heard_ms.get(symbol)
        if heard is None:
            return float("inf")
        return max(0.0, (self._clock.now_ms() - heard - self._timeframe.milliseconds) / 1000)

    def close_age_s(self, symbol: str) -> float:
        """Seconds since the newest candle of an instrument closed, by the market's clock."""
        heard = self._heard_ms.get(symbol)
        return float("inf") if heard is None else max(0.0, (self._clock.now_ms() - heard) / 1000)

    async def start(self, memory: int, needed: int | None = None) -> None:
        """Fetch the last `memory` candles and what closed since the journal's last decision, observe them, show the
        guard what was missed, recover from the journal and reconcile. Of markets that never close the last `needed`
        are enough, where it is said.

        Raises ExchangeError or JournalError when that cannot be done, LeaseError when another process has taken over.
        """
        past = await fetch_past(
            self._candles, self._symbols, self._timeframe, memory=memory, needed=needed,
            since_ms=self._trader.recall(), now_ms=self._clock.now_ms(),
        )  # fmt: skip
        for symbol, newest in past.newest.items():
            self.feed.begin_after(symbol, newest.open_time_ms)
            self._heard_ms[symbol] = newest.close_time_ms
        for candles in past.known:
            await self._trader.observe(candles)
        for symbol, closes in past.lacking.items():
            self._trader.lack(symbol, closes)
        keeping = asyncio.create_task(self._keep_lease(), name="lease")  # a long gap takes its time
        try:
            for candles in past.missed:
                await self._trader.pass_by(candles, deadline_s=PATIENT_S)
                if keeping.done():
                    keeping.result()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        await self._trader.start()

    async def run(self, stop: asyncio.Event) -> None:
        """Trade until `stop` is set or the tape has ended.

        Raises LeaseError when another process has taken over, and whatever else ends a task.
        """
        tasks = [
            asyncio.create_task(self._hear_candles(), name="candles"),
            asyncio.create_task(self._hear_messages(), name="messages"),
            asyncio.create_task(self._beat(), name="pulse"),
            asyncio.create_task(self._heed_switch(), name="switch"),
            asyncio.create_task(self._keep_lease(), name="lease"),
            asyncio.create_task(self._trader.keep_closing(), name="closing"),
            asyncio.create_task(self._keep_rules(), name="rules"),
            asyncio.create_task(stop.wait(), name="stop"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def _hear_candles(self) -> None:
        async for item in self._candles.stream():
            if isinstance(item, StreamState):
                if not item.is_up:
                    self._note("warning", "stream", f"the candle stream is interrupted: {item.reason}", "")
                continue
            try:
                self.feed.on_candle(item)
            except DataError as error:
                self._note("warning", "stream", error.message, item.symbol)
                continue
            self._heard_ms[item.symbol] = max(self._heard_ms.get(item.symbol, 0), item.close_time_ms)
            self._metrics.candles.labels(symbol=item.symbol, timeframe=str(self._timeframe)).inc()
            await self._pump()
        await self._pump(is_end=True)

    async def _hear_messages(self) -> None:
        async for message in self._gateway.stream():
            await self._trader.on_message(message)

    async def _beat(self) -> None:
        asked_s = time.monotonic()
        while True:
            await asyncio.sleep(self._config.pulse_seconds)
            for symbol in self._symbols:
                age = self._metrics.data_age.labels(symbol=symbol, timeframe=str(self._timeframe))
                age.set(self.data_age_s(symbol))
            self._trader.books.flush()
            if time.monotonic() - asked_s >= self._reconcile_in_s():
                await self._trader.reconcile()
                asked_s = time.monotonic()
            await self._repair(self.feed.silent(self._clock.now_ms()))
            await self._pump()

    async def _heed_switch(self) -> None:
        """By itself: what the pulse waits for must not keep a kill from being heard."""
        while True:
            await asyncio.sleep(self._config.pulse_seconds)
            await self._trader.heed_marker()

    def _reconcile_in_s(self) -> float:
        """Seconds from one reconciliation to the next."""
        config, trader = self._config, self._trader
        if trader.silence.failures:
            return trader.silence.wait_s(first_s=config.doubt_seconds, longest_s=config.reconcile_seconds)
        return config.doubt_seconds if trader.is_in_doubt else config.reconcile_seconds

    async def _keep_lease(self) -> None:
        """A venue that takes long to answer must not cost the lease: nothing else is waited for here."""
        lease = self._trader.books.journal.lease
        while lease is not None:
            await asyncio.sleep(self._config.lease_seconds / 4)
            await self._renew(lease)
        await asyncio.Event().wait()

    async def _keep_rules(self) -> None:
        if self._trader.rules is not None:
            await self._trader.rules.keep()
        await asyncio.Event().wait()

    async def _renew(self, lease: Lease) -> None:
        """A lease that cannot be written just now may still be ours; one that another has taken ends the runner."""
        try:
            await asyncio.to_thread(lease.renew)
        except LeaseError:
            raise
        except JournalError as error:
            self._note("critical", "journal", f"the lease cannot be renewed: {error.message}", "")

    async def _pump(self, *, is_end: bool = False) -> None:
        """Close gaps, then hand on what is due. At the end of a tape nobody is waited for."""
        async with self._pumping:
            now = self._clock.now_ms()
            if self.feed.gaps():
                # What one instrument has lost, others may have lost as well: a close leaves whole, and is read whole.
                await self._repair(self.feed.silent(now))
            while gaps := self.feed.gaps():
                if not await self._repair(gaps):
                    break
            now = self._clock.now_ms()
            for batch in self.feed.due(now + (1 << 40) if is_end else now, self._candles.told_ms):
                await self._hand_on(batch)

    async def _repair(self, gaps: Sequence[Gap]) -> bool:
        """Ask history; returns whether it answered."""
        for gap in gaps:
            try:
                found = await self._candles.history(gap.symbol, gap.start_ms, gap.end_ms)
            except ExchangeError as error:
                self._note("warning", "gap", f"history cannot be asked: {error.message}", gap.symbol)
                return False
            self.feed.fill(gap, found)
            if found:
                self._heard_ms[gap.symbol] = max(self._heard_ms.get(gap.symbol, 0), found[-1].close_time_ms)
            self._metrics.gap_repairs.labels(symbol=gap.symbol, timeframe=str(self._timeframe)).inc(len(found))
        return True

    async def _hand_on(self, batch: Batch) -> None:
        if self._before is not None:
            self._before(batch.candles)
        # Decided on is only the newest close: what closed a candle ago is no price to trade at.
        is_stale = self._clock.now_ms() - batch.close_ms >= self._timeframe.milliseconds
        is_traded = any(one.symbol in self._trader.standings for one in batch.candles)
        if batch.is_late or is_stale or not is_traded:
            await self._trader.pass_by(batch.candles)
        else:
            await self._trader.on_candles(batch.candles)
            self.decisions += 1
        if self._after is not None:
            await self._after(batch)
