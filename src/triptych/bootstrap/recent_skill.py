"""Weights by recent skill in training: the same function over recorded votes that moves them in a live session."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.candles import Candles
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.voting import arrays_of, first_judged
from triptych.bootstrap.windowing import first_end
from triptych.domain import CandleSeries
from triptych.domain.errors import NotEnoughData
from triptych.inference.combiner import Combiner
from triptych.inference.recent_skill import Heard, RecentSkill, outcomes_of
from triptych.settings import Recipe, members_of

LEAST_OUTCOMES = 4
"""A window must hold so many horizons, or there is hardly an outcome to weigh by."""


def skill_of(recipe: Recipe, candles: Candles, frame: pl.DataFrame, tell: Tell = silent) -> RecentSkill:
    """What the weights of a consensus are told by, nothing heard yet.

    Every decision looks back over the whole window. Where fewer candles than it takes stand before the first judged
    close, the window is as long as they allow, and that is told.

    Args:
        recipe: of the consensus, with method `skill`.
        candles: it is trained on.
        frame: votes as `gather_votes` makes them.
        tell: told of a shorter window.

    Raises NotEnoughData where hardly any outcome would count.
    """
    config = recipe.consensus
    skill = RecentSkill(
        window=config.window, half_life_days=config.half_life_days, floor=config.floor,
        timeframe_ms=candles.timeframe.milliseconds, target=recipe.target.model_dump(mode="json"),
    )  # fmt: skip
    needs = _needs(recipe)
    judged = frame.filter(pl.col("fold") >= first_judged(recipe))
    first_ms = int(judged["time"].cast(pl.Int64).min())  # type: ignore[arg-type]
    # Of the instrument with the most: those that were listed later say nothing until they have as many.
    speaking = [one for one in candles.series if one.symbol in judged["symbol"].unique()]
    before = max(int(np.searchsorted(one.close_time_ms, first_ms, side="right")) for one in speaking)
    window = min(config.window, before - needs - (skill.reach - skill.window))
    if window < LEAST_OUTCOMES * recipe.target.horizon:
        raise NotEnoughData(
            f"Before the first judged close there are {before:,} candles; {needs:,} are what the members look at, and "
            f"what is left is no window of {LEAST_OUTCOMES} horizons for their recent skill.",
            remedy='Bring more candles, shorten target.horizon, or set consensus.method = "vote".',
        )
    if window < config.window:
        tell(
            f"Recent skill is that of the last {window:,} candles, not {config.window:,}: more are not known at first."
        )
    return skill.model_copy(update={"window": window})


def is_decided(recipe: Recipe, skill: RecentSkill | None, candles: Candles, frame: pl.DataFrame) -> NDArray[np.bool_]:
    """At which rows of a frame of votes there is a joint answer, shape (n,): where a live session would have one too.

    With weights by recent skill an instrument, and every companion, must have the candles of the whole window by then;
    one that was listed late says nothing before. Otherwise wherever the members have an answer.
    """
    found = np.ones(len(frame), dtype=np.bool_)
    if skill is None:
        return found
    length = _needs(recipe) + skill.reach
    companions = {symbol for member in members_of(recipe).values() for symbol in member.features.companions}
    times, symbols = frame["time"].cast(pl.Int64).to_numpy(), frame["symbol"].to_numpy()
    for symbol in (*companions, *np.unique(symbols)):
        closes = candles.by_symbol[symbol].close_time_ms
        first_ms = closes[length - 1] if len(closes) >= length else np.inf
        found &= (times >= first_ms) | (False if symbol in companions else symbols != symbol)
    return found


def _needs(recipe: Recipe) -> int:
    """Candles that the members and the regime look at together."""
    return max(recipe.consensus.regime_length + 1, *(first_end(one) + 1 for one in members_of(recipe).values()))


def with_heard(
    skill: RecentSkill, by_symbol: Mapping[str, CandleSeries], frame: pl.DataFrame, names: tuple[str, ...], fold: int
) -> RecentSkill:
    """What was said in the segments before one, as far as it may still count there: out of fold, by earlier models.

    Of an instrument that said nothing in its last window, nothing is kept.
    """
    past = frame.filter(pl.col("fold") < fold)
    if not len(past):
        return skill
    until_ms = int(past["time"].cast(pl.Int64).max())  # type: ignore[arg-type]
    heard = {}
    for (symbol,), part in past.group_by("symbol", maintain_order=True):
        series = by_symbol[str(symbol)]
        times, votes = _due(skill, series, part, names)
        newest = np.searchsorted(series.close_time_ms, until_ms, side="right") - 1
        kept = np.searchsorted(series.close_time_ms, times) > newest - skill.window
        if kept.any():
            rows = votes[kept].reshape(np.count_nonzero(kept), -1).tolist()
            heard[str(symbol)] = Heard(time_ms=tuple(times[kept].tolist()), votes=tuple(map(tuple, rows)))
    return skill.model_copy(update={"heard_until_ms": until_ms, "heard": heard})


def weights_in(
    combiner: Combiner, by_symbol: Mapping[str, CandleSeries], frame: pl.DataFrame, fold: int
) -> NDArray[np.float64] | None:
    """Weights at every row of a test segment in the order of the frame, shape (n, n_members); None: they are fixed.

    Each knows of earlier rows only: of outcomes that were settled by its close.
    """
    if combiner.recent is None:
        return None
    now = frame.filter(fold=fold).with_row_index("row")
    found = np.empty((len(now), len(combiner.members)))
    known = frame.filter(pl.col("fold") <= fold)
    for (symbol,), part in now.group_by("symbol", maintain_order=True):
        series = by_symbol[str(symbol)]
        times, votes = _due(combiner.recent, series, known.filter(symbol=symbol), combiner.members)
        outcomes = outcomes_of(combiner.recent, series, times, votes)
        at = part["time"].cast(pl.Int64).to_numpy()
        found[part["row"].to_numpy()] = outcomes.weights(at, combiner.recent, np.array(combiner.weights))
    return found


def _due(
    skill: RecentSkill, series: CandleSeries, frame: pl.DataFrame, names: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows of one instrument whose outcomes count: closes, and votes of shape (n, n_members, 3)."""
    ordered = frame.sort("time")
    times = ordered["time"].cast(pl.Int64).to_numpy()
    votes, _ = arrays_of(ordered, names)
    due = np.isin(times, series.close_time_ms[skill.due(series.close_time_ms)])
    return times[due], votes[due]
