"""`triptych live`: trade a trained model, on paper or on a venue."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from triptych.cli.console import Narrator, figures, out, print_json
from triptych.cli.journal import journal_place
from triptych.cli.live_options import (
    BookOption,
    ControlOption,
    DashboardOption,
    FallbackOption,
    FromOption,
    JournalOption,
    LiveSetOption,
    LiveSettingsOption,
    LogOption,
    MetricsOption,
    PaperOption,
    RealMoneyOption,
    SpeedOption,
    StandbyOption,
    SymbolOption,
    TapeOption,
    VenueOption,
)
from triptych.cli.options import JsonOption, QuietOption, RunArgument

if TYPE_CHECKING:
    from triptych.bootstrap.controlling import Control
    from triptych.bootstrap.house import Outcome
    from triptych.bootstrap.venues import Venue
    from triptych.settings.live import LiveSettings


def live(
    run: RunArgument,
    venue: VenueOption = "paper",
    paper: PaperOption = False,
    tape: TapeOption = None,
    book: BookOption = None,
    symbol: SymbolOption = None,
    real_money: RealMoneyOption = False,
    standby: StandbyOption = False,
    fallback: FallbackOption = None,
    settings: LiveSettingsOption = None,
    overrides: LiveSetOption = None,
    journal: JournalOption = "live.db",
    start: FromOption = None,
    speed: SpeedOption = 0.0,
    log: LogOption = None,
    metrics: MetricsOption = None,
    dashboard: DashboardOption = None,
    control: ControlOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Trade a run's model, on paper or on a venue, with journal, recovery and limits.

    The same command on the same journal goes on where the last one stopped, or was killed. Keys of a venue come from
    BYBIT_API_KEY and BYBIT_API_SECRET, or from the file that BYBIT_KEY_FILE names.
    """
    _wait_for_reload()
    from triptych.cli.opening import control_of, metrics_of
    from triptych.settings.live import load_live_settings

    _require_sense(venue, tape, is_paper=paper, is_standby=standby)
    is_paper = paper or venue == "paper"
    stand_ins = [one for one in fallback or () if str(one) != "rules"]
    has_rules = len(stand_ins) < len(fallback or ())
    with _opened(log) as stream:
        session = Session(
            settings=load_live_settings(settings, [*(overrides or ()), *(["last_resort=rules"] if has_rules else [])]),
            journal=journal_place(journal),
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
        with bootstrap.heard_from_the_start(self.control, self.journal, self.settings.name, self.tell) as control:
            if not standby:  # who stands by settles when the other has ended
                bootstrap.settle_first(
                    self.journal, venue=at, settings=self.settings, real_money=real_money, tell=self.tell
                )
            return bootstrap.trade_on_bybit(
                runs, venue=at, symbols=symbols, real_money=real_money, standby=standby,
                **common | {"control": control},
            )  # fmt: skip


def _wait_for_reload() -> None:
    """SIGHUP asks a session that runs for a look at its models; before that, and in a standby, it means nothing."""
    if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


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
    if outcome.hindsight.seen:
        out.print(f"Note: {outcome.hindsight.sentence}", soft_wrap=True, markup=False)


@contextmanager
def _opened(log: Path | None) -> Iterator[TextIO | None]:
    """The log file, opened to append line by line; None without one."""
    if log is None:
        yield None
        return
    from triptych.live.monitoring import open_log

    with open_log(log) as stream:
        yield stream
