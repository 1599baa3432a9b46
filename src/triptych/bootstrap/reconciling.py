"""`triptych reconcile`: a journal beside its account at the venue, and the repair that a start would make.

A repair brings the books up to date, withdraws and protects, as a start does. It never trades: where a stop cannot be
set again a start closes the position at market, by prices of now that only a house on duty hears. A repair says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from triptych.bootstrap.asking import reconciler_of
from triptych.bootstrap.connecting import connect
from triptych.bootstrap.journals import only_name
from triptych.bootstrap.settling import books_of, still_listed
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.venues import Venue, hosts_of, require_consent
from triptych.domain import OrderFilled, SystemClock
from triptych.exchanges.bybit.credentials import Credentials, read_credentials
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.bybit.market_client import MarketClient
from triptych.exchanges.gateway import AbstractGateway
from triptych.live.audit import Auditor, Difference
from triptych.live.belonging import require_account, take_possession
from triptych.live.journal import AccountNamed, Journal, NoteWritten, Switch
from triptych.live.monitoring import Metrics
from triptych.settings.live import LiveSettings

DAY_MS = 86_400_000
OVERLAP_MS = 600_000
UNPROTECTED = (
    "the position is not protected. A repair does not trade: close it at the venue, or start the house, which closes "
    "it at market where its stop cannot be set again"
)


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What was found, what was done about it, and what is left.

    Attributes:
        name: instance of the journal.
        symbols: that were compared.
        differences: before anything was repaired.
        done: the repairs, in words; empty when none was asked for.
        left: differences after the repair; `differences` when none was asked for.
    """

    name: str
    symbols: tuple[str, ...]
    differences: tuple[Difference, ...]
    done: tuple[str, ...]
    left: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name, "symbols": list(self.symbols), "agrees": not self.left, "done": list(self.done),
            "differences": [asdict(one) for one in self.differences], "left": [asdict(one) for one in self.left],
        }  # fmt: skip


def reconcile(
    journal: str | Path,
    *,
    venue: Venue,
    name: str | None = None,
    symbols: Sequence[str] = (),
    days: float = 7.0,
    repair: bool = False,
    adopt: bool = False,
    real_money: bool = False,
    settings: LiveSettings | None = None,
    hosts: HostConfig | None = None,
    credentials: Credentials | None = None,
    tell: Tell = silent,
) -> Reconciled:
    """Compare journal and venue in every instrument that the journal trades.

    Args:
        journal: path or URL.
        venue: where the account is.
        name: instance; None where the journal holds only one.
        symbols: only these; empty: all of the journal. One that the venue lists no more and in which the journal holds
            nothing is left out.
        days: how far back fills are compared, at most to the beginning of the journal.
        repair: bring the journal up to date, withdraw orders of ours that nobody decided on, set lost stops again.
            Takes the journal's lease, so it is refused while a process trades, and gives way to another session of the
            account as a start does.
        adopt: with `repair`, take over a position that our fills do not explain, whatever the settings say.
        real_money: with `repair`, must be said where an address is neither this machine nor a known testnet or demo.
        settings: of live trading: addresses, patience with the venue, and what a start does about differences.
        hosts: addresses, instead of the venue's own.
        credentials: the key; None reads the environment.
        tell: told what is done.

    Raises JournalError for a journal without a decision or of another account, LeaseError while a process trades,
    RecipeError for a repair of real money without limits and consent, ExchangeError when the venue cannot be asked,
    DataError for symbols that are not in the journal.
    """
    said = settings or LiveSettings()
    where = hosts or hosts_of(said, venue)
    if repair:
        require_consent(where, said, real_money=real_money)
    name = only_name(journal, name)
    key = credentials or read_credentials()

    async def run() -> Reconciled:
        async with connect(where, said, journal, tell) as connection:
            gateway = connection.gateway(key)
            here = AccountNamed(world=where.world, account=await gateway.account())
            _require_account(journal, name, here)
            found = await _compared(journal, name, symbols, days, gateway, connection.market, tell)
            done: tuple[str, ...] = ()
            left = found
            if repair:
                done = (
                    ()
                    if not found[0]
                    else await _repaired(journal, name, found[0], gateway, here, said, adopt=adopt, tell=tell)
                )
                left = await _compared(journal, name, found[0], days, gateway, connection.market, tell)
            return Reconciled(name=name, symbols=found[0], differences=found[1], done=done, left=left[1])

    return asyncio.run(run())


def _require_account(journal: str | Path, name: str, here: AccountNamed) -> None:
    reader = Journal.read(journal, name)
    try:
        require_account(reader, here)
    finally:
        reader.close()


async def _compared(
    journal: str | Path,
    name: str,
    symbols: Sequence[str],
    days: float,
    gateway: AbstractGateway,
    market: MarketClient,
    tell: Tell,
) -> tuple[tuple[str, ...], tuple[Difference, ...]]:
    reader = Journal.read(journal, name)
    try:
        books, wanted = books_of(reader, name, symbols)
        traded = await still_listed(books, wanted, market, tell)
        begun_ms = next(reader.entries(limit=1)).time_ms - OVERLAP_MS
        horizon_ms = int(SystemClock().now_ms() - days * DAY_MS)
        fills = [
            entry.record
            for entry in reader.entries(kinds=(OrderFilled,))
            if isinstance(entry.record, OrderFilled) and (horizon_ms <= begun_ms or entry.record.time_ms >= horizon_ms)
        ]
        auditor = Auditor(books=books, gateway=gateway, strategy=name, fills=fills, since_ms=max(begun_ms, horizon_ms))
        return traded, tuple([one for symbol in traded for one in await auditor.look(symbol)])
    finally:
        reader.close()


async def _repaired(
    journal: str | Path,
    name: str,
    symbols: Sequence[str],
    gateway: AbstractGateway,
    here: AccountNamed,
    settings: LiveSettings,
    *,
    adopt: bool,
    tell: Tell,
) -> tuple[str, ...]:
    """What every start does without a model and without trading: settle each instrument."""
    clock, done = SystemClock(), list[str]()
    writer = Journal.open(journal, name, owner="triptych reconcile", clock=clock, lease_ms=settings.runner.lease_ms)
    assert writer.lease is not None

    def note(_severity: str, _topic: str, text: str, symbol: str = "") -> None:
        done.append(f"{symbol}: {text}" if symbol else text)
        tell(done[-1])

    if adopt:
        policy = settings.reconciliation.model_copy(update={"foreign": "adopt"})
        settings = settings.model_copy(update={"reconciliation": policy})
    try:
        writer.lease.acquire()
        take_possession(writer, here, lambda text: note("warning", "account", text))
        books, _ = books_of(writer, name, symbols)
        reconciler = reconciler_of(
            books, gateway, settings=settings, account=here, clock=clock, metrics=Metrics(), note=note
        )
        switch = books.switch.beside or writer.switch()
        is_killed = switch is not None and switch.switch is Switch.KILLED
        for symbol, settled in (await reconciler.settle(symbols, is_killed=is_killed)).items():
            if reconciler.refused.get(symbol):
                note("critical", "stop", UNPROTECTED, symbol)
            note("info", "reconcile", "settled" if settled.is_settled else f"not settled: {settled.reason}", symbol)
        books.write(NoteWritten(topic="reconcile", text="; ".join(done)))
    finally:
        if writer.lease.token:
            writer.lease.release()
        writer.close()
    return tuple(done)
