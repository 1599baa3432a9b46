"""Paper on a tape: recorded candles, played to the house that trades live; orders filled by the simulated venue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from triptych.bootstrap.controlling import Control
from triptych.bootstrap.guarding import open_watch
from triptych.bootstrap.hindsight import tell_ahead
from triptych.bootstrap.house import Outcome, outcome_of, resume_on_paper
from triptych.bootstrap.living import build_house
from triptych.bootstrap.recorded_books import with_recorded
from triptych.bootstrap.safeguards import require_stop, tell_of_unknown
from triptych.bootstrap.session import run_session
from triptych.bootstrap.session_models import open_models, trained_runs
from triptych.bootstrap.taping import tape_series
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import CandleSeries, Timeframe, utc
from triptych.domain.errors import DataError, NoJournal
from triptych.exchanges.simulated.gateway import SimulatedGateway
from triptych.exchanges.simulated.tape import TapeSource
from triptych.live.journal import Journal, StepRecorded
from triptych.market import read_candles, resample
from triptych.market.tapes import is_tape
from triptych.settings.live import LiveSettings


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
    models = open_models(trained_runs(runs))
    series = _series_of(tape, models.timeframe)
    beside = _only_seen(series, models.first.companions)
    watch = open_watch(models.recipe.guard, models.timeframe)
    need = models.books_with(watch, [one.symbol for one in series if one.symbol not in beside])
    if need is not None:
        who = "model" if models.books is not None else "guard's detector"
        series = with_recorded(series, need, books, tape, only_seen=beside, who=who)
    last_ms = max(int(one.close_time_ms[-1]) for one in series if one.symbol not in beside)
    if start_ms is not None and start_ms > last_ms:
        raise DataError(
            f"{tape}: the last candle closed at {utc(last_ms)} UTC, and trading is to begin at {utc(start_ms)} UTC.",
            remedy="Begin earlier, or bring a later tape.",
        )
    if start_ms is None:
        memory = models.first.predictor().length
        start_ms = max(int(one.close_time_ms[min(memory, len(one)) - 1]) for one in series)
    source = TapeSource(series, start_ms=_gone_on_with(journal, settings.name, start_ms - 1), speed=speed)
    if source.clock.now_ms() >= last_ms:
        tell(f"The journal has decided on this tape to its end, {utc(last_ms)} UTC: nothing is left to trade.")
    traded = [one.instrument for one in series if one.symbol not in beside]
    gateway = SimulatedGateway(traded, models.recipe.costs, Decimal(repr(settings.capital)), clock=source.clock)
    require_stop(models.recipe, settings, is_real=False, tell=tell)
    tell_of_unknown(models, [one.symbol for one in traded], tell)
    tell_ahead(models, [one for one in series if one.symbol not in beside], source.clock.now_ms(), tell)
    symbols = {one.symbol for one in traded}
    house = build_house(
        models, settings=settings, instruments=traded, gateway=gateway, candles=source, clock=source.clock,
        journal=journal, log=log, watch=watch,
        before=lambda candles: gateway.on_candles([c for c in candles if c.symbol in symbols]),
    )  # fmt: skip
    resume_on_paper(house, gateway)
    tell(f"Trading {', '.join(symbols)} on paper from {utc(source.clock.now_ms())} UTC.")
    asyncio.run(run_session(house, metrics_at, control, tell))
    return outcome_of(house, models, on_tape=True)


def _series_of(tape: Path, wanted: Timeframe) -> list[CandleSeries]:
    """The histories of a tape at a timeframe, by symbol. Raises DataError for candles that are coarser."""
    series = []
    for one in tape_series(tape, wanted) if is_tape(tape) else read_candles(tape).series:
        if one.timeframe > wanted:
            raise DataError(
                f"{tape}: candles of {one.timeframe} are coarser than the model's {wanted}.",
                remedy=f"Bring candles of {wanted} or finer.",
            )
        series.append(one if one.timeframe == wanted else resample(one, wanted))
    return sorted(series, key=lambda one: one.symbol)


def _only_seen(series: Sequence[CandleSeries], companions: Sequence[str]) -> tuple[str, ...]:
    """What of a tape is looked at and not traded: the companions, unless there is nothing else."""
    symbols = [one.symbol for one in series]
    others = [symbol for symbol in symbols if symbol not in companions] or symbols[:1]
    return tuple(symbol for symbol in symbols if symbol not in others)


def _gone_on_with(journal: str | Path, name: str, otherwise: int) -> int:
    """Where the clock of a tape stands: at the last decision of the journal, if there is one."""
    try:
        reader = Journal.read(journal, name)
    except NoJournal:
        return otherwise
    try:
        last = reader.last(StepRecorded)
    finally:
        reader.close()
    return otherwise if last is None or not isinstance(last.record, StepRecorded) else last.record.close_ms
