"""The leak probe over every part of a recipe."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from triptych.backtest import run_backtest
from triptych.bootstrap.building import build_classifier, build_encoding
from triptych.bootstrap.candles import Tell, load_candles, silent
from triptych.domain import CandleSeries
from triptych.inference import AbstractPredictor, TorchPredictor, WindowClassifier
from triptych.settings import Recipe
from triptych.strategies import create_strategy
from triptych.training.leak_probe import Probe, choose_cuts, run_probes
from triptych.training.seeds import derive_seed
from triptych.training.targets import UNKNOWN, label, thresholds

ROWS = 24
"""Candles compared before each cut."""
AWAKENING = 64
"""Windows that set the normalisations of an untrained network."""
SPREAD = 1.5
"""Standard deviation of its scores after that: probabilities from a few to some ninety per cent."""
BEYOND = 48
"""Candles the uncut replay goes on after a cut, so that it has a future to peek at."""


class RoundedPredictor(AbstractPredictor):
    """Probabilities to three digits: the last bits of a batch depend on its size, and no decision must hang on them."""

    def __init__(self, inner: AbstractPredictor) -> None:
        self.length, self.name = inner.length, inner.name
        self._inner = inner

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        rounded: NDArray[np.float32] = np.round(self._inner.probabilities(windows), 3)
        return rounded


def opinionated(recipe: Recipe, series: CandleSeries) -> WindowClassifier:
    """An untrained classifier with strong opinions.

    A network fresh from its initialisation says the same of every window, and no probe could tell two windows apart by
    it. So its normalisations are set from real windows and its last layer is scaled until its scores spread.
    """
    classifier = build_classifier(recipe)
    ends = np.linspace(recipe.window.length - 1, len(series) - 1, AWAKENING).astype(np.int64)
    windows = torch.from_numpy(series.windows(ends, recipe.window.length).astype(np.float32))
    norms = [module for module in classifier.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
        classifier.train()(windows)
        scores = classifier.eval()(windows)
        last = [module for module in classifier.modules() if isinstance(module, torch.nn.Linear)][-1]
        last.weight.mul_(SPREAD / scores.std(dim=0).mean().clamp_min(1e-12))
        last.bias.sub_(classifier(windows).mean(dim=0))
    return classifier


def leak_probe(recipe: Recipe, *, cuts: int = 6, tell: Tell = silent) -> dict[str, Any]:
    """Probe images, predictions, labels, thresholds and decisions of a recipe on its own data.

    Args:
        recipe: what to probe; its network is taken untrained, as the wiring is probed and not the skill.
        cuts: at how many times the future is taken away, of each instrument.
        tell: told every stage in words.

    Returns:
        JSON-ready: `passed`, `sentence`, `cuts`, `results` (one per probe and instrument).
    """
    candles = load_candles(recipe)
    classifier = opinionated(recipe, candles.series[0])
    predictor = RoundedPredictor(TorchPredictor(classifier, length=recipe.window.length))
    reports = []
    for one in candles.series:
        tell(f"Probing {one.symbol} at {cuts} cuts.")
        first = recipe.window.length - 1
        at = choose_cuts(len(one), first + ROWS + 1, cuts, derive_seed(recipe.seed, "leak probe", one.symbol) % 2**32)
        probes = probes_of(recipe, predictor)
        reports.append((one.symbol, run_probes(one, probes, at, rows=ROWS, first=first)))
    passed = all(report.passed for _, report in reports)
    guilty = [report.sentence for _, report in reports if not report.passed]
    count = sum(len(report.results) for _, report in reports)
    return {
        "passed": passed,
        "sentence": guilty[0] if guilty else f"No peeking found: {count} probes agree at {cuts} cuts of each history.",
        "cuts": sorted({cut for _, report in reports for cut in report.cuts}),
        "results": [{"instrument": s, **row} for s, report in reports for row in report.to_dict()["results"]],
    }


def probes_of(recipe: Recipe, predictor: AbstractPredictor) -> list[Probe]:
    """What is probed of a recipe."""
    encoding = build_encoding(recipe)
    length = recipe.window.length

    def images(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        with torch.inference_mode():
            found: NDArray[Any] = encoding(torch.from_numpy(series.windows(at, length).astype(np.float32))).numpy()
        return found

    def predictions(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        return predictor.probabilities(series.windows(at, length))

    def labels(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        classes = label(series, recipe.target).classes[at].astype(np.float64)
        return np.where(classes == UNKNOWN, np.nan, classes)

    def settled(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        found = label(series, recipe.target)
        return np.where(found.classes[at] == UNKNOWN, np.iinfo(np.int64).max, found.latest_end[at])

    def limits(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        return np.stack(thresholds(series, recipe.target), axis=1)[at]

    def decisions(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        return _decisions(series, at, recipe, predictor)

    return [
        Probe(name=f"image ({recipe.encoding.name})", compute=images),
        Probe(name="prediction", compute=predictions),
        Probe(name=f"label ({recipe.target.kind})", compute=labels, known_at=settled),
        Probe(name="label thresholds", compute=limits),
        Probe(name="decision and equity", compute=decisions),
    ]


def _decisions(
    series: CandleSeries, at: NDArray[np.int64], recipe: Recipe, predictor: AbstractPredictor
) -> NDArray[np.float64]:
    """Target and equity at the closes `at` of a replay that begins with the first of them: shape (len(at), 2)."""
    closes = series.close_time_ms
    last = min(len(series) - 1, int(at[-1]) + BEYOND)
    result = run_backtest(
        [series],
        predictor,
        strategy=create_strategy(recipe.strategy),
        sizing=recipe.sizing,
        execution=recipe.execution,
        risk=recipe.risk,
        costs=recipe.costs,
        initial_capital=recipe.backtest.initial_capital,
        start_ms=int(closes[at[0]]),
        end_ms=int(closes[last]) + 1,
        name=recipe.name,
    )
    wanted = pl.DataFrame({"time": pl.Series(closes[at]).cast(pl.Datetime("ms", "UTC"))})
    for frame, column in ((result.decisions, "target"), (result.equity, "equity")):
        wanted = wanted.join(frame.select("time", column), on="time", how="left", maintain_order="left")
    return wanted.select("target", "equity").to_numpy().astype(np.float64)
