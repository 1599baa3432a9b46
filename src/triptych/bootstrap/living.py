"""A house is put together: the only place where the parts of a session that trades are picked and joined."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from triptych.bootstrap.asking import reconciler_of
from triptych.bootstrap.figures import require_figures
from triptych.bootstrap.house import House
from triptych.bootstrap.rungs import Rung, rungs_of
from triptych.bootstrap.session_models import Models
from triptych.bootstrap.staking import base_rates_of, with_known_stakes
from triptych.bootstrap.voice import Voice, voice_of
from triptych.domain import AbstractClock, Instrument, SystemClock
from triptych.domain.errors import DataError, JournalError
from triptych.exchanges.gateway import AbstractCandleSource, AbstractGateway
from triptych.inference.base import AbstractPredictor
from triptych.inference.watch import AbstractWatch
from triptych.live.belonging import PAPER, require_account, take_possession
from triptych.live.books import Books
from triptych.live.control import SessionView, Watched
from triptych.live.dispatch import Records
from triptych.live.failover import Ladder
from triptych.live.gate import Gate
from triptych.live.journal import AccountNamed, Journal
from triptych.live.letting_go import let_go
from triptych.live.monitoring import Masker, Metrics
from triptych.live.observing import Observer
from triptych.live.reconciliation import Reconciler
from triptych.live.reloading import Reloader
from triptych.live.rules import Rules
from triptych.live.runner import Runner
from triptych.live.trader import Trader
from triptych.live.watching import Watcher
from triptych.settings.live import LiveSettings
from triptych.strategies import create_strategy
from triptych.trading.engine import Engine


def build_house(
    models: Models,
    *,
    settings: LiveSettings,
    instruments: Sequence[Instrument],
    gateway: AbstractGateway,
    candles: AbstractCandleSource,
    clock: AbstractClock,
    journal: str | Path,
    account: AccountNamed = PAPER,
    market_clock: AbstractClock | None = None,
    before: Callable[..., None] | None = None,
    log: TextIO | None = None,
    masker: Masker | None = None,
    watch: AbstractWatch | None = None,
    metrics: Metrics | None = None,
    closing_only: Mapping[str, str] | None = None,
) -> House:
    """Join the parts. Takes the journal's lease.

    Args:
        models: the one that trades and its stand-ins; strategy, regimes, sizing, execution and risk are the first's.
        settings: of live trading.
        instruments: what is traded, with the venue's rules.
        gateway, candles, clock: the venue.
        journal: path or URL.
        account: that the journal must be of; a new one is of it from now on.
        market_clock: of the candles, where it is not `clock`.
        before: see `Runner`.
        log, masker, metrics: see `voice_of`.
        watch: what the recipe's guard asks; see `open_watch`.
        closing_only: by symbol, why nothing is opened in an instrument as the venue lists it at the start.

    Raises DataError when the journal holds a position in an instrument that is not traded any more, LeaseError while
    another process trades, JournalError for the journal of another account.
    """
    voice = voice_of(settings, clock=clock, log=log, masker=masker, metrics=metrics)
    note, metrics = voice.note, voice.metrics
    book, token = _taken(journal, settings, account, clock, voice)
    timeframe, traded = str(models.timeframe), [one.symbol for one in instruments]
    watched = [Instrument(symbol=symbol) for symbol in models.beside(traded, watch)]
    known = [*traded, *(one.symbol for one in watched)]
    rungs = rungs_of(models.runs, models.artifacts, settings)
    levels = [rung.level for rung in rungs]
    metrics.begin(known, timeframe=timeframe, models=[level.name for level in levels])
    records = Records()
    engine = _engine(models, settings, levels[0].predictor, instruments, watched, watch, token, records)
    books = _books(engine, book, voice)
    reconciler = reconciler_of(
        books, gateway, settings=settings, account=account, clock=clock, metrics=metrics, note=note
    )
    ladder = Ladder(levels, settings.failover, lambda text: note("warning", "fallback", text, ""))
    ages: dict[str, Callable[[str], float]] = {}
    venue_rules = _rules(traded, reconciler, settings, voice, closing_only)
    gate = Gate(settings.gate, venue_rules.closing_only)
    trader = Trader(
        symbols=traded, books=books, records=records, ladder=ladder, gate=gate,
        sender=reconciler.sender, reconciler=reconciler, clock=clock, metrics=metrics,
        data_age_s=lambda s: ages["of"](s), note=note, observer=Observer(metrics, settings.drift, note),
        watcher=None if watch is None else Watcher(watch, deadline_s=settings.model_deadline_seconds, note=note),
        market_clock=market_clock, rules=venue_rules,
    )  # fmt: skip
    watched_candles = Watched(candles)
    runner = Runner(
        trader=trader, candles=watched_candles, gateway=gateway, symbols=known, timeframe=models.timeframe,
        clock=market_clock or clock, metrics=metrics, config=settings.runner, note=note, before=before,
    )  # fmt: skip
    ages["of"] = runner.close_age_s
    view = SessionView(
        name=settings.name, venue=gateway.venue, timeframe=timeframe, symbols=traded,
        models=[(rung.level.name, rung.folder) for rung in rungs],
        trader=trader, ladder=ladder, metrics=metrics, reports=reconciler.reports, gate=settings.gate,
        data_age_s=runner.data_age_s, market_clock=market_clock or clock, clock=clock, journal=book.place,
        world=account.world,
    )  # fmt: skip
    return House(
        runner=runner, trader=trader, gate=gate, engine=engine, ladder=ladder, journal=book, metrics=metrics,
        alerts=voice.alerts, note=note, view=view, candles=watched_candles, journal_at=journal, settings=settings,
        reloaders=_reloaders(rungs, trader, models, known, voice),
    )  # fmt: skip


def _taken(
    journal: str | Path, settings: LiveSettings, account: AccountNamed, clock: AbstractClock, voice: Voice
) -> tuple[Journal, int]:
    """The journal, which is of this account, with its lease, and the lease's token.

    Raises LeaseError while another process trades, JournalError for the journal of another account.
    """
    book = Journal.open(
        journal, settings.name, owner=f"triptych on {socket.gethostname()}", clock=clock,
        lease_ms=settings.runner.lease_ms, lease_clock=SystemClock(),
        first_token=1 if account.world == "paper" else 1 + secrets.randbelow(1_000_000),
    )  # fmt: skip
    assert book.lease is not None
    try:
        require_account(book, account)
        token = book.lease.acquire()
        take_possession(book, account, lambda text: voice.note("warning", "account", text, ""))
    except JournalError:
        book.close()
        raise
    return book, token


def _engine(
    models: Models,
    settings: LiveSettings,
    predictor: AbstractPredictor,
    instruments: Sequence[Instrument],
    watched: Sequence[Instrument],
    watch: AbstractWatch | None,
    token: int,
    records: Records,
) -> Engine:
    """The engine that decides by the first model's recipe, under the lease of `token`."""
    recipe = with_known_stakes(models.recipe, base_rates_of(models.first))
    require_figures(recipe, predictor)
    return Engine(
        name=settings.name, instruments=instruments, predictor=predictor,
        strategy=create_strategy(recipe.strategy, recipe.consensus if recipe.members else None, recipe.regimes),
        initial_capital=Decimal(repr(settings.capital)),
        sizing=recipe.sizing, execution=recipe.execution, risk=recipe.risk, observer=records.append,
        companions=watched, token=token, guard=recipe.guard, watch=watch,
    )  # fmt: skip


def _books(engine: Engine, journal: Journal, voice: Voice) -> Books:
    """Engine and journal as one. Raises DataError, and gives the lease back, where the journal holds something that is
    not traded any more.
    """
    books = Books(engine, journal, note=lambda text: voice.note("critical", "journal", text, ""))
    try:
        let_go(books)
    except DataError:
        assert journal.lease is not None
        journal.lease.release()
        journal.close()
        raise
    return books


def _rules(
    symbols: Sequence[str],
    reconciler: Reconciler,
    settings: LiveSettings,
    voice: Voice,
    closing_only: Mapping[str, str] | None,
) -> Rules:
    """What follows the venue's rules of the instruments that are traded."""
    return Rules(
        symbols=symbols, gateway=reconciler.gateway, books=reconciler.books, clock=reconciler.clock,
        metrics=voice.metrics, config=settings.venue_rules, note=voice.note, closing_only=closing_only,
    )  # fmt: skip


def _reloaders(
    rungs: Sequence[Rung], trader: Trader, models: Models, known: Sequence[str], voice: Voice
) -> list[Reloader]:
    """One for every rung that is a model; a rule is not replaced."""
    return [
        Reloader(
            folder=rung.run.artifact, build=rung.build, level=rung.level, trader=trader,
            timeframe=str(models.timeframe), known=known, note=voice.note, books=models.books,
        )
        for rung in rungs
        if rung.run is not None and rung.build is not None
    ]  # fmt: skip
