"""`triptych live`: trade a trained model, on paper or on a venue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO, cast

import typer

from triptych.cli.console import Narrator, figures, out, print_json
from triptych.cli.options import JsonOption, QuietOption, RunArgument

if TYPE_CHECKING:
    from triptych.bootstrap.living_on_bybit import Venue


def live(
    run: RunArgument,
    venue: Annotated[
        Literal["paper", "simulated", "local", "bybit-testnet", "bybit-demo", "bybit"],
        typer.Option(
            "--venue",
            help="paper: a tape. simulated, or local: `triptych exchange serve`. bybit: real money, but for --paper.",
        ),
    ] = "paper",
    paper: Annotated[
        bool,
        typer.Option("--paper", help="Trade on paper: on a tape, or on the candles of a venue as they close; no key."),
    ] = False,
    tape: Annotated[
        Path | None,
        typer.Option(
            "--tape", help="Candles to trade on paper: CSV, Parquet, Arrow, or a recorded tape.", metavar="FILE"
        ),
    ] = None,
    symbol: Annotated[
        list[str] | None,
        typer.Option(
            "--symbol", help="Instrument to trade on a venue; may be repeated [default: those of the training]."
        ),
    ] = None,
    real_money: Annotated[
        bool, typer.Option("--real-money", help="Consent to trade real money, with --venue bybit.")
    ] = False,
    standby: Annotated[
        bool,
        typer.Option("--standby", help="Wait while another process trades on this journal; take over when it ends."),
    ] = False,
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
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics", help="Serve metrics and readiness at this address, such as 9000.", metavar="[HOST:]PORT"
        ),
    ] = None,
    dashboard: Annotated[
        str | None,
        typer.Option(
            "--dashboard",
            help="Serve the dashboard at this address, such as 8080, in a process of its own.",
            metavar="[HOST:]PORT",
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            "--control",
            help="Open the session at this address for `triptych dashboard --session`; takes a token.",
            metavar="[HOST:]PORT",
        ),
    ] = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Trade a run's model, on paper or on a venue, with journal, recovery and limits.

    The same command on the same journal goes on where the last one stopped, or was killed. Keys of a venue come from
    BYBIT_API_KEY and BYBIT_API_SECRET, or from the file that BYBIT_KEY_FILE names.
    """
    from triptych import bootstrap
    from triptych.cli.opening import control_of
    from triptych.domain.errors import RecipeError
    from triptych.live.monitoring.server import parse_address
    from triptych.market.store import to_ms
    from triptych.settings.live import load_live_settings

    if (venue == "paper") != (tape is not None):
        raise RecipeError(
            "Paper trading needs a tape." if tape is None else f"A tape is for paper; {venue} brings its own candles.",
            remedy="Give --tape FILE, or the --venue whose candles are traded."
            if tape is None
            else "Leave --tape or --venue out.",
        )
    if standby and (paper or venue == "paper"):
        raise RecipeError("A standby is for a venue; on paper there is nothing to take over.", remedy="Leave it out.")
    place: str | Path = journal if "://" in journal else Path(journal)
    live_settings = load_live_settings(settings, overrides or ())
    address = None if metrics is None else parse_address(metrics)
    opened = control_of(control, dashboard, runs=run.absolute().parent)
    runs, narrator = [run, *(fallback or ())], Narrator(quiet or json)
    with _opened(log) as stream:
        if tape is not None:
            outcome = bootstrap.trade_on_paper(
                runs, tape, settings=live_settings, journal=place, start_ms=None if start is None else to_ms(start),
                speed=speed, log=stream, metrics_at=address, control=opened, tell=narrator,
            )  # fmt: skip
        elif paper:
            outcome = bootstrap.trade_on_paper_at(
                runs, venue=_venue(venue), symbols=symbol or (), settings=live_settings, journal=place, log=stream,
                metrics_at=address, control=opened, tell=narrator,
            )  # fmt: skip
        else:
            outcome = bootstrap.trade_on_bybit(
                runs, venue=_venue(venue), symbols=symbol or (), settings=live_settings, journal=place,
                real_money=real_money, standby=standby, log=stream, metrics_at=address, control=opened, tell=narrator,
            )  # fmt: skip
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
    out.print(figures("Paper trading" if paper or venue == "paper" else f"Trading on {venue}", rows))


def _venue(name: str) -> Venue:
    """The venue of a name: the simulated exchange has two."""
    return "local" if name == "simulated" else cast("Venue", name)


@contextmanager
def _opened(log: Path | None) -> Iterator[TextIO | None]:
    """The log file, opened to append line by line; None without one."""
    if log is None:
        yield None
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", buffering=1) as stream:
        yield stream
