"""`triptych patterns`: chart and candle patterns on a file of candles, by rules or by a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from triptych.cli.console import Narrator, out, print_json
from triptych.cli.options import JsonOption, QuietOption, SetOption

FreshOption = Annotated[bool, typer.Option("--fresh", help="Replace a network that is already there.")]

app = typer.Typer(
    help="Chart patterns (head and shoulders, doubles, triangles, flags, wedges, cups), and candle patterns.",
    no_args_is_help=True,
)


@app.command("find")
def find(
    file: Annotated[Path, typer.Argument(help="Candles: CSV, Parquet or Arrow.", metavar="FILE")],
    output: Annotated[
        Path | None, typer.Option("--out", help="Draw the candles with the boxes to this PNG file.", metavar="FILE")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Folder of a network from `patterns train`; rules without it.", metavar="DIR"),
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="The ten patterns of Lo, Mamaysky and Wang (2000) as they define them.")
    ] = False,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Instrument, where the file holds several.")] = None,
    last: Annotated[int, typer.Option("--last", min=0, help="Only the last N candles; 0 for all.", metavar="N")] = 0,
    pattern: Annotated[
        list[str] | None, typer.Option("--pattern", help="Only this pattern; may be repeated.", metavar="NAME")
    ] = None,
    score: Annotated[float, typer.Option("--score", min=0, max=1, help="Least score that is shown.")] = 0.0,
    json: JsonOption = False,
) -> None:
    """Find chart patterns, each with its box, its score and the candle at which it was known."""
    from triptych.bootstrap import chart_patterns
    from triptych.bootstrap.pattern_pictures import draw_detections
    from triptych.inference.pattern_predictor import open_patterns

    series = chart_patterns.read_one(file, symbol, last)
    network = None if model is None else open_patterns(model)
    found = chart_patterns.find_patterns_in(series, network=network, patterns=pattern or (), paper=paper)
    found = tuple(d for d in found if d.score >= score)
    if output is not None:
        draw_detections(series, found, output)
    rows = chart_patterns.detection_rows(series, found)
    if json:
        print_json(rows)
        return
    table = Table(title=f"{len(rows)} chart patterns in {len(series)} candles of {series.symbol}", title_justify="left")
    for head in ("known at", "pattern", "from", "to", "score"):
        table.add_column(head, overflow="fold")
    for row in rows:
        known, start, end = (row[key][:16] for key in ("known_at", "start", "end"))
        table.add_row(known, row["pattern"].replace("_", " "), start, end, f"{row['score']:.2f}")
    out.print(table)
    if output is not None:
        out.print(f"Drawn: {output}", soft_wrap=True, markup=False)


@app.command("train")
def train(
    output: Annotated[Path, typer.Option("--out", help="Folder for the network.", metavar="DIR")],
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="TOML file with other settings.", metavar="FILE")
    ] = None,
    set_: SetOption = None,
    fresh: FreshOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network that names chart patterns and their boxes, on generated charts.

    A training that was stopped, even killed, goes on from its last epoch when the same command is given again, and ends
    with the same network. One that is complete is not trained twice.
    """
    from triptych.bootstrap.chart_patterns import read_chart_pattern_recipe, train_chart_patterns

    train_chart_patterns(read_chart_pattern_recipe(recipe, set_ or []), output, fresh=fresh, tell=Narrator(quiet))
    out.print(f"Network: {output}", soft_wrap=True, markup=False)


@app.command("candles")
def candles(
    file: Annotated[Path, typer.Argument(help="Candles: CSV, Parquet or Arrow.", metavar="FILE")],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", help="Folder of a network from `patterns train-candles`; TA-Lib without it.", metavar="DIR"
        ),
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Instrument, where the file holds several.")] = None,
    last: Annotated[int, typer.Option("--last", min=0, help="Only the last N candles; 0 for all.", metavar="N")] = 20,
    every: Annotated[
        bool, typer.Option("--all", help="Of a network also the classes that it had too few examples of.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Name the candle patterns that end with each candle, with their probability and quality.

    A network is asked about the classes that it had examples enough of, the ones that recipes read.
    """
    from triptych.bootstrap.candle_findings import candle_findings, left_out
    from triptych.bootstrap.chart_patterns import read_one

    series = read_one(file, symbol)
    rows = candle_findings(series, last=last, model=model, every=every)
    if json:
        print_json(rows)
        return
    shown = min(last or len(series), len(series))
    table = Table(title=f"{len(rows)} candle patterns in {shown} candles of {series.symbol}", title_justify="left")
    for head in ("known at", "candle pattern", "probability", "quality"):
        table.add_column(head, justify="right" if head in ("probability", "quality") else "left")
    for row in rows:
        figures = f"{row['probability']:.2f}", f"{row['quality']:.2f}"
        table.add_row(row["known_at"][:16], row["pattern"].replace("_", " "), *figures)
    out.print(table)
    if model is not None and not every and (count := left_out(model)):
        out.print(f"Left out: {count} classes that the network had too few examples of; --all shows them.")


@app.command("train-candles")
def train_candles(
    files: Annotated[
        list[Path], typer.Argument(help="Candles: CSV, Parquet or Arrow, a history each.", metavar="FILE")
    ],
    output: Annotated[Path, typer.Option("--out", help="Folder for the network.", metavar="DIR")],
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="TOML file with other settings.", metavar="FILE")
    ] = None,
    set_: SetOption = None,
    fresh: FreshOption = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Train a network that names TA-Lib's candle patterns, and judge it class by class on later candles.

    A training that was stopped, even killed, goes on from its last epoch when the same command is given again, and ends
    with the same network. One that is complete is not trained twice.
    """
    from dataclasses import asdict

    from triptych.bootstrap.candle_patterns import CandlePatternRecipe, train_candle_patterns
    from triptych.bootstrap.chart_patterns import read_one, read_pattern_recipe

    settings = read_pattern_recipe(recipe, CandlePatternRecipe, set_ or [])
    histories = [read_one(file) for file in files]
    result = train_candle_patterns(histories, settings, output, fresh=fresh, tell=Narrator(quiet or json))
    judged = [one for one in result.scores if one.in_training >= settings.least_examples]
    if json:
        facts = {"macro_f1": result.macro_f1, "interval": result.interval, "always": result.always}
        print_json({**facts, "scores": [asdict(one) for one in result.scores]})
        return
    low, high = result.interval
    title = (
        f"Macro F1 {result.macro_f1:.3f} ({low:.3f} to {high:.3f}) over {len(judged)} classes; saying every pattern "
        f"always: {result.always:.3f}"
    )
    table = Table(title=title, title_justify="left")
    for head in ("candle pattern", "learnt from", "later", "precision", "recall", "F1 (95 %)"):
        table.add_column(head, justify="left" if head == "candle pattern" else "right")
    for one in sorted(judged, key=lambda score: score.f1):
        counts = f"{one.in_training:,}", f"{one.in_test:,}"
        f1 = "{:.2f} ({:.2f} to {:.2f})".format(one.f1, *one.interval)
        table.add_row(one.label.replace("_", " "), *counts, f"{one.precision:.2f}", f"{one.recall:.2f}", f1)
    out.print(table)
    out.print(f"Network: {output}", soft_wrap=True, markup=False)
