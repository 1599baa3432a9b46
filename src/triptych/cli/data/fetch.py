"""`triptych data fetch`: candles from a venue into the candle store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from triptych.cli.console import out, print_json, progress
from triptych.cli.options import JsonOption, QuietOption, StoreOption

EnvironmentOption = Annotated[
    Literal["mainnet", "testnet", "demo", "local"], typer.Option(help="Which Bybit; local is the simulated exchange.")
]
CategoryOption = Annotated[
    Literal["linear", "inverse", "spot"], typer.Option(help="Shelf of the venue: perpetuals in USDT, in coin, or spot.")
]
AddressOption = Annotated[
    str, typer.Option("--rest", help="Another address of the REST interface, such as a regional one.", metavar="URL")
]


def fetch(
    symbols: Annotated[
        list[str],
        typer.Argument(
            help="The venue's symbols: BTCUSDT, on ccxt BTC/USDT, on Yahoo AAPL or ^GSPC.", metavar="SYMBOL..."
        ),
    ],
    start: Annotated[str, typer.Option(help="First time, UTC, such as 2023-01-31.")],
    end: Annotated[str | None, typer.Option(help="Time to stop before, UTC; without it, now.")] = None,
    timeframe: Annotated[
        list[str] | None, typer.Option("--timeframe", "-t", help="Such as 1m, 15m, 1h or 1d; may be repeated.")
    ] = None,
    venue: Annotated[
        str, typer.Option(help="bybit; a venue of ccxt, such as binance; or yahoo for stocks and indices.")
    ] = "bybit",
    funding: Annotated[bool, typer.Option("--funding", help="Funding rates too (Bybit).")] = False,
    category: CategoryOption = "linear",
    environment: EnvironmentOption = "mainnet",
    rest: AddressOption = "",
    store: StoreOption = Path("store"),
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Fetch closed candles from Bybit, or from elsewhere. Stopped or killed, the same command goes on where it was."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from triptych.bootstrap import fetch_candles, fetch_from, source_of
    from triptych.domain import utc
    from triptych.exchanges.bybit import hosts

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress, disable=quiet or json) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        lengths = timeframe or ["1h"]
        if venue == "bybit":
            where = hosts.Config(environment=environment, rest=rest)
            found = fetch_candles(
                symbols, lengths, store=store, start=start, end=end, category=category, with_funding=funding,
                where=where, on_progress=show,
            )  # fmt: skip
        else:
            found = fetch_from(source_of(venue), symbols, lengths, store=store, start=start, end=end, on_progress=show)
    rows = [
        {
            "symbol": one.symbol,
            "what": one.what,
            "fetched": one.fetched,
            "new": one.new,
            "already": one.already,
            "first": None if one.first_ms is None else utc(one.first_ms),
            "last": None if one.last_ms is None else utc(one.last_ms),
        }
        for one in found
    ]
    if json:
        print_json({"store": str(store), "venue": venue, "histories": rows})
        return
    for row in rows:
        span = f"{row['first']} to {row['last']} UTC" if row["first"] else "nothing there in that time"
        out.print(
            f"{venue} {row['symbol']} {row['what']}: {row['new']} new, {row['already']} already there; {span}.",
            soft_wrap=True,
            markup=False,
        )


def instruments(
    category: CategoryOption = "linear",
    environment: EnvironmentOption = "mainnet",
    rest: AddressOption = "",
    json: JsonOption = False,
) -> None:
    """List the instruments of Bybit that trade, with their steps and minimums."""
    from rich.table import Table

    from triptych.bootstrap import fetch_listings
    from triptych.exchanges.bybit import hosts

    where = hosts.Config(environment=environment, rest=rest)
    found = [one for one in fetch_listings(category, where=where) if one.status == "Trading"]
    rows = [
        {
            "symbol": one.instrument.symbol,
            "price step": str(one.instrument.price_step),
            "quantity step": str(one.instrument.quantity_step),
            "minimum quantity": str(one.instrument.minimum_quantity),
            "minimum notional": str(one.instrument.minimum_notional),
            "leverage": str(one.instrument.maximum_leverage),
            "funding minutes": "" if one.funding_interval_minutes is None else str(one.funding_interval_minutes),
        }
        for one in found
    ]
    if json:
        print_json({"category": category, "instruments": rows})
        return
    table = Table(*(rows[0] if rows else ("symbol",)))
    for row in rows:
        table.add_row(*row.values())
    out.print(table)
