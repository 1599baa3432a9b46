"""`triptych live`: trade a trained model, at first on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import Narrator, figures, out, print_json
from triptych.cli.options import JsonOption, QuietOption, RunArgument


def live(
    run: RunArgument,
    tape: Annotated[
        Path, typer.Option("--tape", help="Candles to trade on paper: CSV, Parquet or Arrow.", metavar="FILE")
    ],
    fallback: Annotated[
        list[Path] | None,
        typer.Option(
            "--fallback", help="A run whose model stands in when those before it fail; may be repeated.", metavar="RUN"
        ),
    ] = None,
    settings: Annotated[Path | None, typer.Option("--settings", help="Live settings (TOML).", metavar="FILE")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a live setting; may be repeated.", metavar="KEY=VALUE"),
    ] = None,
    journal: Annotated[
        str, typer.Option("--journal", help="Journal: a file, or a PostgreSQL URL.", metavar="FILE|URL")
    ] = "live.db",
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="First close to trade at, UTC [default: as soon as the model can].", metavar="TIME"
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option("--speed", min=0, help="Market time by real time: 60 plays an hour in a minute; 0 does not wait."),
    ] = 0.0,
    log: Annotated[
        Path | None, typer.Option("--log", help="Append structured logs (JSON lines) to this file.", metavar="FILE")
    ] = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Trade a run's model on paper, with the journal, the recovery and the limits of live trading.

    The same command on the same journal goes on where the last one stopped, or was killed.
    """
    from triptych import bootstrap
    from triptych.market.store import to_ms
    from triptych.settings.live import load_live_settings

    where: str | Path = journal if "://" in journal else Path(journal)
    stream = None
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = log.open("a", encoding="utf-8", buffering=1)
    try:
        outcome = bootstrap.trade_on_paper(
            [run, *(fallback or ())],
            tape,
            settings=load_live_settings(settings, overrides or ()),
            journal=where,
            start_ms=None if start is None else to_ms(start),
            speed=speed,
            log=stream,
            tell=Narrator(quiet or json),
        )
    finally:
        if stream is not None:
            stream.close()
    if json:
        print_json(outcome.to_dict())
        return
    held = ", ".join(f"{quantity} {symbol}" for symbol, quantity in outcome.positions.items())
    rows = {
        "decisions": f"{outcome.decisions:,}",
        "orders held back at the gate": f"{outcome.held_back:,}",
        "fills in the journal": f"{outcome.fills:,}",
        "equity": f"{outcome.equity:,.2f}",
        "positions": held,
        "last close decided on": f"{outcome.last_close} UTC",
        "journal": outcome.journal,
    }
    out.print(figures("Paper trading", rows))
