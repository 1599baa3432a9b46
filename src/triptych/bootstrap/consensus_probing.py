"""The leak probe over a consensus: over every member, and over what joins them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.building import build_encoding
from triptych.bootstrap.candles import Candles, load_candles
from triptych.bootstrap.probing import (
    ROWS,
    SteadyPredictor,
    decisions_at,
    leak_probe,
    onwards,
    opinionated,
    regime_probes_of,
    sentence_of,
    untaught_regimes,
    until,
)
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.windowing import factor_rows, first_end
from triptych.domain import CLASSES, CandleSeries
from triptych.inference import NOBODY, AbstractPredictor, Combiner, ConsensusPredictor, FactorPredictor, TorchPredictor
from triptych.inference.recent_skill import RecentSkill
from triptych.inference.recorded import RecordedPredictor
from triptych.inference.regime_predictor import RegimePredictor
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.regimes import WARM_UP
from triptych.settings import Recipe, members_of, resolved
from triptych.training.leak_probe import Probe, choose_cuts, run_probes
from triptych.training.seeds import derive_seed

PROBED_HORIZONS = 8
"""Horizons over which the recent skill of untrained members is told."""


def probe_consensus(
    recipe: Recipe, *, cuts: int = 6, instruments: int | None = None, tell: Tell = silent
) -> dict[str, Any]:
    """Probe every member as `probing.leak_probe` does, then the votes, the regime, the joint prediction, the decision.

    Arguments and result as there; a member's probes carry its name.
    """
    recipe = resolved(recipe)
    members = members_of(recipe)
    results: list[dict[str, Any]] = []
    times: set[str] = set()
    for name, member in members.items():
        tell(f"Member {name}.")
        found = leak_probe(member, cuts=cuts, instruments=instruments, tell=tell)
        results += [{**row, "name": f"{name}: {row['name']}"} for row in found["results"]]
        times.update(found["cuts"])
    candles = load_candles(recipe)
    asked = {name: _untrained(member, candles) for name, member in members.items()}
    predictor = ConsensusPredictor(
        asked, _arbitrary(recipe, tuple(members), candles.timeframe.milliseconds), name=recipe.name
    )
    companions = {symbol: candles.by_symbol[symbol] for symbol in predictor.companions}
    needs = [recipe.consensus.regime_length, *(first_end(member) for member in members.values()), predictor.length - 1]
    first = max(*needs, WARM_UP + recipe.regimes.memory - 1 if recipe.regimes.use else 0)
    some = min(instruments or len(candles.series), len(candles.series))
    for one in (candles.series[i] for i in np.linspace(0, len(candles.series) - 1, some).round().astype(int)):
        seed = derive_seed(recipe.seed, "leak probe", one.symbol) % 2**32
        at = choose_cuts(len(one), first + ROWS + 1, cuts, seed)
        with TemporaryDirectory() as folder:
            regimes = untaught_regimes(recipe, one.head(max(int(at[0]), 2 * WARM_UP)), Path(folder))
        probes = probes_of_consensus(recipe, predictor, companions, candles.by_symbol, regimes)
        report = run_probes(one, probes, at, rows=ROWS, first=first)
        results += [{"instrument": one.symbol, **row} for row in report.to_dict()["results"]]
        times.update(report.cuts)
    return {
        "passed": all(row["passed"] for row in results),
        "sentence": sentence_of(results, cuts),
        "cuts": sorted(times),
        "results": results,
    }


def probes_of_consensus(
    recipe: Recipe,
    predictor: ConsensusPredictor,
    companions: Mapping[str, CandleSeries],
    everyone: Mapping[str, CandleSeries] = NOBODY,
    regimes: RegimeTeller | None = None,
) -> list[Probe]:
    """What is probed of the joining: votes and regime, the joint prediction, the regimes, decision and equity."""
    told = None if regimes is None else RegimePredictor(predictor, regimes)

    def beside(series: CandleSeries) -> dict[str, CandleSeries]:
        return {symbol: until(other, int(series.close_time_ms[-1])) for symbol, other in companions.items()}

    def votes(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        said, regime = predictor.votes_over(series, onwards(series, at), beside(series))
        return np.concatenate([said.reshape(len(said), -1), regime], axis=1)[: len(at)]

    def joint(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        found = predictor.predictions_over(series, onwards(series, at), beside(series))[: len(at)]
        rows = [
            (p.probability_sell, p.probability_hold, p.probability_buy, 2 if p.allowed is None else p.allowed)
            for p in found
        ]
        return np.array(rows, dtype=np.float64)

    def decisions(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        recorded = RecordedPredictor(told or predictor)
        recorded.remember((told or predictor).predictions_over(series, onwards(series, at), beside(series)))
        return decisions_at(series, at, recipe, recorded, beside(series), everyone)

    def weights(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        found = predictor.weights_over(series, onwards(series, at), beside(series))
        assert found is not None
        return found[: len(at)]

    moving = predictor.weights_over(next(iter(everyone.values())), np.array([], dtype=np.int64)) is not None
    return [
        Probe(name="votes and regime", compute=votes),
        *([Probe(name="weights by recent skill", compute=weights)] if moving else []),
        Probe(name="joint prediction", compute=joint),
        *([] if told is None else regime_probes_of(told)),
        Probe(name="joint decision and equity", compute=decisions),
    ]


def _untrained(recipe: Recipe, candles: Candles) -> AbstractPredictor:
    """A member with an untrained network of strong opinions."""
    classifier = opinionated(recipe, candles.series[0], candles.beside(recipe))
    width = len(build_encoding(recipe).columns)
    steady: AbstractPredictor = SteadyPredictor(TorchPredictor(classifier, length=recipe.window.length, width=width))
    maker = factor_rows(recipe)
    return steady if maker is None else FactorPredictor(steady, maker)


def _arbitrary(recipe: Recipe, names: tuple[str, ...], timeframe_ms: int) -> Combiner:
    """A combiner of the recipe's method with coefficients drawn by its seed: the wiring is probed and not the skill.

    Recent skill is that over a few horizons: a short window asks for less history, and lets the weights move more.
    """
    config, count = recipe.consensus, len(names)
    plain = Combiner(
        method=config.method,
        members=names,
        weights=(1.0 / count,) * count,
        side=names.index(config.side) if config.side else 0,
        regime_length=config.regime_length,
    )
    if config.method == "skill":
        horizon = recipe.target.horizon
        recent = RecentSkill(
            window=min(config.window, PROBED_HORIZONS * horizon), half_life_days=config.half_life_days,
            floor=config.floor, timeframe_ms=timeframe_ms, target=recipe.target.model_dump(mode="json"),
        )  # fmt: skip
        return plain.model_copy(update={"recent": recent})
    if config.method not in ("stacking", "meta"):
        return plain
    rows, inputs = (len(CLASSES), 2 * count + 4) if config.method == "stacking" else (1, 2 * count + 3)
    drawn = np.random.default_rng(derive_seed(recipe.seed, "combiner") % 2**32).normal(0.0, 0.7, (rows, inputs))
    return plain.model_copy(
        update={
            "mean": (0.0,) * inputs,
            "scale": (1.0,) * inputs,
            "coefficients": tuple(tuple(row) for row in drawn.tolist()),
            "intercepts": (0.0,) * rows,
        }
    )
