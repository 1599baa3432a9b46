"""`triptych books`: networks of order books, walls, spoofing, market impact."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from triptych.cli.console import Narrator, out, print_json, warn
from triptych.cli.options import JsonOption, QuietOption, RunArgument, SetOption

if TYPE_CHECKING:
    from triptych.training.books.impact_costs import SimulatedCosts
    from triptych.training.intervals import Interval

app = typer.Typer(
    help="Order books: short-term direction, walls of large orders, spoofing, market impact.", no_args_is_help=True
)
BookArgument = Annotated[
    Path, typer.Argument(help="Order books of any format that `read_books` knows.", metavar="FILE")
]
EveryOption = Annotated[
    int | None,
    typer.Option(
        "--every-ms",
        min=1,
        help="One book every so many milliseconds; of a file that is sampled already a multiple of its own step "
        "[default: every message of a stream, every row of a file].",
        metavar="MS",
    ),
]
TradesOption = Annotated[
    Path | None,
    typer.Option(
        "--trades",
        help="Trades of the same instrument and time; others are refused, and books of which no trade is told are left "
        "out.",
        metavar="FILE",
    ),
]
SymbolOption = Annotated[
    str | None,
    typer.Option(
        "--symbol", help="Which instrument, where a file holds several or does not say of what it is.", metavar="NAME"
    ),
]


@app.command("recipe")
def recipe(
    name: Annotated[
        str | None, typer.Argument(help="A shipped recipe to print; without it they are listed.", metavar="NAME")
    ] = None,
) -> None:
    """List the shipped recipes of order books, or print one."""
    from triptych.settings.books import book_recipe_text, shipped_book_recipes

    if name is None:
        out.print("\n".join(shipped_book_recipes()))
        return
    typer.echo(book_recipe_text(name)[0], nl=False)


@app.command("invent")
def invent(
    output: Annotated[Path, typer.Option("--out", help="File to write (.parquet).", metavar="FILE")],
    rows: Annotated[int, typer.Option("--rows", min=1, max=10_000_000, help="Books, one every 100 ms.")] = 8_000,
    levels: Annotated[int, typer.Option("--levels", min=1, max=100, help="Levels a side.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn.")] = 0,
    lean: Annotated[
        float, typer.Option("--lean", min=0.0, help="How far the best sizes follow the hidden pressure; 0: not at all.")
    ] = 1.2,
) -> None:
    """Write invented books in which the best queues lean before the price moves: a check that training works."""
    from triptych.market.books import write_tape
    from triptych.market.synthetic.leaning import leaning_tape

    write_tape(output, leaning_tape(rows, levels=levels, seed=seed, lean=lean))
    out.print(f"{rows:,} invented books: {output}", soft_wrap=True, markup=False)


@app.command("train")
def train(
    recipe: Annotated[
        str, typer.Argument(help="A recipe file (TOML) or the name of a shipped recipe.", metavar="RECIPE")
    ],
    data: Annotated[
        list[Path],
        typer.Option("--data", help="Recording of order books, or a file of FI-2010; may be repeated.", metavar="FILE"),
    ],
    output: Annotated[Path, typer.Option("--out", help="Folder of the run.", metavar="DIR")],
    set_: SetOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a run that is already there.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network of order books and judge it beside queue imbalance and the majority class."""
    from triptych.bootstrap.books.training import train_books
    from triptych.settings.books import load_book_recipe

    result = train_books(data, load_book_recipe(recipe, set_ or []), output, fresh=fresh, tell=Narrator(quiet or json))
    _show(output, result, json)


@app.command("report")
def report(
    run: RunArgument,
    output: Annotated[
        Path | None, typer.Option("--out", help="Draw the metrics to this PNG file.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Metrics of a finished run with their intervals, beside the baselines, and the verdict."""
    from triptych.bootstrap.books.pictures import draw_scores
    from triptych.bootstrap.books.place import read_result

    result = read_result(run)
    if output is not None:
        draw_scores({run.name: result}, output)
    _show(run, result, json)


@app.command("walls")
def walls(
    file: BookArgument,
    trades: TradesOption = None,
    symbol: SymbolOption = None,
    every_ms: EveryOption = None,
    multiple: Annotated[
        float, typer.Option("--multiple", help="Least size, in usual sizes of its place in the book.", min=1.0001)
    ] = 8.0,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Least rows that a wall stood.")] = 10,
    output: Annotated[
        Path | None, typer.Option("--out", help="Draw the last minute of books with them to this PNG file.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Walls of large orders: price, side, size, how long they stood, and whether they were filled or pulled."""
    from triptych.bootstrap.books.opening import open_with_trades
    from triptych.bootstrap.books.pictures import draw_walls
    from triptych.domain import utc
    from triptych.market.books.walls import Config, find_walls

    tape, beside, note = open_with_trades(file, trades, every_ms=every_ms, symbol=symbol)
    if note:
        warn(note)
    found = find_walls(tape, Config(multiple=multiple), trades=beside)
    found = tuple(one for one in found if one.rows >= rows)
    if output is not None:
        draw_walls(tape, found, output)
    if json:
        print_json(
            [
                _plain(asdict(one)) | {"seen_at": utc(int(tape.time_ms[one.first])), "rows_stood": one.rows}
                for one in found
            ]
        )
        return
    endings = Counter(one.ending for one in found)
    said = ", ".join(f"{count} {ending}" for ending, count in endings.most_common())
    table = Table(title=f"{len(found)} walls in {len(tape)} books of {tape.symbol}: {said}", title_justify="left")
    for head in ("seen at", "side", "price", "size", "multiple", "rows", "cluster", "became"):
        table.add_column(head, overflow="fold")
    for one in sorted(found, key=lambda one: -one.multiple)[:20]:
        table.add_row(
            utc(int(tape.time_ms[one.first])), "bid" if one.side == 1 else "ask", f"{one.price:g}", f"{one.size:g}",
            f"{one.multiple:.0f}", str(one.rows), str(one.cluster), one.ending,
        )  # fmt: skip
    out.print(table)
    if output is not None:
        out.print(f"Drawn: {output}", soft_wrap=True, markup=False)


@app.command("spoofing")
def spoofing(
    file: Annotated[
        Path | None,
        typer.Argument(help="Order books; without them the rule is tried on simulated ones.", metavar="FILE"),
    ] = None,
    trades: TradesOption = None,
    symbol: SymbolOption = None,
    every_ms: EveryOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the first simulated stream.")] = 0,
    streams: Annotated[
        int, typer.Option("--streams", min=1, max=10_000, help="Simulated streams, of sixty episodes each.")
    ] = 20,
    own: Annotated[
        float,
        typer.Option(
            "--own", min=0.0, help="Size of a simulated spoofer's own order, in usual levels; 0: it is not shown."
        ),
    ] = 8.0,
    threshold: Annotated[float, typer.Option("--threshold", min=1e-6, max=1, help="Least score shown.")] = 0.4,
    json: JsonOption = False,
) -> None:
    """Layers of large orders that vanish together after the other side has traded; or how good the rule is."""
    from triptych.bootstrap.books.opening import open_with_trades
    from triptych.domain import utc
    from triptych.domain.errors import DataError
    from triptych.market.books.spoofing import Config, find_spoofing

    if file is None:
        _try_spoofing(seed, streams, own, json)
        return
    if trades is None:
        raise DataError("Spoofing cannot be told without trades.", remedy="Give the trades beside with --trades.")
    tape, beside, note = open_with_trades(file, trades, every_ms=every_ms, symbol=symbol)
    if note:
        warn(note)
    found = find_spoofing(tape, beside, Config(threshold=threshold))
    rows = [_plain(asdict(one)) | {"time": utc(int(tape.time_ms[one.known_at]))} for one in found]
    if json:
        print_json(rows)
        return
    table = Table(title=f"{len(rows)} alarms in {len(tape)} books of {tape.symbol}", title_justify="left")
    for head in ("known at", "side", "walls", "prices", "rows", "score"):
        table.add_column(head)
    for row, one in zip(rows, found, strict=True):
        side, prices = "bid" if one.side == 1 else "ask", f"{one.low:g} .. {one.high:g}"
        table.add_row(row["time"], side, str(one.walls), prices, str(one.last - one.first + 1), f"{one.score:.2f}")
    out.print(table)


@app.command("impact")
def impact(
    file: BookArgument,
    every_ms: EveryOption = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Rows of a bucket of order flow.")] = 10,
    trades: TradesOption = None,
    symbol: SymbolOption = None,
    timeframe: Annotated[
        str, typer.Option("--timeframe", help="With --trades: of the candles that will be traded.")
    ] = "1m",
    json: JsonOption = False,
) -> None:
    """How far the mid moves with the order flow, and what market orders cost, out of sample with 95 % intervals.

    With --trades also what to set costs.half_spread_bp and costs.impact to, in a backtest or on paper;
    costs.slippage_bp comes on top.
    """
    from triptych.bootstrap.books.opening import open_with_trades
    from triptych.domain import Timeframe
    from triptych.domain.errors import NotEnoughData
    from triptych.market.books import candles_from_trades
    from triptych.training.books.impact import Config, flow_impact, walk_impact
    from triptych.training.books.impact_costs import simulated_costs

    candle = Timeframe.parse(timeframe)
    tape, beside, note = open_with_trades(file, trades, every_ms=every_ms, symbol=symbol)
    if note:
        warn(note)
    config = Config(rows=rows)
    flows, curves = flow_impact(tape, config), walk_impact(tape, config)
    costs = None
    if beside is not None:
        try:
            costs = simulated_costs(tape, candles_from_trades(beside, candle), config)
        except NotEnoughData as error:  # what is known without candles is told all the same
            warn(f"What to set costs to is not told. {error}")
    if json:
        content = {"flow": [_plain(asdict(one)) for one in flows], "walk": [_plain(asdict(one)) for one in curves]}
        told = None if costs is None else _plain(asdict(costs))
        print_json(content | ({} if beside is None else {"costs": told}))
        return
    table = Table(title=f"{tape.symbol}, {len(tape)} books, buckets of {rows} rows", title_justify="left")
    for head in ("what", "slope, bp", "R2 in training", "R2 out of sample"):
        table.add_column(head)
    for flow in flows:
        table.add_row(flow.name, f"{flow.slope:.4g}", f"{flow.train_r2:.3f}", _within(flow.test_r2))
    out.print(table)
    table = Table(title=f"Cost of a market order, up to {curves[0].unit:g}", title_justify="left")
    heads = (
        "curve", "cost in bp of a share x of that", "R2 in training", "R2 out of sample",
        "minus that of the free power", "error, bp",
    )  # fmt: skip
    for head in heads:
        table.add_column(head)
    for curve in curves:
        formula = f"{curve.intercept_bp:.3g} + {curve.scale:.3g} x^{curve.power:.2f}"
        table.add_row(
            curve.name, formula, f"{curve.train_r2:.3f}", _within(curve.test_r2),
            "" if curve is curves[0] else _within(curve.over_free, "+.4f"), _within(curve.test_error_bp),
        )  # fmt: skip
    out.print(table)
    if costs is not None:
        _show_costs(costs, timeframe)


def _show_costs(costs: SimulatedCosts, timeframe: str) -> None:
    from triptych.exchanges.simulated.costs import Config

    half = costs.half_spread_bp.value
    out.print(
        f"For the simulated exchange: --set costs.half_spread_bp={half:.3g} "
        f"--set costs.impact={costs.impact.value:.3g}",
        soft_wrap=True,
    )
    slippage = Config().slippage_bp
    times = f", {slippage / half:,.0f} times this half spread" if half > 0 else ""
    out.print(
        f"costs.slippage_bp comes on top: {slippage:g} bp unless a recipe says otherwise{times}. It is for what no "
        "book tells, how far the price runs until an order arrives. With --set costs.slippage_bp=0 an order pays what "
        "these books ask and nothing else: the least that it can cost.",
        soft_wrap=True,
    )
    out.print(
        f"From {costs.candles} candles of {timeframe}, 95 %: half spread {_within(costs.half_spread_bp, '.3g')} "
        f"bp, impact {_within(costs.impact, '.3g')}; of orders up to {costs.largest:.3g}, "
        f"{costs.share_of_volume:.1%} of the mean candle's volume.",
        style="dim",
    )


def _try_spoofing(seed: int, streams: int, own: float, json: bool) -> None:
    from triptych.bootstrap.books.spoofing_trial import try_spoofing
    from triptych.market.synthetic.spoofing import Config

    trials = try_spoofing(Config(seed=seed, own=own), streams=streams)
    if json:
        print_json(
            [_plain(asdict(one) | {"precision": asdict(one.precision), "recall": asdict(one.recall)}) for one in trials]
        )
        return
    table = Table(
        title=f"{trials[0].planted} spoofing episodes in {trials[0].rows} simulated books", title_justify="left"
    )
    for head in ("threshold", "precision", "recall", "median delay", "false alarms"):
        table.add_column(head)
    for one in trials:
        wrong = ", ".join(f"{count} {kind}" for kind, count in one.false_by_kind.items()) or "none"
        table.add_row(
            f"{one.threshold:g}", _within(one.precision, ".2f"), _within(one.recall, ".2f"),
            f"{one.delay_rows:g} rows", wrong,
        )  # fmt: skip
    out.print(table)


def _within(one: Interval, form: str = ".3f") -> str:
    return f"{one.value:{form}} [{one.low:{form}}, {one.high:{form}}]"


def _show(run: Path, result: dict[str, Any], json: bool) -> None:
    if json:
        print_json({"run": str(run), **result})
        return
    scores = result["scores"]
    table = Table(
        title=f"{scores['samples']:,} test rows, about {scores['independent']:g} independent", title_justify="left"
    )
    table.add_column("")
    names = {"mcc": "MCC", "macro_f1": "macro F1", "weighted_f1": "weighted F1", "accuracy": "accuracy"}
    for words in names.values():
        table.add_column(words)
    only = scores.get("only_class")
    for predictor, metrics in scores["metrics"].items():
        cells = [f"{m['value']:.3f} [{m['low']:.3f}, {m['high']:.3f}]" for m in (metrics[key] for key in names)]
        if only and only[predictor]:
            cells[0] = f"0\n[dim]{only[predictor]} only[/]"
        table.add_row(predictor, *cells)
    out.print(table)
    out.print(
        "MCC is taken within each fold and each instrument and averaged by their rows. Only: one class for every row "
        "of each, which is no skill whatever comes.",
        style="dim",
    )
    out.print(result["verdict"], soft_wrap=True)
    if only is None and (len(result["splits"]) > 1 or len({one["symbol"] for one in result["data"]}) > 1):
        warn(
            "An earlier version judged this run, by an MCC over all folds and instruments together, which may see "
            "skill where they merely differ from one another. Train it anew with --fresh."
        )
    out.print(f"Artifact: {run / 'artifact'}", soft_wrap=True, markup=False)


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity."""

    def one(value: Any) -> Any:
        if isinstance(value, dict):
            return _plain(value)
        return None if isinstance(value, float) and not abs(value) < float("inf") else value

    return {key: one(value) for key, value in content.items()}
