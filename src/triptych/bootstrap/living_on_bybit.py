"""From trained runs to a house that trades on Bybit, or on the simulated exchange that speaks its protocol."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TextIO

from triptych.bootstrap.affording import keep_asking, require_wallet
from triptych.bootstrap.connecting import connect
from triptych.bootstrap.controlling import Control, listen_first
from triptych.bootstrap.guarding import open_watch
from triptych.bootstrap.hindsight import tell_of_past_market
from triptych.bootstrap.house import House, Outcome, outcome_of
from triptych.bootstrap.live_books import candles_of
from triptych.bootstrap.living import build_house
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.safeguards import open_account, require_stop, tell_of_unknown
from triptych.bootstrap.session import run_session
from triptych.bootstrap.session_models import open_models, trained_runs
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.venues import Venue, hosts_of, require_consent
from triptych.domain import AbstractClock, SystemClock, Timeframe, WalletReport
from triptych.domain.errors import ExchangeError, LeaseError, RecipeError
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.credentials import Credentials, read_credentials
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.live.following import Following
from triptych.live.journal import AccountNamed, Journal
from triptych.live.monitoring import Masker, Metrics
from triptych.live.standby import wait_until_free
from triptych.settings.live import LiveSettings


def trade_on_bybit(
    runs: Sequence[Path],
    *,
    venue: Venue,
    settings: LiveSettings,
    journal: str | Path,
    symbols: Sequence[str] = (),
    books: Sequence[Path] = (),
    real_money: bool = False,
    standby: bool = False,
    hosts: HostConfig | None = None,
    credentials: Credentials | None = None,
    log: TextIO | None = None,
    metrics_at: tuple[str, int] | None = None,
    control: Control | None = None,
    tell: Tell = silent,
) -> Outcome:
    """Trade until Ctrl-C, SIGTERM or a failure.

    Args:
        runs: folders of trained runs, the model that trades first.
        venue: `local` is the simulated exchange (`triptych exchange serve`), `bybit` is real money.
        settings: of live trading.
        journal: path or URL; an existing one is gone on with.
        symbols: what to trade; empty: what the model was trained on.
        books: recordings that know the order books of past closes, for models that read them.
        real_money: must be said where an address is neither this machine nor a known testnet or demo.
        standby: wait while another process trades on this journal, and take over when it ends.
        hosts: addresses, instead of the venue's own.
        credentials: the key; None reads the environment, see `read_credentials`.
        log: where structured logs go.
        metrics_at: host and port where metrics and readiness are served; None: nowhere.
        control: how the session is opened to a dashboard; None: not at all.
        tell: told every stage in words.

    Raises RecipeError without a key, or with real money without limits, a stop and consent; ExchangeError,
    ArtifactError, JournalError and their kinds.
    """
    where = hosts or hosts_of(settings, venue)
    require_consent(where, settings, real_money=real_money)
    opened = trained_runs(runs)
    require_stop(opened[0].recipe, settings, is_real=where.world == "real", tell=tell)
    key = credentials or read_credentials()
    wanted = tuple(symbols)

    async def trade() -> Outcome:
        while True:
            if standby:
                if control is not None and control.first is not None:
                    await asyncio.to_thread(listen_first, control.first, tell)
                await _stand_by(journal, settings, tell)
            try:
                return await _trade(
                    opened, venue, where, key, wanted, books, settings, journal, log, metrics_at, control, tell
                )
            except LeaseError:
                if not standby:
                    raise

    return asyncio.run(trade())


async def _stand_by(journal: str | Path, settings: LiveSettings, tell: Tell) -> None:
    book = Journal.open(
        journal, settings.name, owner="standby", clock=SystemClock(),
        lease_ms=settings.runner.lease_ms,
    )  # fmt: skip
    assert book.lease is not None
    try:
        await wait_until_free(book.lease, tell)
    finally:
        book.close()


async def _trade(
    runs: Sequence[Run],
    venue: Venue,
    hosts: HostConfig,
    key: Credentials,
    symbols: tuple[str, ...],
    books: Sequence[Path],
    settings: LiveSettings,
    journal: str | Path,
    log: TextIO | None,
    metrics_at: tuple[str, int] | None,
    control: Control | None,
    tell: Tell,
) -> Outcome:
    models = open_models(runs)
    timeframe = models.timeframe
    wanted = symbols or tuple(models.first.card.symbols)
    watch = open_watch(models.recipe.guard, timeframe)
    beside = models.beside(wanted, watch)
    async with connect(hosts, settings, journal, tell) as connection:
        opened = await open_account(connection, key, wanted, tell)
        gateway = opened.gateway
        tell_of_unknown(models, wanted, tell)
        metrics = Metrics()
        source = candles_of(
            connection, [*wanted, *beside], timeframe, models.books_with(watch, wanted), settings.books,
            only_seen=beside, books=books, metrics=metrics, tell=tell,
        )  # fmt: skip
        market_clock: AbstractClock = connection.clock
        if venue == "local":  # its market lives in the time of its tape
            newest = await newest_close(connection, wanted[0], timeframe)
            tell_of_past_market(models, newest, tell)
            source = following = Following(source, newest)
            market_clock = following.clock
        wallet = await gateway.wallet()
        tell(f"{hosts.venue}: equity {wallet.equity} {wallet.currency}; trading {', '.join(wanted)} at {timeframe}.")
        account = AccountNamed(world=hosts.world, account=await gateway.account())
        if hosts.world == "real" and control is None:
            tell("Note: this session has no kill switch; say --control 9100, and `triptych kill` closes everything.")
        secrets = [key.key, key.secret, *([control.token] if control else [])]
        house = build_house(
            models, settings=settings, instruments=opened.instruments, gateway=gateway, candles=source,
            clock=SystemClock(), journal=journal, account=account, watch=watch, market_clock=market_clock, log=log,
            masker=Masker(secrets), metrics=metrics, closing_only=opened.closing_only,
        )  # fmt: skip
        offset = house.metrics.clock_offset.labels(venue=gateway.venue)
        offset.set_function(lambda: connection.clock.offset_ms / 1000)
        try:
            _afford(house, hosts, wallet, tell)
            async with _asking(house, hosts, gateway.wallet):
                await run_session(house, metrics_at, control, tell)
        except BaseException:
            house.journal.close()
            raise
    return outcome_of(house, models)


def _afford(house: House, hosts: HostConfig, wallet: WalletReport, tell: Tell) -> None:
    try:
        require_wallet(house, hosts, wallet, tell)
    except RecipeError:
        assert house.journal.lease is not None
        house.journal.lease.release()
        raise


@contextlib.asynccontextmanager
async def _asking(house: House, hosts: HostConfig, ask: Callable[[], Awaitable[WalletReport]]) -> AsyncIterator[None]:
    """Beside the session: a start that may open nothing, for the account holds too little, looks again."""
    task = asyncio.create_task(keep_asking(house, hosts, ask))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def newest_close(connection: BybitConnection, symbol: str, timeframe: Timeframe) -> int:
    """When the newest candle that the venue has closed, UTC ms. Raises ExchangeError when it has none."""
    now = connection.clock.now_ms()
    found = await connection.market.candles(symbol, timeframe, start_ms=0, end_ms=now, limit=2)
    closed = [one for one in found if one.close_time_ms <= now]  # the last one may still be open
    if not closed:
        raise ExchangeError(
            f"The venue has no candles of {symbol} {timeframe}.", remedy="Serve a tape that holds them."
        )
    return closed[-1].close_time_ms
