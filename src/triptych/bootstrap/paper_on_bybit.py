"""Paper on a living market: candles of a venue as they close, orders filled by the simulated venue. No key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from triptych.bootstrap.connecting import connect
from triptych.bootstrap.controlling import Control
from triptych.bootstrap.guarding import open_watch
from triptych.bootstrap.hindsight import tell_of_past_market
from triptych.bootstrap.house import Outcome, outcome_of, resume_on_paper
from triptych.bootstrap.live_books import candles_of
from triptych.bootstrap.living import build_house
from triptych.bootstrap.living_on_bybit import newest_close
from triptych.bootstrap.safeguards import require_stop, tell_of_unknown
from triptych.bootstrap.session import run_session
from triptych.bootstrap.session_models import open_models, trained_runs
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.venues import Venue, hosts_of
from triptych.domain import utc
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.simulated.gateway import SimulatedGateway
from triptych.live.following import Following
from triptych.live.monitoring import Masker, Metrics
from triptych.settings.live import LiveSettings


def trade_on_paper_at(
    runs: Sequence[Path],
    *,
    venue: Venue,
    settings: LiveSettings,
    journal: str | Path,
    symbols: Sequence[str] = (),
    books: Sequence[Path] = (),
    hosts: HostConfig | None = None,
    log: TextIO | None = None,
    metrics_at: tuple[str, int] | None = None,
    control: Control | None = None,
    tell: Tell = silent,
) -> Outcome:
    """Trade a venue's candles on paper until Ctrl-C, SIGTERM or a failure; arguments are those of `trade_on_bybit`.

    Costs are those of the first run's recipe. What happens in the market while the session is stopped does not happen
    on paper: stops are watched again from the first candle after a start.

    Raises ExchangeError, ArtifactError, JournalError and their kinds.
    """
    models = open_models(trained_runs(runs))
    wanted = tuple(symbols) or tuple(models.first.card.symbols)
    require_stop(models.recipe, settings, is_real=False, tell=tell)
    tell_of_unknown(models, wanted, tell)
    watch = open_watch(models.recipe.guard, models.timeframe)
    beside = models.beside(wanted, watch)

    async def run_it() -> Outcome:
        where = hosts or hosts_of(settings, venue)
        async with connect(where, settings, journal, tell) as connection:
            instruments = [(await connection.market.listing(symbol)).instrument for symbol in wanted]
            metrics = Metrics()
            candles = candles_of(
                connection, [*wanted, *beside], models.timeframe, models.books_with(watch, wanted), settings.books,
                only_seen=beside, books=books, metrics=metrics, tell=tell,
            )  # fmt: skip
            newest = await newest_close(connection, wanted[0], models.timeframe)
            tell_of_past_market(models, newest, tell)
            source = Following(candles, newest)
            gateway = SimulatedGateway(
                instruments, models.recipe.costs, Decimal(repr(settings.capital)), clock=source.clock
            )
            house = build_house(
                models, settings=settings, instruments=instruments, gateway=gateway, candles=source,
                clock=source.clock, journal=journal, log=log, watch=watch,
                masker=Masker([control.token] if control else []), metrics=metrics,
                before=lambda candles: gateway.on_candles([one for one in candles if one.symbol in wanted]),
            )  # fmt: skip
            resume_on_paper(house, gateway)
            tell(f"Trading {', '.join(wanted)} of {venue} on paper from {utc(source.clock.now_ms())} UTC.")
            await run_session(house, metrics_at, control, tell)
        return outcome_of(house, models)

    return asyncio.run(run_it())
