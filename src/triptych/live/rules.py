"""What the venue says of its instruments and of the account, asked again while a house runs.

Tick sizes change, contracts are delisted, somebody switches the account to hedge mode. New rules count from the next
order on. An instrument that is not traded, or comes to its end, is closed only until it is traded again; shortly before
its end what is held of it is closed at market, for after that the venue settles it at a price of its own. Nothing waits
for these questions: they are asked beside the decisions, once in a while and at once after an order was refused in a
way that speaks for it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from pydantic import Field

from triptych import domain
from triptych.domain import AbstractClock, Instrument, Listing, utc
from triptych.domain.errors import ExchangeError, RateLimited
from triptych.exchanges.gateway import AbstractGateway
from triptych.live.books import Books
from triptych.live.journal import NoteWritten
from triptych.live.monitoring import Metrics

TRADING: Final = "Trading"
PACE_S: Final = 0.2
"""Between two questions about the position mode, one for each instrument: reconciliations come first."""
HOUR_MS: Final = 3_600_000


class Config(domain.Config):
    """How often rules, status and position mode are asked for, and what the announced end of a contract means."""

    every_minutes: float = Field(default=60.0, gt=0, description="Minutes between two looks while all is as it was.")
    again_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds between two looks while an instrument is not traded, ends before long, or the venue could "
        "not be asked. A refused order is followed by a look at once, but by no two within this time.",
    )
    no_entry_hours: float = Field(
        default=24.0, ge=0, description="Hours before its announced end from which nothing is opened in an instrument."
    )
    leave_hours: float = Field(
        default=1.0,
        ge=0,
        description="Hours before its announced end from which what is held of an instrument is closed at market.",
    )


def untraded(symbol: str, status: str) -> str:
    """Why nothing is opened in an instrument of this status."""
    return f"{symbol} is {status} at the venue and not {TRADING}: nothing is opened"


class Rules:
    """Keeps the house to what the venue says now.

    Attributes:
        closing_only: by symbol, why nothing is opened in an instrument; the last gate looks here.
        leaving: by symbol, why what is held of it must be closed now.
        hedged: instruments in which the account holds long and short apart.
    """

    def __init__(
        self,
        *,
        symbols: Sequence[str],
        gateway: AbstractGateway,
        books: Books,
        clock: AbstractClock,
        metrics: Metrics,
        config: Config,
        note: Callable[[str, str, str, str], None],
        closing_only: Mapping[str, str] | None = None,
    ) -> None:
        """Join the parts.

        Args:
            symbols: what is traded.
            gateway: is asked.
            books: whose engine plans orders by the rules.
            clock: ours.
            metrics, config: the parts.
            note: told in words what a person should know: severity, topic, text, symbol.
            closing_only: what a start has found, and told already.
        """
        self.closing_only = dict(closing_only or {})
        self.leaving: dict[str, str] = {}
        self.hedged: frozenset[str] = frozenset()
        self._symbols, self._gateway, self._books, self._clock = tuple(symbols), gateway, books, clock
        self._metrics, self._config, self._note = metrics, config, note
        self._coins: dict[str, str] = {}
        self._doubted, self._has_failed = asyncio.Event(), False
        self._show()

    def doubt(self) -> None:
        """An order was refused in a way that may mean that rules, status or mode are not what they were."""
        self._doubted.set()

    def reasons(self) -> dict[str, str]:
        """Why nothing can be opened at all, by instrument; empty while one of them may be."""
        return dict(self.closing_only) if len(self.closing_only) == len(self._symbols) else {}

    async def keep(self) -> None:
        """Look again and again, for ever."""
        hastened_s = float("-inf")
        while await self.look():
            is_calm = not self.closing_only and not self._has_failed
            wait_s = 60 * self._config.every_minutes if is_calm else self._config.again_seconds
            try:
                await asyncio.wait_for(self._doubted.wait(), wait_s)
            except TimeoutError:
                continue
            await asyncio.sleep(max(0.0, hastened_s + self._config.again_seconds - time.monotonic()))
            hastened_s = time.monotonic()
            self._doubted.clear()
        await asyncio.Event().wait()

    async def look(self) -> bool:
        """Ask once. Returns whether there is anything to ask for. Never raises for what the venue does."""
        try:
            listed = await self._gateway.listings(self._symbols)
            if listed is None:
                return False
            self._take(listed, self.hedged)
            self._take(listed, await self._ask_for_modes())
        except ExchangeError as error:
            if not self._has_failed:
                self._tell("warning", "rules", f"rules and position mode cannot be asked for: {error.message}", "")
            self._has_failed = True
            if isinstance(error, RateLimited):
                await asyncio.sleep(error.retry_after_ms / 1000)
            return True
        self._has_failed = False
        return True

    async def _ask_for_modes(self) -> frozenset[str]:
        found: set[str] = set()
        for number, symbol in enumerate(self._symbols):
            if number:
                await asyncio.sleep(PACE_S)
            found.update(await self._gateway.hedged([symbol]))
        return frozenset(found)

    def _take(self, listed: Mapping[str, Listing], hedged: frozenset[str]) -> None:
        """Become what the venue says, without an await: a decision sees all of it or nothing."""
        self.hedged = hedged
        for symbol in self._symbols:
            one = listed.get(symbol)
            if one is not None:
                self._revise(one.instrument)
                self._coins.setdefault(symbol, one.settle)
            self._close_only(symbol, self._closed(symbol, one), one)
        self._show()

    def _revise(self, instrument: Instrument) -> None:
        engine = self._books.engine
        before = engine.instrument(instrument.symbol)
        if before == instrument:
            return
        engine.revise(instrument)
        said = ", ".join(
            f"{name.replace('_', ' ')} {_said(getattr(before, name))}, now {_said(getattr(instrument, name))}"
            for name in (one.name for one in dataclasses.fields(Instrument))
            if getattr(before, name) != getattr(instrument, name)
        )
        says = f"the venue's rules have changed, from the next order on: {said}"
        held = engine.portfolio.position(before.symbol).quantity
        if is_odd := bool(held % instrument.quantity_step):
            says += f"; {held.normalize():f} is held, no multiple of that: the venue may take no close of all of it"
        self._tell("critical" if is_odd else "warning", "rules", says, before.symbol)

    def _closed(self, symbol: str, one: Listing | None) -> str:
        """Why nothing is opened in an instrument; empty where it may be."""
        if symbol in self.hedged:
            return (
                f"{symbol}: the account holds long and short apart (hedge mode), and every order would be refused, "
                "also one that closes: switch it to one-way positions"
            )
        if one is None:
            return f"{symbol} is not listed at the venue any more: nothing is opened"
        if one.status != TRADING:
            return untraded(symbol, one.status)
        if one.settle != self._coins[symbol]:
            return f"{symbol} is settled in {one.settle} now and not in {self._coins[symbol]}: nothing is opened"
        if self._ends_within(one, self._config.no_entry_hours):
            assert one.delivery_ms is not None
            return f"{symbol} ends on {utc(one.delivery_ms)} UTC: nothing is opened"
        return ""

    def _ends_within(self, one: Listing, hours: float) -> bool:
        return one.delivery_ms is not None and one.delivery_ms - self._clock.now_ms() <= hours * HOUR_MS

    def _close_only(self, symbol: str, reason: str, one: Listing | None) -> None:
        before = self.closing_only.pop(symbol, "")
        self.leaving.pop(symbol, None)
        if reason:
            self.closing_only[symbol] = reason
        is_alive = one is not None and one.status == TRADING and symbol not in self.hedged
        if is_alive and one is not None and self._ends_within(one, self._config.leave_hours):
            self.leaving[symbol] = f"{reason}, and what is held is closed"
        if reason == before:
            return
        held = self._books.engine.portfolio.position(symbol).quantity
        if not reason:
            self._tell("info", "instrument", f"{symbol} is traded again", symbol)
            return
        says = reason
        if held:
            says += f"; {held.normalize():f} is held, "
            says += "and its exits go on" if is_alive else "and the venue may take no close of it: look there"
        self._tell("critical" if held or symbol in self.hedged else "warning", "instrument", says, symbol)

    def _show(self) -> None:
        for symbol in self._symbols:
            self._metrics.instrument_ready.labels(symbol=symbol).set(symbol not in self.closing_only)

    def _tell(self, severity: str, topic: str, text: str, symbol: str) -> None:
        self._books.write(NoteWritten(topic=topic, text=text, symbol=symbol))
        self._note(severity, topic, text, symbol)


def _said(value: Decimal | str | None) -> str:
    """A rule as people read it."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return "none" if value is None else value
