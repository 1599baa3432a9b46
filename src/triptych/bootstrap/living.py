"""From trained runs to a house that trades: the only place where its parts are picked and joined."""

from __future__ import annotations

import asyncio
import io
import secrets
import socket
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from triptych.bootstrap.asking import reconciler_of
from triptych.bootstrap.controlling import Control
from triptych.bootstrap.guarding import open_watch
from triptych.bootstrap.house import House, Outcome
from triptych.bootstrap.live_books import need_of
from triptych.bootstrap.recorded_books import with_recorded
from triptych.bootstrap.run_folder import Run, open_run
from triptych.bootstrap.rungs import rungs_of
from triptych.bootstrap.session import run_session
from triptych.bootstrap.staking import base_rates_of, with_known_stakes
from triptych.bootstrap.taping import tape_series
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import AbstractClock, CandleSeries, Instrument, OrderFilled, Timeframe, utc
from triptych.domain.errors import ArtifactError, DataError, JournalError
from triptych.exchanges.gateway import AbstractCandleSource, AbstractGateway
from triptych.exchanges.simulated.gateway import SimulatedGateway
from triptych.exchanges.simulated.tape import TapeSource
from triptych.inference import Artifact, ConsensusArtifact, open_any_artifact
from triptych.inference.base import AbstractPredictor
from triptych.inference.watch import AbstractWatch
from triptych.live.belonging import PAPER, require_account, take_possession
from triptych.live.books import Books
from triptych.live.control import SessionView, Watched
from triptych.live.dispatch import Records
from triptych.live.failover import Ladder
from triptych.live.gate import Gate
from triptych.live.journal import AccountNamed, Journal, StepRecorded
from triptych.live.letting_go import let_go
from triptych.live.monitoring import Alerts, Masker, Metrics, create_logger
from triptych.live.monitoring.webhook import post_to
from triptych.live.observing import Observer
from triptych.live.reloading import Reloader
from triptych.live.runner import Runner
from triptych.live.trader import Trader
from triptych.live.watching import Watcher
from triptych.market import read_candles, resample
from triptych.market.tapes import is_tape
from triptych.settings import Recipe
from triptych.settings.live import LiveSettings
from triptych.strategies import create_strategy
from triptych.trading.engine import Engine


def build_house(
    runs: Sequence[Run],
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
) -> House:
    """Join the parts. Takes the journal's lease.

    Args:
        runs: the model that trades, then those that stand in for it, best first; all of one timeframe.
        settings: of live trading; strategy, regimes, sizing, execution and risk are those of the first run's recipe.
        instruments: what is traded, with the venue's rules.
        gateway, candles, clock: the venue.
        journal: path or URL.
        account: that the journal must be of; a new one is of it from now on.
        market_clock: of the candles, where it is not `clock`.
        before: see `Runner`.
        log: where structured logs go; None: nowhere.
        masker: knows the secrets.
        watch: what the recipe's guard asks; see `open_watch`.
        metrics: where figures go, if others have written there already.

    Raises ArtifactError for runs that do not fit together, DataError when the journal holds a position in an instrument
    that is not traded any more, LeaseError while another process trades, JournalError for
    the journal of another account.
    """
    artifacts = [open_any_artifact(run.artifact) for run in runs]
    timeframe = _common_timeframe(runs, artifacts)
    metrics, masker = metrics or Metrics(), masker or Masker()
    logger = create_logger(log or io.StringIO(), masker, instance=settings.name)
    alerts = Alerts(
        settings.alerts, instance=settings.name, clock=clock,
        log=lambda alert: logger.warning(alert.text, topic=alert.topic, symbol=alert.symbol, severity=alert.severity),
        send=None if settings.alerts.webhook is None else post_to(settings.alerts.webhook),
    )  # fmt: skip

    def note(severity: str, topic: str, text: str, symbol: str) -> None:
        metrics.alarms.inc()
        alerts.alert(severity, topic, masker.text(text), symbol)  # type: ignore[arg-type]

    book = Journal.open(
        journal, settings.name, owner=f"triptych on {socket.gethostname()}", clock=clock,
        lease_ms=int(settings.runner.lease_seconds * 1000),
        first_token=1 if account.world == "paper" else 1 + secrets.randbelow(1_000_000),
    )  # fmt: skip
    assert book.lease is not None
    token = _taken(book, account, lambda text: note("warning", "account", text, ""))
    records = Records()
    traded = [one.symbol for one in instruments]
    beside = dict.fromkeys((*artifacts[0].companions, *(watch.symbols if watch is not None else ())))
    watched = [Instrument(symbol=symbol) for symbol in beside if symbol not in traded]
    known = [*traded, *(one.symbol for one in watched)]
    rungs = rungs_of(runs, artifacts, settings)
    levels = [rung.level for rung in rungs]
    metrics.begin(known, timeframe=str(timeframe), models=[level.name for level in levels])
    recipe = with_known_stakes(runs[0].recipe, base_rates_of(artifacts[0]))
    engine = _engine(recipe, settings, levels[0].predictor, instruments, watched, watch, token, records)
    books = Books(engine, book, note=lambda text: note("critical", "journal", text, ""))
    reconciler = reconciler_of(
        books, gateway, settings=settings, account=account, clock=clock, metrics=metrics, note=note
    )
    try:
        let_go(books)
    except DataError:
        book.lease.release()
        book.close()
        raise
    ladder = Ladder(levels, settings.failover, lambda text: note("warning", "fallback", text, ""))
    ages: dict[str, Callable[[str], float]] = {}
    trader = Trader(
        symbols=traded, books=books, records=records, ladder=ladder, gate=Gate(settings.gate), sender=reconciler.sender,
        reconciler=reconciler, clock=clock, metrics=metrics, data_age_s=lambda s: ages["of"](s), note=note,
        observer=_observer(artifacts[0], metrics, settings, note),
        watcher=None if watch is None else Watcher(watch, deadline_s=settings.model_deadline_seconds, note=note),
        market_clock=market_clock,
    )  # fmt: skip
    watched_candles = Watched(candles)
    runner = Runner(
        trader=trader, candles=watched_candles, gateway=gateway, symbols=known,
        timeframe=timeframe, clock=market_clock or clock, metrics=metrics, config=settings.runner, note=note,
        before=before,
    )  # fmt: skip
    ages["of"] = runner.close_age_s
    reloaders = [
        Reloader(
            folder=rung.run.artifact, build=rung.build, level=rung.level, trader=trader,
            timeframe=str(timeframe), known=known, note=note, books=need_of(artifacts),
        )
        for rung in rungs
        if rung.run is not None and rung.build is not None
    ]  # fmt: skip
    view = SessionView(
        name=settings.name, venue=gateway.venue, timeframe=str(timeframe), symbols=traded,
        models=[(rung.level.name, rung.folder) for rung in rungs],
        trader=trader, ladder=ladder, metrics=metrics, reports=reconciler.reports, gate=settings.gate,
        data_age_s=runner.data_age_s, market_clock=market_clock or clock, clock=clock, journal=book.place,
        world=account.world,
    )  # fmt: skip
    return House(
        runner=runner, trader=trader, engine=engine, ladder=ladder, journal=book, metrics=metrics, alerts=alerts,
        view=view, candles=watched_candles, journal_at=journal, reloaders=reloaders, settings=settings,
    )  # fmt: skip


def _taken(book: Journal, account: AccountNamed, tell: Callable[[str], None]) -> int:
    """The token of the lease on a journal that is of this account. Raises JournalError for that of another."""
    assert book.lease is not None
    try:
        require_account(book, account)
        token = book.lease.acquire()
        take_possession(book, account, tell)
    except JournalError:
        book.close()
        raise
    return token


def _observer(
    artifact: Artifact | ConsensusArtifact,
    metrics: Metrics,
    settings: LiveSettings,
    note: Callable[[str, str, str, str], None],
) -> Observer:
    """What watches for drift, from what the first model saw when it was trained."""
    if not isinstance(artifact, Artifact):
        return Observer(metrics, settings.drift, note)
    return Observer(
        metrics, settings.drift, note, reference=artifact.card.reference, length=artifact.card.length,
        factors=artifact.seen().now,
    )  # fmt: skip


def _engine(
    recipe: Recipe,
    settings: LiveSettings,
    predictor: AbstractPredictor,
    instruments: Sequence[Instrument],
    watched: Sequence[Instrument],
    watch: AbstractWatch | None,
    token: int,
    records: Records,
) -> Engine:
    """The engine that decides by a recipe, under the lease of `token`."""
    return Engine(
        name=settings.name, instruments=instruments, predictor=predictor,
        strategy=create_strategy(recipe.strategy, recipe.consensus if recipe.members else None, recipe.regimes),
        initial_capital=Decimal(repr(settings.capital)),
        sizing=recipe.sizing, execution=recipe.execution, risk=recipe.risk, observer=records.append,
        companions=watched, token=token, guard=recipe.guard, watch=watch,
    )  # fmt: skip


def trade_on_paper(
    runs: Sequence[Path],
    tape: Path,
    *,
    settings: LiveSettings,
    journal: str | Path,
    books: Sequence[Path] = (),
    start_ms: int | None = None,
    speed: float = 0.0,
    log: TextIO | None = None,
    metrics_at: tuple[str, int] | None = None,
    control: Control | None = None,
    tell: Tell = silent,
) -> Outcome:
    """Trade recorded candles on the simulated venue with the engine, journal and recovery of live trading.

    Args:
        runs: folders of trained runs, the model that trades first.
        tape: file of candles, or the folder of a recorded tape; finer ones are resampled.
        settings: of live trading.
        journal: path or URL; an existing one is gone on with.
        books: recordings of order books beside the candles, for models that read them; none: those of the tape.
        start_ms: first close to trade at, UTC ms; None: as soon as the model has candles enough.
        speed: market time by real time; 0 does not wait.
        log: where structured logs go.
        metrics_at: host and port where metrics and readiness are served; None: nowhere.
        control: how the session is opened to a dashboard; None: not at all.
        tell: told every stage in words.

    Raises DataError, ArtifactError, JournalError and their kinds.
    """
    opened = [open_run(folder) for folder in runs]
    for run in opened:
        run.require_trained()
    recipe = opened[0].recipe
    series = _tape(tape, opened[0])
    artifacts = [open_any_artifact(run.artifact) for run in opened]
    artifact, need = artifacts[0], need_of(artifacts)
    if need is not None:
        series = with_recorded(series, need, books, tape, only_seen=_only_seen(series, artifact.companions))
    memory = artifact.predictor().length
    first = max(int(one.close_time_ms[min(memory, len(one)) - 1]) for one in series) if start_ms is None else start_ms
    source = TapeSource(series, start_ms=_gone_on_with(journal, settings.name, first - 1), speed=speed)
    watch = open_watch(recipe.guard, series[0].timeframe)
    beside = _only_seen(series, artifact.companions)
    traded = [one.instrument for one in series if one.symbol not in beside]
    gateway = SimulatedGateway(traded, recipe.costs, Decimal(repr(settings.capital)), clock=source.clock)
    symbols = {one.symbol for one in traded}
    house = build_house(
        opened, settings=settings, instruments=traded, gateway=gateway, candles=source, clock=source.clock,
        journal=journal, log=log, watch=watch,
        before=lambda candles: gateway.on_candles([c for c in candles if c.symbol in symbols]),
    )  # fmt: skip
    resume_on_paper(house, gateway)
    tell(f"Trading {', '.join(symbols)} on paper from {utc(source.clock.now_ms())} UTC.")
    asyncio.run(run_session(house, metrics_at, control, tell))
    return outcome_of(house)


def _only_seen(series: Sequence[CandleSeries], companions: Sequence[str]) -> tuple[str, ...]:
    """What of a tape is looked at and not traded: the companions, unless there is nothing else."""
    symbols = [one.symbol for one in series]
    others = [symbol for symbol in symbols if symbol not in companions] or symbols[:1]
    return tuple(symbol for symbol in symbols if symbol not in others)


def outcome_of(house: House) -> Outcome:
    """What a session that has ended did; the journal is closed."""
    portfolio = house.engine.portfolio
    fills = sum(1 for _ in house.journal.entries(kinds=(OrderFilled,)))
    last_close = house.trader.books.last_close_ms
    outcome = Outcome(
        decisions=house.runner.decisions, held_back=house.trader.held_back, fills=fills, equity=portfolio.equity(),
        last_close=utc(last_close) if last_close >= 0 else "",
        positions={symbol: str(portfolio.position(symbol).quantity) for symbol in house.trader.standings},
        journal=house.journal.place,
    )  # fmt: skip
    house.journal.close()
    return outcome


def resume_on_paper(house: House, gateway: SimulatedGateway) -> None:
    """The paper account of the last session, as its journal tells it."""
    if house.journal.last(StepRecorded) is None:
        return
    books = house.trader.books
    books.recover()
    portfolio = books.engine.portfolio
    held = [portfolio.position(symbol) for symbol in house.trader.standings]
    fills = sum(1 for _ in house.journal.entries(kinds=(OrderFilled,)))
    gateway.resume(portfolio.cash, [one for one in held if one.quantity], books.stops, fills)


def _gone_on_with(journal: str | Path, name: str, otherwise: int) -> int:
    """Where the clock of a tape stands: at the last decision of the journal, if there is one."""
    if isinstance(journal, Path) and not journal.exists():
        return otherwise
    reader = Journal.read(journal, name)
    try:
        last = reader.last(StepRecorded)
    finally:
        reader.close()
    return otherwise if last is None or not isinstance(last.record, StepRecorded) else last.record.close_ms


def _tape(tape: Path, run: Run) -> list[CandleSeries]:
    artifact = open_any_artifact(run.artifact)
    wanted = Timeframe.parse(artifact.card.timeframe)
    series = []
    found = tape_series(tape, wanted) if is_tape(tape) else read_candles(tape).series
    for one in found:
        if one.timeframe > wanted:
            raise DataError(
                f"{tape}: candles of {one.timeframe} are coarser than the model's {wanted}.",
                remedy=f"Bring candles of {wanted} or finer.",
            )
        series.append(one if one.timeframe == wanted else resample(one, wanted))
    return sorted(series, key=lambda one: one.symbol)


def _common_timeframe(runs: Sequence[Run], artifacts: Sequence[Artifact | ConsensusArtifact]) -> Timeframe:
    timeframes = {artifact.card.timeframe for artifact in artifacts}
    if len(timeframes) > 1:
        raise ArtifactError(
            f"The runs {', '.join(str(run.folder) for run in runs)} have different timeframes: "
            f"{', '.join(sorted(timeframes))}.",
            remedy="A stand-in must decide at the same closes: train it on the same timeframe.",
        )
    first, *others = artifacts
    for run, other in zip(runs[1:], others, strict=True):
        strange = set(other.companions) - set(first.companions)
        if strange:
            raise ArtifactError(
                f"The stand-in {run.folder} looks at {', '.join(sorted(strange))}, which the first model does not.",
                remedy="Train it on the same companions, or on none.",
            )
    return Timeframe.parse(timeframes.pop())
