"""Why a consensus decided as it did: every member's view, how the votes became the decision, and whose vote decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.backtesting import candles_of, with_trading
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.explaining import (
    ExplainedDecision,
    end_at,
    explained_by,
    first_window,
    methods_of,
    model_in_charge,
    series_of,
    usual,
)
from triptych.bootstrap.files import BACKTEST_KEYS, read_frame, read_json
from triptych.bootstrap.leaving_out import read_left_out
from triptych.bootstrap.probing import until
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.voting import first_judged
from triptych.domain import CLASSES, CandleSeries, Prediction, Vote, utc
from triptych.domain.errors import NotEnoughData, RunError
from triptych.inference import ConsensusArtifact, load_consensus
from triptych.inference.combiner import BOTH, Combiner
from triptych.inference.explain import JointAnswer, Method, explain_votes
from triptych.inference.recent_skill import weights_of
from triptych.inference.regime_predictor import RegimePredictor
from triptych.settings import Recipe, members_of
from triptych.strategies import AbstractStrategy, create_strategy

LOWERED = 3
"""Inputs named that lowered a probability."""


@dataclass(frozen=True, kw_only=True)
class WithoutMember:
    """What the decision would have been had one member never been there.

    Attributes:
        name: of the member.
        probabilities: joint ones of sell, hold, buy without it, float64 of shape (3,); None where nothing could join
            the others.
        target, reason: what the strategy would have wanted, from -1 to 1, and why.
        changes: whether that is another direction, or none instead of one.
    """

    name: str
    probabilities: NDArray[np.float64] | None
    target: float
    reason: str
    changes: bool


@dataclass(frozen=True, kw_only=True)
class ExplainedConsensus:
    """One decision of a consensus, explained.

    Attributes:
        members: what each member saw, by name; `members["charts"].explanation.heat` is its heat.
        methods: what must be said of the method of a member, by name; empty where it is the one that was asked for.
        votes: what each said.
        explained: the class that the members are explained for.
        joint: how the votes became the joint prediction.
        target, reason: what the strategy wanted, from -1 to 1, and why.
        wanted_before: what it had wanted one candle before, by the run's backtest; 0 where that does not tell.
        without: the decision without each member.
        symbol, time_ms, fold, learned_from_it, chosen: as of an `ExplainedDecision`.
    """

    members: dict[str, ExplainedDecision]
    methods: dict[str, str]
    votes: tuple[Vote, ...]
    explained: str
    joint: JointAnswer
    target: float
    reason: str
    wanted_before: float
    without: tuple[WithoutMember, ...]
    symbol: str
    time_ms: int
    fold: int
    learned_from_it: bool
    chosen: str = ""

    @property
    def deciding(self) -> tuple[str, ...]:
        """The members each of which, taken away, would change the decision."""
        return tuple(one.name for one in self.without if one.changes)

    @property
    def sentence(self) -> str:
        """Whose vote decided, in words."""
        unknown = [one.name for one in self.without if one.probabilities is None]
        known = len(self.without) - len(unknown)
        rest = f" Nothing joins the others without {', '.join(unknown)}." if unknown else ""
        if not known:
            return "Whose vote decided cannot be told: the run holds nothing that joins the others. Train it again."
        if not self.deciding:
            each = "any other single member" if unknown else "any single member"
            return f"No member decided by itself: the direction is the same without {each}.{rest}"
        decided = ", ".join(
            f"{one.name} ({words_of(self.target)} would be {words_of(one.target)})"
            for one in self.without
            if one.changes
        )
        return f"Taken away, these would change the decision: {decided}.{rest}"

    @property
    def filtered(self) -> str:
        """What meta-labelling thought of the side that was chosen, and what lowered it most; empty of other methods."""
        joint = self.joint
        if joint.method != "meta":
            return ""
        worst = ", ".join(f"{one.source} ({one.reads}) {one.adds:+.3f}" for one in joint.lowered_by[:LOWERED])
        right = joint.probabilities[CLASSES.index(joint.target)]
        said = f"The filter gives {joint.target} {right:.1%} to be right after costs."
        return f"{said} Lowered most by: {worst}." if worst else f"{said} Nothing lowered it."

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        joint = self.joint
        return {
            "symbol": self.symbol,
            "time": utc(self.time_ms),
            "fold": self.fold,
            "learned_from_it": self.learned_from_it,
            "chosen": self.chosen,
            "method": joint.method,
            "target": self.explained,
            "probabilities": _named(joint.probabilities),
            "allowed": joint.allowed,
            "quantity": joint.quantity,
            "total": joint.total,
            "contributions": [
                {"source": one.source, "reads": one.reads, "value": one.value, "adds": one.adds}
                for one in joint.contributions
            ],
            "decision": {"target": self.target, "reason": self.reason, "wanted_before": self.wanted_before},
            "sentence": self.sentence,
            "filter": self.filtered,
            "members": [
                {
                    "name": vote.model,
                    "vote": _named(np.array(_row(vote))),
                    "weight": joint.weights[i] if joint.weights else None,
                    "adds": joint.of(vote.model),
                    "method_note": self.methods[vote.model],
                    "without": _without(self.without[i]),
                    "explanation": self.members[vote.model].to_dict(),
                }
                for i, vote in enumerate(self.votes)
            ],
        }


def words_of(target: float) -> str:
    """A wanted exposure as a word."""
    return "flat" if target == 0 else "long" if target > 0 else "short"


def explain_consensus(
    run: Run,
    *,
    at: str = "",
    symbol: str | None = None,
    method: Method | None = None,
    target: str = "",
    candles: Candles | None = None,
) -> ExplainedConsensus:
    """Explain what a consensus decided at one time: each member's view, and how the votes became the decision.

    Args:
        run: a trained run of a recipe with members.
        at, symbol, candles: as for `explain_decision`.
        method: for the members that allow it; None, and the others, take integrated gradients, models with trees
            occlusion.
        target: class that the members are explained for; empty takes the direction that was decided for, of a flat
            decision of meta-labelling the side that was judged, and else the likeliest class.

    Raises as `explain_decision`, RunError for a run of one model.
    """
    run.require_trained()
    if not run.recipe.members:
        raise RunError(f"{run.folder} is no consensus: one model decides.", remedy="Explain it by explain_decision.")
    candles = candles or candles_of(run)
    series = series_of(candles, symbol)
    end = end_at(series, at)
    time_ms = int(series.close_time_ms[end])
    fold, learned = model_in_charge(run, time_ms, first_judged(run.recipe))
    artifact = load_consensus(run.fold(fold) / "artifact")
    said, regime, prediction, recent = _asked(artifact, candles, series, end)
    combiner = _weighed(artifact.combiner, recent)
    strategy, before = _strategy_of(run), _wanted_before(run, series.symbol, time_ms)
    signal = strategy.decide(prediction, before)
    shown = target or _direction(artifact.combiner, prediction, signal.target)
    recipes = members_of(run.recipe)
    members, notes = {}, {}
    for name, member in artifact.members.items():
        allowed = methods_of(member)
        chosen = method if method in allowed else usual(member)
        notes[name] = "" if method in (None, chosen) else f"{method} does not fit its network: {chosen} instead"
        found = explained_by(member, recipes[name], candles, series, end, method=chosen, target=shown)
        members[name] = replace(found, fold=fold, learned_from_it=learned)
    return ExplainedConsensus(
        members=members,
        methods=notes,
        votes=prediction.votes,
        explained=shown,
        joint=explain_votes(combiner, said, regime, shown),
        target=signal.target,
        reason=signal.reason,
        wanted_before=before,
        without=_without_each(run, fold, strategy, prediction, said, regime, before, recent),
        symbol=series.symbol,
        time_ms=time_ms,
        fold=fold,
        learned_from_it=learned,
    )


def _asked(
    artifact: ConsensusArtifact, candles: Candles, series: CandleSeries, end: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], Prediction, _Recent | None]:
    """Votes of shape (n_members, 3), regime of shape (2,) and the joint prediction at the close of candle `end`.

    And what weights by recent skill were told by there, where the consensus has such.
    """
    predictor, everyone, known = artifact.joined(), candles.by_symbol, series.head(end + 1)
    close_ms = int(known.close_time_ms[-1])
    if len(known) < predictor.length:
        raise NotEnoughData(
            f"{known.symbol}: {len(known)} candles by {utc(close_ms)} are fewer than the {predictor.length} that the "
            "consensus looks at.",
            remedy=first_window(series, predictor.length - 1),
        )
    beside = {symbol: until(everyone[symbol], close_ms) for symbol in predictor.companions}
    ends = np.array([len(known) - 1])
    votes, regime = predictor.votes_over(known, ends, beside)
    recent, weights, skill = None, None, artifact.combiner.recent
    if skill is not None:
        counts, losses = predictor.outcomes_over(known, ends, beside).at(close_ms, skill)
        recent = _Recent(counts=counts, losses=losses, floor=skill.floor)
        weights = np.array([_weighed(artifact.combiner, recent).weights])
    (prediction,) = predictor.joined(known.symbol, known.close_time_ms[ends], votes, regime, weights)
    told = artifact.with_regimes(predictor)
    if isinstance(told, RegimePredictor):
        (prediction,) = told.regimes_over(known, ends).beside([prediction])
    if not prediction.is_usable:
        raise NotEnoughData(
            f"{known.symbol}: a member has no answer at {utc(close_ms)}: its window holds unknown values.",
            remedy="Explain a later decision, or bring more candles.",
        )
    return votes[0], regime[0], prediction, recent


@dataclass(frozen=True, kw_only=True)
class _Recent:
    """The outcomes that weights by recent skill are told by at one close; see `Outcomes.at`."""

    counts: NDArray[np.float64]
    losses: NDArray[np.float64]
    floor: float


def _weighed(combiner: Combiner, recent: _Recent | None, left_out: int | None = None) -> Combiner:
    """The combiner with the weights of one close, one member left out of the outcomes where the combiner lacks it."""
    if recent is None or not len(recent.counts):
        return combiner
    losses = recent.losses if left_out is None else np.delete(recent.losses, left_out, axis=1)
    weights = weights_of(recent.counts, losses, recent.floor)
    return combiner.model_copy(update={"weights": tuple(weights.tolist())})


def _strategy_of(run: Run) -> AbstractStrategy:
    """The strategy of the run's last backtest, or the recipe's own where there was none."""
    recipe: Recipe = run.recipe
    if run.has("backtest/backtest.json"):
        judged = read_json(run.folder / "backtest" / "backtest.json", BACKTEST_KEYS)
        recipe = with_trading(run, judged["overrides"])
    return create_strategy(recipe.strategy, recipe.consensus, recipe.regimes)


def _wanted_before(run: Run, symbol: str, time_ms: int) -> float:
    """The target of the decision just before, by the run's backtest."""
    if not run.has("backtest/decisions.parquet"):
        return 0.0
    decisions = read_frame(run.folder / "backtest" / "decisions.parquet", ("time", "symbol", "target"))
    mine = decisions.filter(pl.col("symbol") == symbol).sort("time")
    times = mine["time"].cast(pl.Int64).to_numpy()
    place = int(np.searchsorted(times, time_ms))
    there = place < len(times) and times[place] == time_ms
    return float(mine["target"][place - 1]) if there and place else 0.0


def _direction(combiner: Combiner, prediction: Prediction, target: float) -> str:
    if target:
        return "buy" if target > 0 else "sell"
    if combiner.method == "meta" and prediction.allowed:
        return "buy" if prediction.allowed > 0 else "sell"
    row = (prediction.probability_sell, prediction.probability_hold, prediction.probability_buy)
    return CLASSES[int(np.argmax(row))]


def _without_each(
    run: Run,
    fold: int,
    strategy: AbstractStrategy,
    prediction: Prediction,
    votes: NDArray[np.float64],
    regime: NDArray[np.float64],
    before: float,
    recent: _Recent | None,
) -> tuple[WithoutMember, ...]:
    ours = strategy.decide(prediction, before).target
    found = []
    for i, (name, combiner) in enumerate(read_left_out(run, fold).items()):
        if combiner is None:
            found.append(WithoutMember(name=name, probabilities=None, target=ours, reason="", changes=False))
            continue
        rest = np.delete(votes, i, axis=0)
        joined = _weighed(combiner, recent, i).combine(rest[None], regime[None])
        sell, hold, buy = joined.probabilities[0].tolist()
        may = int(joined.allowed[0])
        other = strategy.decide(
            replace(
                prediction,
                probability_sell=sell,
                probability_hold=hold,
                probability_buy=buy,
                votes=tuple(vote for vote in prediction.votes if vote.model != name),
                allowed=None if may == BOTH else may,
            ),
            before,
        )
        found.append(
            WithoutMember(
                name=name,
                probabilities=joined.probabilities[0],
                target=other.target,
                reason=other.reason,
                changes=bool(np.sign(other.target) != np.sign(ours)),
            )
        )
    return tuple(found)


def _row(vote: Vote) -> tuple[float, float, float]:
    return vote.probability_sell, vote.probability_hold, vote.probability_buy


def _named(probabilities: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(p) for name, p in zip(CLASSES, probabilities, strict=True)}


def _without(one: WithoutMember) -> dict[str, Any] | None:
    if one.probabilities is None:
        return None
    return {
        "probabilities": _named(one.probabilities),
        "target": one.target,
        "reason": one.reason,
        "changes": one.changes,
    }
