"""`triptych reconcile`: a journal beside its account at the venue, and the repair that a start would make."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from triptych.bootstrap.connecting import connect
from triptych.bootstrap.journals import only_name
from triptych.bootstrap.settling import books_of
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.venues import Venue, hosts_of
from triptych.domain import OrderFilled, SystemClock
from triptych.exchanges.bybit.credentials import Credentials, read_credentials
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.gateway import AbstractGateway
from triptych.live.audit import Auditor, Difference
from triptych.live.belonging import require_account
from triptych.live.books import Books
from triptych.live.journal import AccountNamed, Journal, NoteWritten
from triptych.live.monitoring import Metrics
from triptych.live.reconciliation import Config, Reconciler
from triptych.live.sender import Sender
from triptych.settings.live import LiveSettings

DAY_MS = 86_400_000
OVERLAP_MS = 600_000


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
        symbols: only these; empty: all of the journal.
        days: how far back fills are compared, at most to the beginning of the journal.
        repair: bring the journal up to date, withdraw orders of ours that nobody decided on, set lost stops again.
            Takes the journal's lease, so it is refused while a process trades.
        adopt: with `repair`, take over a position that our fills do not explain.
        settings: of live trading: addresses, and patience with the venue.
        hosts: addresses, instead of the venue's own.
        credentials: the key; None reads the environment.
        tell: told what is done.

    Raises JournalError for a journal without a decision or of another account, LeaseError while a process trades,
    ExchangeError when the venue cannot be asked, DataError for symbols that are not in the journal.
    """
    name = only_name(journal, name)
    key = credentials or read_credentials()

    async def run() -> Reconciled:
        said = settings or LiveSettings()
        where = hosts or hosts_of(said, venue)
        async with connect(where, said, journal, tell) as connection:
            gateway = connection.gateway(key)
            _require_account(journal, name, AccountNamed(world=where.world, account=await gateway.account()))
            found = await _compared(journal, name, symbols, days, gateway)
            done: tuple[str, ...] = ()
            left = found
            if repair:
                done = await _repaired(journal, name, found[0], gateway, adopt=adopt, tell=tell)
                left = await _compared(journal, name, symbols, days, gateway)
            return Reconciled(name=name, symbols=found[0], differences=found[1], done=done, left=left[1])

    return asyncio.run(run())


def _require_account(journal: str | Path, name: str, here: AccountNamed) -> None:
    reader = Journal.read(journal, name)
    try:
        require_account(reader, here)
    finally:
        reader.close()


async def _compared(
    journal: str | Path, name: str, symbols: Sequence[str], days: float, gateway: AbstractGateway
) -> tuple[tuple[str, ...], tuple[Difference, ...]]:
    reader = Journal.read(journal, name)
    try:
        books, traded = books_of(reader, name, symbols)
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
    journal: str | Path, name: str, symbols: Sequence[str], gateway: AbstractGateway, *, adopt: bool, tell: Tell
) -> tuple[str, ...]:
    """What every start does, without a model: settle each instrument, then set stops that were changed."""
    clock, done = SystemClock(), list[str]()
    writer = Journal.open(journal, name, owner="triptych reconcile", clock=clock)
    assert writer.lease is not None
    writer.lease.acquire()

    def note(severity: str, topic: str, text: str, symbol: str) -> None:
        done.append(f"{symbol}: {text}" if symbol else text)
        tell(done[-1])

    try:
        books, _ = books_of(writer, name, symbols)
        metrics = Metrics()
        sender = Sender(gateway=gateway, books=books, clock=clock, metrics=metrics, note=note)
        reconciler = Reconciler(
            config=Config(foreign="adopt" if adopt else "freeze"), strategy=name, gateway=gateway, books=books,
            sender=sender, clock=clock, metrics=metrics, started_ms=clock.now_ms(), note=note,
        )  # fmt: skip
        for symbol in symbols:
            settled = (await reconciler.settle([symbol]))[symbol]
            note("info", "reconcile", "settled" if settled.is_settled else f"not settled: {settled.reason}", symbol)
            if settled.is_settled:
                await _set_stops(books, gateway, symbol, note)
        books.write(NoteWritten(topic="reconcile", text="; ".join(done)))
    finally:
        writer.lease.release()
        writer.close()
    return tuple(done)


async def _set_stops(books: Books, gateway: AbstractGateway, symbol: str, note: Any) -> None:
    """Stop and target as the journal says, where the venue's are others."""
    wanted = books.stops.get(symbol, (None, None))
    report = (await gateway.positions([symbol]))[symbol]
    is_moving = any(one.symbol == symbol for one in books.under_way)
    if is_moving or not report.quantity or wanted in ((None, None), (report.stop_loss, report.take_profit)):
        return
    answer = await gateway.protect(symbol, stop_loss=wanted[0], take_profit=wanted[1])
    note("warning", "stop", f"stop {wanted[0]} and target {wanted[1]}: {answer.outcome} {answer.text}".strip(), symbol)
