"""`triptych reconcile`: do journal and venue say the same?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from triptych.cli.console import Narrator, out, print_json
from triptych.cli.journal import JournalArgument, NameOption, journal_place
from triptych.cli.live_options import LiveSetOption
from triptych.cli.options import JsonOption, QuietOption


def reconcile(
    journal: JournalArgument,
    venue: Annotated[
        Literal["simulated", "local", "bybit-testnet", "bybit-demo", "bybit"],
        typer.Option("--venue", help="Where the account is. simulated, or local: `triptych exchange serve`."),
    ],
    name: NameOption = None,
    symbol: Annotated[list[str] | None, typer.Option("--symbol", help="Only this instrument; may be repeated.")] = None,
    days: Annotated[float, typer.Option(min=0.01, help="Days back to compare fills.")] = 7.0,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Do what the next start would do, short of trading; refused while a process trades."
        ),
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="With --repair: take over a position that our fills do not explain.")
    ] = False,
    real_money: Annotated[
        bool, typer.Option("--real-money", help="Consent to repair an account of real money, as for `live`.")
    ] = False,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="Live settings (TOML), the same as for `live`.", metavar="FILE"),
    ] = None,
    overrides: LiveSetOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Print every difference between a journal and the venue: orders, fills, positions, stops. Exit status 1 if any.

    Without --repair nothing is changed. A process that is trading may be a moment behind: ask again. A repair enters
    what was missed, withdraws orders of ours that nobody decided on and sets lost stops again; it sends no order.
    """
    from triptych import bootstrap
    from triptych.domain.errors import RecipeError
    from triptych.settings.live import load_live_settings

    if adopt and not repair:
        raise RecipeError("--adopt was given without --repair.", remedy="Look first; then repair.")
    found = bootstrap.reconcile(
        journal_place(journal), venue="local" if venue == "simulated" else venue, name=name,
        symbols=symbol or (), days=days, repair=repair, adopt=adopt, real_money=real_money,
        settings=load_live_settings(settings, overrides or ()),
        tell=Narrator(quiet or json),
    )  # fmt: skip
    if json:
        print_json(found.to_dict())
    else:
        for one in found.differences:
            out.print(
                f"{one.symbol} {one.kind}\n  journal: {one.journal}\n  venue:   {one.venue}\n  {one.explanation}\n"
                f"  Repair: {one.repair or 'none; look at the account yourself.'}",
                soft_wrap=True, markup=False,
            )  # fmt: skip
        count = len(found.left)
        what = "no difference" if not count else "1 difference" if count == 1 else f"{count} differences"
        left = " left" if repair else ""
        out.print(f"{found.name}, {', '.join(found.symbols)}: {what}{left}.", soft_wrap=True, markup=False)
    if found.left:
        raise typer.Exit(1)
