"""`triptych explain`: why a run decided as it did at one time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption, RunArgument


def explain(
    run: RunArgument,
    at: Annotated[
        str,
        typer.Option("--at", help="Close of the candle it decided on, UTC [default: the last].", metavar="TIME"),
    ] = "",
    symbol: Annotated[str | None, typer.Option("--symbol", help="Instrument [default: the first].")] = None,
    method: Annotated[
        Literal["grad_cam", "layer_cam", "integrated_gradients", "occlusion"] | None,
        typer.Option("--method", "-m", help="How to explain [default: integrated_gradients]."),
    ] = None,
    target: Annotated[
        Literal["sell", "hold", "buy"] | None,
        typer.Option("--target", help="Class to explain [default: the likeliest]."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--out", help="Picture (.png) to draw; beside it the figures as .json.", metavar="FILE"),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Instead: sanity checks of the methods on decisions of the test: shuffled weights, deletion curves.",
        ),
    ] = False,
    decisions: Annotated[int, typer.Option("--decisions", min=1, help="Decisions that --check looks at.")] = 8,
    json: JsonOption = False,
) -> None:
    """Show which candles, prices, factors or frequencies a decision rests on.

    An explanation sees what the model saw, the candles up to TIME. It says what moved the network, not whether the
    network is right: `triptych evaluate` says that.
    """
    from triptych import bootstrap
    from triptych.cli.explanation_tables import checks_table, explanation_tables, flat_note, no_heat

    opened = bootstrap.open_run(run)
    if check:
        rows = bootstrap.check_explanations(
            opened, decisions=decisions, symbol=symbol, methods=(method,) if method else ()
        )
        if json:
            print_json(rows)
        else:
            out.print(checks_table(rows))
            if flat_note(rows):
                out.print(flat_note(rows), markup=False)
        return
    decision = bootstrap.explain_decision(opened, at=at, symbol=symbol, method=method, target=target or "")
    files = [] if output is None else bootstrap.write_explanation(decision, output)
    if json:
        print_json(decision.to_dict())
        return
    for table in explanation_tables(decision):
        out.print(table)
    if no_heat(decision):
        out.print(no_heat(decision), markup=False)
    if decision.learned_from_it:
        out.print("Note: the model learned from candles of this time; its decision here is no out-of-sample one.")
    for file in files:
        out.print(file, soft_wrap=True, markup=False)
