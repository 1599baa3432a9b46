"""`triptych exchange serve`: a venue of one's own that speaks Bybit v5."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triptych.cli.console import out

if TYPE_CHECKING:
    from triptych.bootstrap import Serving


def serve(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Candles to serve; without it, those of the embedded market.", metavar="FILE"),
    ] = None,
    tape: Annotated[
        Path | None,
        typer.Option(
            "--tape", help="Play a tape of `triptych data record`: its books, trades and candles.", metavar="DIR"
        ),
    ] = None,
    symbol: Annotated[
        list[str] | None, typer.Option(help="Serve only this one, such as BTCUSDT; may be repeated.")
    ] = None,
    known: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Candles that are history at the start [default: 1000; those before the first message of a tape].",
        ),
    ] = None,
    pace: Annotated[
        float, typer.Option(min=0, help="Seconds from one candle to the next; 0 waits for POST /triptych/step.")
    ] = 1.0,
    capital: Annotated[float, typer.Option(min=1, help="Capital of the account, quote currency.")] = 10_000.0,
    leverage: Annotated[float, typer.Option(min=1, max=100, help="Leverage of the account.")] = 1.0,
    key: Annotated[
        str, typer.Option(help="API key and secret that clients must sign with.", metavar="KEY:SECRET")
    ] = "key:secret",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8765,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the faults of the streams.")] = 0,
) -> None:
    """Serve candles as an exchange that speaks Bybit v5: REST and WebSocket, orders, fills, faults on demand."""
    from decimal import Decimal

    from triptych.bootstrap import recording_for_serving, serve_exchange, tape_for_serving
    from triptych.domain.errors import RecipeError
    from triptych.exchanges.simulated import Config

    name, _, secret = key.partition(":")
    if not name or not secret:
        raise RecipeError("The key is not written as KEY:SECRET.", remedy="Write it like --key demo:demo-secret.")
    if data is not None and tape is not None:
        raise RecipeError("--data and --tape were both given.", remedy="Serve one of them.")
    recording, before = (None, 1000) if tape is None else recording_for_serving(tape, symbol or ())
    serve_exchange(
        tape_for_serving(data or tape, symbol or ()),
        recording=recording,
        known=known or before,
        seconds_per_candle=pace,
        costs=Config(leverage=leverage),
        capital=Decimal(repr(capital)),
        keys={name: secret},
        host=host,
        port=port,
        seed=seed,
        on_ready=_say,
    )


def _say(serving: Serving) -> None:
    out.print(
        f"Serving {', '.join(serving.symbols)}, candles of {serving.timeframe}: {serving.known} known, "
        f"{serving.remaining} to come.\n"
        f"REST     http://{serving.address}\n"
        f"public   ws://{serving.address}/v5/public/linear\n"
        f"private  ws://{serving.address}/v5/private\n"
        "Ctrl-C ends it.",
        soft_wrap=True,
        markup=False,
    )
