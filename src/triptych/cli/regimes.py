"""`triptych regimes`: which regime the market is in and what may follow, and alarms that it has switched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption

if TYPE_CHECKING:
    from triptych.bootstrap.regime_alarms import RegimeAlarms
    from triptych.bootstrap.regime_states import RegimeStates

app = typer.Typer(
    help="Regimes of the market: which it is in, what may follow, and alarms that they have switched.",
    no_args_is_help=True,
)


@app.command("show")
def show(
    source: Annotated[
        Path,
        typer.Argument(
            help="Candles (CSV, Parquet or Arrow), or the folder of a run of a recipe with regimes.use.",
            metavar="FILE|RUN",
        ),
    ],
    at: Annotated[
        str, typer.Option("--at", help="Close of a candle, UTC, or `last` [default: the last].", metavar="TIME")
    ] = "",
    symbol: Annotated[str | None, typer.Option("--symbol", help="Instrument, where there are several.")] = None,
    share: Annotated[
        float,
        typer.Option("--share", min=0.01, max=0.99, help="Share of a file's history, from its start, to fit on."),
    ] = 0.6,
    last: Annotated[int, typer.Option("--last", min=1, max=100_000, help="Candles up to it that are told too.")] = 240,
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon", min=1, max=100_000, help="Candles on [default: the run's horizon; 16 for a file].", metavar="N"
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Draw prices in the colour of their regime to this PNG file.", metavar="FILE"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Tell how probable each regime is at a close, how long it lasts, what follows it, and what comes next by that.

    A file is fitted on its first part; of a run the model that was in charge at that time is asked.
    """
    from triptych.bootstrap import open_run
    from triptych.bootstrap.chart_patterns import read_one
    from triptych.bootstrap.regime_states import draw_states, states_of_file, states_of_run

    if source.is_dir():
        found = states_of_run(open_run(source), at=at, symbol=symbol, last=last, horizon=horizon)
    else:
        found = states_of_file(read_one(source, symbol), at=at, share=share, last=last, horizon=horizon)
    if picture is not None:
        draw_states(found, picture)
    if json:
        print_json(found.to_dict())
        return
    _tell_states(found)
    if picture is not None:
        out.print(f"Drawn: {picture}", soft_wrap=True, markup=False)


def _tell_states(found: RegimeStates) -> None:
    """Two tables: the regimes now and later, and the matrix of transitions."""
    from triptych.features.regimes import AHEAD

    told = found.to_dict()
    table = Table(
        title=f"Regimes of {told['symbol']} {told['timeframe']} at the close of {told['time'][:16]} UTC",
        title_justify="left",
    )
    for head in (
        "regime",
        "now",
        "next candle",
        f"in {found.horizon} candles",
        "lasts, candles",
        f"times {told['timeframe']}, hours",
    ):
        table.add_column(head)
    names = [name for name in told["now"] if told["now"][name] is not None]
    for name in names:
        shares = (told[when][name] for when in ("now", "next", "after_horizon"))
        lasts = (told[unit][name] for unit in ("expected_candles", "expected_hours"))
        table.add_row(name.replace("_", " "), *(f"{p:.3f}" for p in shares), *(f"{n:,.1f}" for n in lasts))
    out.print(table)
    out.print(
        f"A candle's regime is the one that the rules see {AHEAD} candles later, when they know it whole. Hours are "
        "candles times their length; what a market is closed for between two candles comes on top.",
        markup=False,
    )
    matrix = Table(title="Probability of the column's regime one candle after the row's", title_justify="left")
    matrix.add_column("")
    for name in names:
        matrix.add_column(name.replace("_", " "))
    for name in names:
        matrix.add_row(name.replace("_", " "), *(f"{told['transition'][name][other]:.4f}" for other in names))
    out.print(matrix)
    for note in found.notes:
        out.print(note)


@app.command("alarms")
def alarms(
    source: Annotated[
        Path,
        typer.Argument(
            help="Candles (CSV, Parquet or Arrow), or the folder of a run of a recipe with [siamese] or with "
            "regimes.use.",
            metavar="FILE|RUN",
        ),
    ],
    symbol: Annotated[str | None, typer.Option("--symbol", help="Instrument, where there are several.")] = None,
    share: Annotated[
        float,
        typer.Option("--share", min=0.01, max=0.99, help="Share of a file's history, from its start, to fit on."),
    ] = 0.6,
    method: Annotated[
        Literal["switches", "filter", "likeness", "cusum"] | None,
        typer.Option(
            "--method",
            help="Kinds of market by the sizes of returns, the five filtered regimes, windows that a siamese network "
            "finds unlike, or CUSUM of the sizes [default: what the run has; switches for a file].",
        ),
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option(
            "--false-alarms",
            min=0.01,
            max=1000,
            help="Sets the threshold: so many alarms in 1,000 of the candles that were learnt from, in random order "
            "[default: 1; of the switches of a run, what it was trained with].",
            metavar="N",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0,
            help="Instead: of switches and filter a probability, of likeness a distance from 0 to 2, of CUSUM a sum.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="Write the alarms to this CSV or JSON file.", metavar="FILE")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw candles and alarms to this PNG file.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Raise an alarm at each close at which the market has switched to another regime.

    A file is fitted on its first part and judged on the rest; a run's model is asked about its test part.
    """
    from triptych.bootstrap import open_run
    from triptych.bootstrap.alarm_files import alarm_facts, alarm_rows, draw_alarms, write_alarms
    from triptych.bootstrap.alarm_thresholds import FALSE_ALARMS
    from triptych.bootstrap.chart_patterns import read_one
    from triptych.bootstrap.regime_alarms import alarms_of_file, alarms_of_run

    if source.is_dir():
        run = open_run(source)
        found = alarms_of_run(run, symbol=symbol, method=method, false_alarms=false_alarms, threshold=threshold)
    else:
        found = alarms_of_file(
            read_one(source, symbol), share=share, method=method or "switches",
            false_alarms=FALSE_ALARMS if false_alarms is None else false_alarms, threshold=threshold,
        )  # fmt: skip
    for path, write in ((output, write_alarms), (picture, draw_alarms)):
        if path is not None:
            write(found, path)
    rows, facts = alarm_rows(found), alarm_facts(found)
    if json:
        print_json({**facts, "alarms": rows})
        return
    _tell(found, rows, facts)
    for what, path in (("Written", output), ("Drawn", picture)):
        if path is not None:
            out.print(f"{what}: {path}", soft_wrap=True, markup=False)


def _tell(found: RegimeAlarms, rows: list[dict[str, Any]], facts: dict[str, Any]) -> None:
    """The alarms as a table, and what it takes to judge their number."""
    from triptych.bootstrap.alarm_files import STATISTICS
    from triptych.features.regimes import AHEAD

    title = (
        f"{len(rows)} alarms by {found.method} in {facts['judged_candles']:,} candles of {found.series.symbol}, from "
        f"{facts['judged_from'][:16]}; threshold {found.threshold:.4g}"
    )
    table = Table(title=title, title_justify="left")
    for head in ("at the close of", STATISTICS[found.method], "likeliest regime"):
        table.add_column(head)
    for row in rows:
        table.add_row(row["time"][:16], f"{row['value']:.3f}", row["regime"].replace("_", " "))
    out.print(table)
    out.print(
        f"In the candles before, in random order, it raises {found.in_nothing:.2f} alarms in 1,000 ({found.low:.2f} to "
        f"{found.high:.2f} in other orders, 95 %), counted on {found.n_calm:,}: there is nothing to find in them. In "
        f"the judged part: {1000 * len(rows) / facts['judged_candles']:.2f}."
    )
    for name, one in found.agreement.items():
        if one["likeliest"] > 0:
            out.print(
                f"{name.replace('_', ' ')}: likeliest for {one['likeliest']:.0%} of the candles; its rule holds "
                f"{AHEAD} candles later for {one['agreement']:.0%} of these."
            )
    for note in found.notes:
        out.print(note)
