"""`triptych live`: trade a trained model, on paper or on a venue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO, cast

import typer

from triptych.cli.console import Narrator, figures, out, print_json
from triptych.cli.opening import MetricsOption
from triptych.cli.options import JsonOption, QuietOption, RunArgument

if TYPE_CHECKING:
    from triptych.bootstrap.controlling import Control
    from triptych.bootstrap.house import Outcome
    from triptych.bootstrap.venues import Venue
    from triptych.settings.live import LiveSettings


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
    book: Annotated[
        list[Path] | None,
        typer.Option(
            "--book",
            help="Recorded order books, for a model that reads them: beside --tape, or of the time before the start; "
            "may be repeated.",
            metavar="FILE|FOLDER",
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
            "--fallback",
            help="A run whose model stands in when those before it fail; may be repeated. `rules`: a rule of moving "
            "averages, the last before flat.",
            metavar="RUN|rules",
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
    metrics: MetricsOption = None,
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
    from triptych.cli.opening import control_of, metrics_of
    from triptych.settings.live import load_live_settings

    _require_sense(venue, tape, is_paper=paper, is_standby=standby)
    is_paper = paper or venue == "paper"
    stand_ins = [one for one in fallback or () if str(one) != "rules"]
    has_rules = len(stand_ins) < len(fallback or ())
    with _opened(log) as stream:
        session = Session(
            settings=load_live_settings(settings, [*(overrides or ()), *(["last_resort=rules"] if has_rules else [])]),
            journal=journal if "://" in journal else Path(journal),
            log=stream,
            metrics_at=metrics_of(metrics),
            control=control_of(control, dashboard, runs=run.absolute().parent),
            tell=Narrator(quiet or json),
        )
        outcome = session.trade(
            [run, *stand_ins], venue=venue, tape=tape, books=book or (), symbols=symbol or (), is_paper=is_paper,
            real_money=real_money, standby=standby, start=start, speed=speed,
        )  # fmt: skip
    if json:
        print_json(outcome.to_dict())
    else:
        _print(outcome, "Paper trading" if is_paper else f"Trading on {venue}")


@dataclass(frozen=True, kw_only=True)
class Session:
    """What every way of trading is given alike; see `bootstrap.trade_on_bybit`."""

    settings: LiveSettings
    journal: str | Path
    log: TextIO | None
    metrics_at: tuple[str, int] | None
    control: Control | None
    tell: Narrator

    def trade(
        self,
        runs: Sequence[Path],
        *,
        venue: str,
        tape: Path | None,
        books: Sequence[Path],
        symbols: Sequence[str],
        is_paper: bool,
        real_money: bool,
        standby: bool,
        start: str | None,
        speed: float,
    ) -> Outcome:
        """Trade on a tape, on the candles of a venue as they close, or on the venue."""
        from triptych import bootstrap

        common = {field.name: getattr(self, field.name) for field in fields(self)} | {"books": books}
        if tape is not None:
            from triptych.market.store import to_ms  # data frames, which no venue needs

            start_ms = None if start is None else to_ms(start)
            return bootstrap.trade_on_paper(runs, tape, start_ms=start_ms, speed=speed, **common)
        at: Venue = "local" if venue == "simulated" else cast("Venue", venue)  # the simulated exchange has two names
        if is_paper:
            return bootstrap.trade_on_paper_at(runs, venue=at, symbols=symbols, **common)
        if not standby:  # who stands by settles when the other has ended
            bootstrap.settle_first(
                self.journal, venue=at, settings=self.settings, real_money=real_money, tell=self.tell
            )
        return bootstrap.trade_on_bybit(
            runs, venue=at, symbols=symbols, real_money=real_money, standby=standby, **common
        )


def _require_sense(venue: str, tape: Path | None, *, is_paper: bool, is_standby: bool) -> None:
    """Raise RecipeError for options that contradict each other."""
    from triptych.domain.errors import RecipeError

    if (venue == "paper") != (tape is not None):
        raise RecipeError(
            "Paper trading needs a tape." if tape is None else f"A tape is for paper; {venue} brings its own candles.",
            remedy="Give --tape FILE, or the --venue whose candles are traded."
            if tape is None
            else "Leave --tape or --venue out.",
        )
    if is_standby and (is_paper or venue == "paper"):
        raise RecipeError("A standby is for a venue; on paper there is nothing to take over.", remedy="Leave it out.")


def _print(outcome: Outcome, title: str) -> None:
    rows = {
        "decisions": f"{outcome.decisions:,}",
        "orders held back at the gate": f"{outcome.held_back:,}",
        "fills in the journal": f"{outcome.fills:,}",
        "equity": f"{outcome.equity:,.2f}",
        "positions": ", ".join(f"{quantity} {symbol}" for symbol, quantity in outcome.positions.items()),
        "last close decided on": f"{outcome.last_close} UTC",
        "journal": outcome.journal,
    }
    out.print(figures(title, rows))


@contextmanager
def _opened(log: Path | None) -> Iterator[TextIO | None]:
    """The log file, opened to append line by line; None without one."""
    if log is None:
        yield None
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", buffering=1) as stream:
        yield stream
