"""Explanations of the decisions that a run was surest of, one of each class."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from triptych.bootstrap.backtesting import candles_of
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.explaining import ExplainedDecision, explain_decision
from triptych.bootstrap.explaining_consensus import ExplainedConsensus, explain_consensus
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.surest import Sure, judged_decisions, surest
from triptych.domain import CLASSES, utc
from triptych.inference.explain import Method


def explain_surest(
    run: Run,
    *,
    symbol: str | None = None,
    method: Method | None = None,
    target: str = "",
    candles: Candles | None = None,
) -> list[ExplainedDecision | ExplainedConsensus]:
    """Explain the decisions of the test part that a run was surest of: the surest sell, hold and buy.

    Args:
        run: a trained run of one model or of several.
        symbol: only decisions about this instrument; None takes all.
        method: as for `explain_decision`.
        target: only this class.
        candles: the run's candles, where they have been loaded already.

    Returns:
        One explanation a class, of that class, `chosen` saying how sure the run was. A class that was never the
        likeliest is shown where it was likeliest of all, and `chosen` says so.

    Raises as `explain_decision` and `explain_consensus`.
    """
    run.require_trained()
    candles = candles or candles_of(run)
    frame = judged_decisions(run, symbol)
    found: list[ExplainedDecision | ExplainedConsensus] = []
    for side in (target,) if target else CLASSES:
        (one,) = surest(frame, side)
        found.append(explain_one(run, one, method=method, candles=candles, chosen=why_chosen(frame, one)))
    return found


def explain_one(
    run: Run, one: Sure, *, method: Method | None = None, candles: Candles | None = None, chosen: str = ""
) -> ExplainedDecision | ExplainedConsensus:
    """Explain a decision that was chosen for its certainty, for the class it was sure of."""
    at = utc(one.time_ms)
    if run.recipe.members:
        whole = explain_consensus(run, at=at, symbol=one.symbol, method=method, target=one.side, candles=candles)
        return replace(whole, chosen=chosen)
    single = explain_decision(run, at=at, symbol=one.symbol, method=method, target=one.side, candles=candles)
    return replace(single, chosen=chosen)


def why_chosen(frame: pl.DataFrame, one: Sure) -> str:
    """Why a decision was chosen among those of a frame, and how sure it was, in words."""
    mean = float(frame[f"probability_{one.side}"].mean())  # type: ignore[arg-type]
    said = (
        f"The surest {one.side} of {len(frame):,} decisions of the test: {one.probability:.1%}, on average {mean:.1%}."
    )
    if one.is_likeliest:
        return said
    return f"{said} It was not the likeliest class even here{_never(frame, one.side)}."


def _never(frame: pl.DataFrame, side: str) -> str:
    return "" if (frame["likeliest"] == side).any() else ", nor anywhere in the test"
