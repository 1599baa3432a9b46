"""`triptych data record`: the public streams of a venue onto a tape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triptych.cli.console import Narrator, out, print_json, progress
from triptych.cli.data.fetch import AddressOption, CategoryOption, EnvironmentOption
from triptych.cli.live_options import MetricsOption
from triptych.cli.opening import metrics_of
from triptych.cli.options import JsonOption, QuietOption

if TYPE_CHECKING:
    from triptych.bootstrap import Recorded


def record(
    symbols: Annotated[list[str], typer.Argument(help="The venue's symbols, such as BTCUSDT.", metavar="SYMBOL...")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the tape; one that exists is gone on with.")],
    timeframe: Annotated[
        list[str] | None, typer.Option("--timeframe", "-t", help="Of the candles [default: 1m]; may be repeated.")
    ] = None,
    stream: Annotated[
        list[str] | None,
        typer.Option("--stream", help="Record only these: candles, book, trades, tickers; may be repeated."),
    ] = None,
    depth: Annotated[int, typer.Option(help="Levels a side of the order book: 1, 50, 200 or 1000.")] = 50,
    history: Annotated[
        int, typer.Option(min=0, help="Candles fetched before the first streamed one, for models to begin with.")
    ] = 0,
    seconds: Annotated[
        float | None,
        typer.Option("--for", min=0.1, help="Seconds to record [default: until Ctrl-C].", metavar="SECONDS"),
    ] = None,
    segment_minutes: Annotated[
        float, typer.Option("--segment", min=0.01, max=1440, help="Minutes in a file of the tape.")
    ] = 60.0,
    category: CategoryOption = "linear",
    environment: EnvironmentOption = "mainnet",
    rest: AddressOption = "",
    public: Annotated[str, typer.Option("--public", help="Another address of the public streams.", metavar="URL")] = "",
    metrics: MetricsOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Record public streams to disk: every message as it came, with its time. Killed, the same command goes on.

    `triptych live --tape` and `triptych exchange serve --tape` play what was recorded.
    """
    from rich.status import Status

    from triptych.bootstrap import record_tape
    from triptych.bootstrap.recording import EVERYTHING
    from triptych.domain.errors import RecipeError
    from triptych.exchanges.bybit import hosts
    from triptych.market.tapes import Config

    if depth not in (1, 50, 200, 1000):
        raise RecipeError(f"Bybit has no book of {depth} levels.", remedy="Choose 1, 50, 200 or 1000.")
    unknown = [one for one in stream or () if one not in EVERYTHING]
    if unknown:
        raise RecipeError(f"There is no stream {unknown[0]}.", remedy=f"Choose from {', '.join(EVERYTHING)}.")
    is_silent = quiet or json
    with Status("connecting", console=progress) as line:
        if is_silent:
            line.stop()

        def show(recorded: Recorded) -> None:
            if not is_silent:
                line.update(_words(recorded))

        recorded = record_tape(
            symbols, to, timeframes=timeframe or ["1m"], what=tuple(stream or EVERYTHING), depth=depth,  # type: ignore[arg-type]
            history=history, seconds=seconds, category=category,
            where=hosts.Config(environment=environment, rest=rest, public=public),
            config=Config(segment_minutes=segment_minutes), on_progress=show,
            metrics_at=metrics_of(metrics), tell=Narrator(is_silent),
        )  # fmt: skip
    if json:
        print_json({"tape": str(to), **recorded.to_dict()})
        return
    out.print(f"{to}: {_words(recorded)}", soft_wrap=True, markup=False)


def _words(recorded: Recorded) -> str:
    return (
        f"{recorded.messages:,} messages, {recorded.megabytes:,.1f} MB, up to {recorded.newest or '-'} UTC; "
        f"{recorded.outages} outages, {recorded.asked_for} candles asked for, {recorded.book_resyncs} book resyncs"
    )
