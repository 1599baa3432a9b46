"""What the market looked like when it last looked like this, what followed, and how strange and how new this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.backtesting import candles_of
from triptych.bootstrap.explaining import end_at, model_in_charge, series_of
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.windowing import first_end, reach, windows_at
from triptych.domain import CLASSES, CandleSeries, utc
from triptych.domain.errors import NotEnoughData
from triptych.features.targets import label
from triptych.inference import load_artifact, siamese_of
from triptych.inference.similar import (
    LEAST_TO_JUDGE,
    count_apart,
    embeddings_of,
    most_similar,
    require_apart,
    spread_of,
    strangeness_of,
)

UNLABELLED = "unknown"
REFERENCE = 500
"""Windows before this one against which strangeness and change are ranked."""


@dataclass(frozen=True, kw_only=True)
class Similar:
    """What is like a window.

    Attributes:
        symbol, time_ms: of the window; close of its last candle, UTC milliseconds.
        fold: whose model was asked.
        rows: past windows by likeness: `time`, `similarity` (cosine), `followed` (class; `unknown` where the candle
            has no label) and `return`.
        learned_from_it: whether the model that was asked had learned from candles of this time.
        strangeness: mean distance to the ten nearest of the past windows that share no candle with it, from 0 to 2.
        strangeness_rank: share of the windows before that were less strange.
        change: distance from the window just before this one, from 0 to 2; None where that one is not known.
        change_rank: share of the windows before that had changed less; None likewise.
        spread: median distance of two of the past windows, from 0 to 2.
    """

    symbol: str
    time_ms: int
    fold: int
    learned_from_it: bool
    rows: list[dict[str, Any]]
    strangeness: float
    strangeness_rank: float
    change: float | None
    change_rank: float | None
    spread: float

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {**vars(self), "time": utc(self.time_ms)}


def similar(run: Run, *, at: str = "", symbol: str | None = None, count: int = 10, step: int = 4) -> Similar:
    """Look up the windows of the past that were most like the one that closes at a time.

    Only windows are named that share no candle with this one or with one another, and whose outcome was known by then.
    Windows that are not known, since a companion's candles are missing, are passed over.

    Args:
        run: a run of a recipe with [siamese].
        at: close of the last candle, UTC; `last` or nothing takes the last there is.
        symbol: instrument; None takes the first.
        count: windows at most.
        step: every n-th window of the past is looked at.

    Raises ArtifactError for another kind of model and for a network that has collapsed, so that none of this would mean
    anything, NotEnoughData when this window is not known, or fewer than 20 past windows that overlap by half at most
    are looked at, too few to tell which of the two it is, and as `explain_decision`.
    """
    run.require_trained()
    candles = candles_of(run)
    series, recipe = series_of(candles, symbol), run.recipe
    end, length, horizon = end_at(series, at), reach(recipe), recipe.target.horizon
    known = series.between(0, end + 1)
    fold, learned = model_in_charge(run, int(series.close_time_ms[end]))
    classifier = load_artifact(run.fold(fold) / "artifact").classifier()
    siamese_of(classifier)
    last = end - max(length, horizon)
    ends = np.arange(last, first_end(recipe) - 1, -step)[::-1]
    beside = candles.beside(recipe)
    _require_enough(known, ends, length, horizon, first_end(recipe), step)
    recent = np.arange(max(first_end(recipe) + length, end - REFERENCE), end + 1)
    every = np.unique(np.concatenate([ends, recent, recent - length]))
    placed = embeddings_of(classifier, windows_at(recipe, known, every, beside))
    where = {int(e): place for e, place in zip(every.tolist(), placed, strict=True) if np.isfinite(place).all()}
    _require_known(known, where)
    ends = np.array([e for e in ends.tolist() if e in where], dtype=np.int64)
    _require_enough(known, ends, length, horizon, first_end(recipe), step)
    lately = [e for e in recent.tolist() if e in where]
    past = np.stack([where[e] for e in ends.tolist()])
    spread = spread_of(past)
    require_apart(spread)
    likeness = past @ where[end]
    targets = label(known, recipe.target)
    rows = []
    for place in most_similar(likeness, ends, count=count, apart=length).tolist():
        e = int(ends[place])
        followed = int(targets.classes[e])
        rows.append(
            {
                "time": utc(int(known.close_time_ms[e])),
                "similarity": float(likeness[place]),
                "followed": CLASSES[followed] if followed >= 0 else UNLABELLED,
                "return": float(known.close[e + horizon] / known.close[e] - 1.0),
            }
        )
    # Not of the library: where the model learned, that holds the window itself and later ones.
    strange = [strangeness_of(where[e], past[ends <= e - length]) for e in lately if ends[0] <= e - length]
    change = [_apart(where[e], where.get(e - length)) for e in lately]
    return Similar(
        symbol=series.symbol, time_ms=int(series.close_time_ms[end]), fold=fold, rows=rows, learned_from_it=learned,
        strangeness=strange[-1], strangeness_rank=_rank(strange),
        change=change[-1], change_rank=None if change[-1] is None else _rank([c for c in change if c is not None]),
        spread=spread,
    )  # fmt: skip


def _require_enough(
    known: CandleSeries, ends: NDArray[np.int64], length: int, horizon: int, first: int, step: int
) -> None:
    """Refuse to look up a window among too few of the past. Raises NotEnoughData."""
    count, half = count_apart(ends, length), -(-length // 2)
    if count >= LEAST_TO_JUDGE:
        return
    told = min(step, half)  # a step above half a window only looks at fewer of them
    needed = first + (LEAST_TO_JUDGE - 1) * told * -(-half // told) + max(length, horizon) + 1
    if len(known) < needed:
        remedy = (
            f"Ask about a later time: {needed:,} candles of history are enough by steps of {told}, there are "
            f"{len(known):,}."
        )
    elif told < step:
        remedy = f"Look at more of them: step = {told} of triptych.bootstrap.similar is enough."
    else:
        remedy = "Ask about a later time, or bring the companions' candles: of the others factors are not known."
    raise NotEnoughData(
        f"{known.symbol}: {count} past windows of {length:,} candles that overlap by half at most had ended "
        f"{max(length, horizon):,} candles before {utc(int(known.close_time_ms[-1]))}"
        f", looked at each {step} candles; {LEAST_TO_JUDGE} are needed to tell whether the network tells one window "
        "from another, and what is strange.",
        remedy=remedy,
    )


def _require_known(known: CandleSeries, where: Mapping[int, NDArray[np.float32]]) -> None:
    """Refuse to look up a window that is not known. Raises NotEnoughData."""
    end = len(known) - 1
    if end in where:
        return
    last = max((e for e in where if e < end), default=None)
    raise NotEnoughData(
        f"{known.symbol}: the window that closes at {utc(int(known.close_time_ms[end]))} UTC is not known: factors of "
        "it are missing, such as those of a companion without candles.",
        remedy="Bring the companions' candles of that time."
        if last is None
        else f"Ask about an earlier time, such as {utc(int(known.close_time_ms[last]))}, or bring the companions' "
        "candles.",
    )


def _apart(place: NDArray[np.float32], before: NDArray[np.float32] | None) -> float | None:
    """Distance of a window from the one just before it, from 0 to 2; None where that one is not known."""
    return None if before is None else float(np.sqrt(max(2.0 - 2.0 * float(place @ before), 0.0)))


def _rank(values: list[float]) -> float:
    """Share of the earlier values that lie below the last one."""
    return float(np.mean(np.array(values[:-1]) < values[-1])) if len(values) > 1 else 0.0
