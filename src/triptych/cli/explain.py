"""`triptych explain`: why a run decided as it did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from triptych.cli.console import out, print_json, warn
from triptych.cli.options import JsonOption, RunArgument
from triptych.domain.errors import RecipeError

if TYPE_CHECKING:
    from triptych.bootstrap import ExplainedConsensus, ExplainedDecision

Method = Literal["grad_cam", "layer_cam", "integrated_gradients", "occlusion"]
CHECKED: Final = 20
"""Decisions that a check looks at."""


def explain(
    run: RunArgument,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            help="Close of the candle it decided on, UTC, or `last` [default: where it was surest of each class].",
            metavar="TIME",
        ),
    ] = "",
    symbol: Annotated[
        str | None,
        typer.Option("--symbol", help="Instrument [default: the first; of the surest decisions any]."),
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option("--method", "-m", help="How to explain [default: integrated_gradients, of trees occlusion]."),
    ] = None,
    target: Annotated[
        Literal["sell", "hold", "buy"] | None,
        typer.Option("--target", help="Class to explain [default: the likeliest; without --at each]."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Picture (.png) to draw; beside it the figures as .json. Without --at one a class: FILE-buy.png.",
            metavar="FILE",
        ),
    ] = None,
    book: Annotated[
        list[Path] | None,
        typer.Option(
            "--book",
            help="Of a run of `triptych books train`: the recording of which it explains the books up to TIME, or "
            "the last ones.",
            metavar="FILE|FOLDER",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Instead: sanity checks of the methods on the surest decisions: shuffled weights, deletion curves. "
            "With --book on those at books that taught the network nothing.",
        ),
    ] = False,
    decisions: Annotated[
        int | None, typer.Option("--decisions", min=1, help=f"Decisions that --check looks at [default: {CHECKED}].")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show which candles, prices, factors or frequencies a decision rests on, and of a consensus whose vote decided.

    Without --at: the decisions of the test part that the run was surest of, one of each class.

    A network of `triptych books train` is explained by `--book`: which levels of which books its answer rests on.

    An explanation sees what the model saw, the candles up to TIME. It says what moved the network, not whether the
    network is right: `triptych evaluate` says that.
    """
    from triptych import bootstrap

    if check:
        _refuse_beside_check({"--at": at, "--target": target, "--out": output})
        _check(run, book, symbol, (method,) if method else (), decisions or CHECKED, json)
        return
    _refuse_without_check(decisions)
    if book:
        _explain_book(run, book, at, symbol, method, target or "", output, json)
        return
    opened = bootstrap.open_run(run)
    found: list[ExplainedDecision | ExplainedConsensus]
    if at:
        explained = bootstrap.explain_consensus if opened.recipe.members else bootstrap.explain_decision
        found = [explained(opened, at=at, symbol=symbol, method=method, target=target or "")]
    else:
        found = bootstrap.explain_surest(opened, symbol=symbol, method=method, target=target or "")
    _show(found, output, json, single=bool(at))


def _show(
    found: list[ExplainedDecision | ExplainedConsensus], output: Path | None, json: bool, *, single: bool
) -> None:
    """Write the pictures where they are asked for, and print the figures; `single`: one decision was asked for."""
    files = [] if output is None else _written(found, output)
    if json:
        rows = [one.to_dict() for one in found]
        print_json(rows[0] if single else {"decisions": rows})
        return
    for one in found:
        _print(one)
    for file in files:
        out.print(file, soft_wrap=True, markup=False)


def _refuse_beside_check(options: Mapping[str, object]) -> None:
    """Raises RecipeError for options of single decisions: a check looks at many, each for its likeliest class."""
    given = [name for name, value in options.items() if value]
    if given:
        raise RecipeError(
            f"--check was given with {', '.join(given)}.",
            remedy="It looks at the surest decisions, and draws nothing: leave one or the other out.",
        )


def _refuse_without_check(decisions: int | None) -> None:
    """Raises RecipeError for a number of decisions where no check looks at any."""
    if decisions is not None:
        raise RecipeError(
            "--decisions was given without --check.",
            remedy="It says how many decisions the check looks at: add --check, or leave it out.",
        )


def _explain_book(
    run: Path,
    books: list[Path],
    at: str,
    symbol: str | None,
    method: Method | None,
    target: str,
    output: Path | None,
    json: bool,
) -> None:
    from triptych import bootstrap
    from triptych.cli.explanation_tables import book_tables

    found = bootstrap.explain_book(run, books, at=at, symbol=symbol, method=method, target=target)
    files = [] if output is None else bootstrap.write_explained_book(found, output)
    if json:
        print_json(found.to_dict())
        return
    for table in book_tables(found):
        out.print(table)
    if found.explanation.shortfall:
        out.print(found.explanation.shortfall, markup=False)
    if found.unknown:
        warn(found.unknown)
    if found.learned_from_it:
        out.print("Note: books of this time taught the network; what it says here is no out-of-sample answer.")
    for file in files:
        out.print(file, soft_wrap=True, markup=False)


def _check(
    run: Path, books: list[Path] | None, symbol: str | None, methods: tuple[Method, ...], decisions: int, json: bool
) -> None:
    """Check the methods on the surest decisions of a run, which share no candle; with `books` no book."""
    from triptych import bootstrap
    from triptych.cli.explanation_tables import checks_table, flat_note

    of: Literal["book", "candle"] = "book" if books else "candle"
    if books:
        rows = bootstrap.check_book_explanations(run, books, decisions=decisions, symbol=symbol, methods=methods)
    else:
        opened = bootstrap.open_run(run)
        rows = bootstrap.check_explanations(opened, decisions=decisions, symbol=symbol, methods=methods)
    if json:
        print_json(rows)
        return
    out.print(checks_table(rows, of))
    if rows[0]["decisions"] < decisions:
        out.print(f"The test holds no more than {rows[0]['decisions']} decisions that share no {of}.")
    if flat_note(rows):
        out.print(flat_note(rows), markup=False)


def _written(found: list[ExplainedDecision | ExplainedConsensus], output: Path) -> list[Path]:
    """The pictures with their figures; of several decisions each with its class in its name."""
    from triptych import bootstrap

    if len(found) == 1:
        return bootstrap.write_explanation(found[0], output)
    files = []
    for one in found:
        side = one.to_dict()["target"]
        files += bootstrap.write_explanation(one, output.with_stem(f"{output.stem}-{side}"))
    return files


def _print(decision: ExplainedDecision | ExplainedConsensus) -> None:
    from triptych.bootstrap import ExplainedConsensus
    from triptych.cli.consensus_tables import consensus_tables
    from triptych.cli.explanation_tables import caution, explanation_tables

    if decision.chosen:
        out.print(decision.chosen, markup=False)
    if isinstance(decision, ExplainedConsensus):
        for part in consensus_tables(decision):
            out.print(part, markup=not isinstance(part, str))
    else:
        for table in explanation_tables(decision):
            out.print(table)
        if caution(decision):
            out.print(caution(decision), markup=False)
    if decision.learned_from_it:
        out.print("Note: the model learned from candles of this time; its decision here is no out-of-sample one.")
