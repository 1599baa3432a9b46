"""Reconciled before any model is loaded: a start that goes on with a journal settles with the venue first.

What was filled meanwhile is entered, orders under way are asked for, stops that are gone are set again, all within the
time that the libraries of a journal and of a venue take to load. Models, which take longer, are opened afterwards; the
house that they trade in reconciles once more before its first decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.asking import reconciler_of
from triptych.bootstrap.connecting import connect
from triptych.bootstrap.venues import Venue, hosts_of, require_consent
from triptych.domain import Instrument, SystemClock
from triptych.domain.errors import DataError, JournalError
from triptych.exchanges.bybit.credentials import Credentials, read_credentials
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.bybit.market_client import MarketClient
from triptych.inference.base import AbstractPredictor
from triptych.live.belonging import require_account
from triptych.live.books import Books
from triptych.live.journal import AccountNamed, Journal, StepRecorded
from triptych.live.monitoring import Masker, Metrics
from triptych.live.reconciliation import Settled
from triptych.settings.live import LiveSettings
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import create_strategy
from triptych.trading.engine import Engine

LOOK_S: Final = 0.25
"""Seconds between two looks whether trading was killed meanwhile."""


def settle_first(
    journal: str | Path,
    *,
    venue: Venue,
    settings: LiveSettings,
    real_money: bool = False,
    hosts: HostConfig | None = None,
    credentials: Credentials | None = None,
    tell: Callable[[str], None] = lambda _text: None,
) -> Mapping[str, Settled]:
    """Bring a journal and its account to agree, as far as that can be done at once.

    Args:
        journal: path or URL; one that does not exist, or holds no decision, leaves nothing to settle.
        venue, settings, real_money, hosts, credentials: as for `trade_on_bybit`.
        tell: told what was found.

    Returns:
        How each instrument of the journal stands; empty where there was nothing to settle, and where trading was
        killed, before or meanwhile: then closing comes first.

    Raises LeaseError while another process trades, JournalError for the journal of another account, and otherwise as
    `trade_on_bybit`.
    """
    where = hosts or hosts_of(settings, venue)
    require_consent(where, settings, real_money=real_money)
    if "://" not in str(journal) and not Path(journal).exists():
        return {}
    key = credentials or read_credentials()
    mask = Masker([key.key, key.secret]).text
    return asyncio.run(_settled(journal, where, key, settings, lambda text: tell(mask(text))))


async def _settled(
    journal: str | Path, hosts: HostConfig, key: Credentials, settings: LiveSettings, tell: Callable[[str], None]
) -> Mapping[str, Settled]:
    clock, name = SystemClock(), settings.name
    book = Journal.open(
        journal, name, owner="triptych, before its models are loaded", clock=clock,
        lease_ms=settings.runner.lease_ms,
    )  # fmt: skip
    try:
        if book.last(StepRecorded) is None or book.is_killed():
            return {}
        assert book.lease is not None
        book.lease.acquire()
        settling = asyncio.create_task(_with_books(book, journal, hosts, key, settings, tell))
        try:
            while not (await asyncio.wait([settling], timeout=LOOK_S))[0]:
                if (
                    book.marker is not None and book.marker.kept() is not None
                ):  # closing comes first, and only a session closes
                    tell("The reconciliation was cut short: trading was killed.")
                    return {}
            return settling.result()
        finally:
            settling.cancel()
            await asyncio.wait([settling])
            book.lease.release()
    finally:
        book.close()


async def _with_books(
    book: Journal,
    journal: str | Path,
    hosts: HostConfig,
    key: Credentials,
    settings: LiveSettings,
    tell: Callable[[str], None],
) -> Mapping[str, Settled]:
    def note(_severity: str, _topic: str, text: str, symbol: str) -> None:
        tell(f"{symbol}: {text}" if symbol else text)

    books, symbols = books_of(book, settings.name, ())
    async with connect(hosts, settings, journal, tell) as connection:
        gateway = connection.gateway(key)
        here = AccountNamed(world=hosts.world, account=await gateway.account())
        require_account(book, here)
        reconciler = reconciler_of(
            books, gateway, settings=settings, account=here, clock=SystemClock(), metrics=Metrics(), note=note
        )
        traded = await still_listed(books, symbols, connection.market, tell)
        if not traded:
            return {}
        found = await reconciler.settle(traded)
    positions = books.engine.portfolio.position
    said = [
        f"{positions(symbol).quantity.normalize():f} {symbol}{'' if one.is_settled else f' ({one.reason})'}"
        for symbol, one in found.items()
    ]
    tell(f"Reconciled with the venue: {', '.join(said)}. The models are loaded next.")
    return found


def books_of(journal: Journal, name: str, symbols: Sequence[str]) -> tuple[Books, tuple[str, ...]]:
    """The books as the journal makes them, and the instruments to look at: these, or all of the journal.

    Raises JournalError for a journal without a decision, DataError for instruments that it does not hold.
    """
    last = journal.last(StepRecorded)
    if last is None or not isinstance(last.record, StepRecorded):
        raise JournalError(
            f"{journal.place} holds no decision of {name!r}.",
            remedy="It has never traded: there is nothing to compare.",
        )
    traded = tuple(desk.symbol for desk in last.record.state.desks)
    unknown = [symbol for symbol in symbols if symbol not in traded]
    if unknown:
        raise DataError(f"{name} does not trade {', '.join(unknown)}.", remedy=f"It trades {', '.join(traded)}.")
    engine = Engine(
        name=name, instruments=[Instrument(symbol=symbol) for symbol in traded], predictor=NeverAsked(),
        strategy=create_strategy(StrategyConfig()), initial_capital=Decimal(1),
    )  # fmt: skip
    books = Books(engine, journal, note=lambda text: None)
    books.recover()
    return books, tuple(symbols) or traded


async def still_listed(
    books: Books, symbols: Sequence[str], market: MarketClient, tell: Callable[[str], None]
) -> tuple[str, ...]:
    """Those of some instruments about which the venue can be asked: one that it lists no more, and in which the books
    hold nothing, must keep nobody from the others. `tell` is told of each. Raises ExchangeError.
    """
    under_way = {order.symbol for order in books.under_way}
    positions = books.engine.portfolio.position
    flat = [symbol for symbol in symbols if symbol not in under_way and not positions(symbol).quantity]
    listed = await market.found(flat) if flat else {}
    gone = [symbol for symbol in flat if symbol not in listed]
    for symbol in gone:
        tell(f"{symbol} is not listed at the venue any more, and the journal holds nothing of it: it is left out.")
    return tuple(symbol for symbol in symbols if symbol not in gone)


class NeverAsked(AbstractPredictor):
    """An engine that only keeps books needs no model."""

    name, length = "none", 1

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        raise AssertionError("A reconciliation decides nothing.")
