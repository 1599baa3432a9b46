"""The leak probe over every part of a recipe of one model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from triptych.backtest import run_backtest
from triptych.bootstrap.building import build_encoding, fresh_classifier
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.guarding import open_watch, with_watched_books
from triptych.bootstrap.regimes import save_network, untaught_network
from triptych.bootstrap.staking import ALIKE, with_known_stakes
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.windowing import factor_rows, first_end, labels_of, possible_ends, windows_at
from triptych.domain import CLASSES, REGIMES, CandleSeries
from triptych.features.targets import UNKNOWN, thresholds
from triptych.inference import NOBODY, AbstractPredictor, FactorPredictor, TorchPredictor, WindowClassifier
from triptych.inference.base import Figures, joined_figures
from triptych.inference.pattern_predictor import open_patterns
from triptych.inference.recorded import RecordedPredictor
from triptych.inference.regime_predictor import RegimePredictor
from triptych.inference.regime_teller import RegimeTeller, ToldRegimes
from triptych.inference.regimes import WARM_UP, RegimeFilter
from triptych.inference.soft_labels import SoftLabels
from triptych.inference.switch_model import SwitchModel
from triptych.inference.watch import AbstractWatch
from triptych.settings import Recipe
from triptych.strategies import create_strategy
from triptych.training.leak_probe import Probe, choose_cuts, run_probes
from triptych.training.seeds import derive_seed

ROWS = 24
"""Candles compared before each cut."""
BEYOND = 24
"""Candles after a cut that the uncut side may look at, if anything in it wants to look."""
AWAKENING = 64
"""Windows that set the normalisations of an untrained network."""
SPREAD = 1.5
"""Standard deviation of its scores after that: probabilities from a few to some ninety per cent."""

USUAL = {"size": (0.0, 0.02), "volatility": (math.log(0.02), 0.5)}
"""Mean and scale of an untrained network's figures: a return of some per cent, the logarithm of such a volatility."""


EASILY = 0.6
"""Threshold of the alarms of switches: low, so that there are some."""


class SteadyPredictor(AbstractPredictor):
    """Asks in batches of one size, filled up with copies of the last window.

    The last bits of a network's answer depend on the size of its batch, and no decision must hang on them.
    """

    def __init__(self, inner: AbstractPredictor, size: int = ROWS + BEYOND) -> None:
        self.length, self.name, self.horizon = inner.length, inner.name, inner.horizon
        self._inner, self._size = inner, size

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        answers = [self._inner.probabilities(self._filled(part))[: len(part)] for part in self._parts(windows)]
        return np.concatenate(answers) if answers else np.zeros((0, len(CLASSES)), dtype=np.float32)

    def foretold(self, windows: NDArray[np.floating]) -> Figures:
        parts = self._parts(windows)
        told = [self._inner.foretold(self._filled(part)) for part in parts]
        cut = [{t: v[: len(part)] for t, v in one.items()} for one, part in zip(told, parts, strict=True)]
        return joined_figures(cut) if cut else self._inner.foretold(windows)

    def _parts(self, windows: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        return [windows[start : start + self._size] for start in range(0, len(windows), self._size)]

    def _filled(self, windows: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.concatenate([windows, np.repeat(windows[-1:], self._size - len(windows), axis=0)])


def opinionated(
    recipe: Recipe, series: CandleSeries, companions: Mapping[str, CandleSeries] = NOBODY
) -> WindowClassifier:
    """An untrained classifier with strong opinions; of figures beside the direction too, of a usual size.

    A network fresh from its initialisation says the same of every window, and no probe could tell two windows apart by
    it. So its normalisations are set from real windows and its last layer is scaled until its scores spread.
    """
    possible = possible_ends(recipe, series)
    ends = possible[np.linspace(0, len(possible) - 1, AWAKENING).astype(np.int64)]
    found = windows_at(recipe, series, ends, companions)
    classifier = fresh_classifier(recipe)
    awaken(classifier, torch.from_numpy(found[~np.isnan(found).all(axis=(1, 2))]))
    return classifier


def awaken(classifier: torch.nn.Module, windows: torch.Tensor) -> None:
    """Give an untrained classifier normalisations from windows, and scores of them that spread; in place."""
    norms = [module for module in classifier.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    classifier.eval()  # all but the normalisations: dropout would draw from a generator that is not ours
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
            norm.train()
        classifier(windows)
        scores = classifier.eval()(windows)
        last = [module for module in classifier.modules() if isinstance(module, torch.nn.Linear)][-1]
        last.weight.mul_(SPREAD / scores.std(dim=0).mean().clamp_min(1e-12))
        last.bias[: scores.shape[1]] -= classifier(windows).mean(dim=0)
        if isinstance(classifier, WindowClassifier):
            for i, task in enumerate(classifier.tasks):
                for name, usual in zip(("mean", "scale"), USUAL[task], strict=True):
                    classifier.get_buffer(f"network.task_{name}")[i] = usual


def leak_probe(recipe: Recipe, *, cuts: int = 6, instruments: int | None = None, tell: Tell = silent) -> dict[str, Any]:
    """Probe images, predictions, regimes, labels, thresholds and decisions of a recipe on its own data.

    A decision is probed with all that it reads: predictions, regimes, the guard's detector, sizing, protection, costs.

    Args:
        recipe: what to probe; its network is taken untrained, as the wiring is probed and not the skill.
        cuts: at how many times the future is taken away, of each instrument.
        instruments: at most so many of them, evenly chosen; None takes all.
        tell: told every stage in words.

    Returns:
        JSON-ready: `passed`, `sentence`, `cuts`, `results` (one per probe and instrument).
    """
    candles = load_candles(recipe)
    classifier = opinionated(recipe, candles.series[0], candles.beside(recipe))
    width = len(build_encoding(recipe).columns)
    predictor = TorchPredictor(classifier, length=recipe.window.length, width=width, horizon=recipe.target.horizon)
    horizon, first = recipe.target.horizon, first_decision(recipe)
    scale = recipe.target.volatility_span if recipe.target.threshold == "volatility" else 0
    results: list[dict[str, Any]] = []
    times: set[str] = set()
    some = min(instruments or len(candles.series), len(candles.series))
    chosen = np.linspace(0, len(candles.series) - 1, some).round().astype(int)
    for one in (candles.series[i] for i in chosen):
        tell(f"Probing {one.symbol} at {cuts} cuts.")
        seed = derive_seed(recipe.seed, "leak probe", one.symbol) % 2**32
        at = choose_cuts(len(one), max(first, scale) + horizon + ROWS + 1, cuts, seed)
        # Labels settle a horizon later: only with so many more rows are there any to compare.
        with TemporaryDirectory() as folder:
            regimes = untaught_regimes(recipe, one.head(max(int(at[0]), 2 * WARM_UP)), Path(folder))
        probed = probes_of(recipe, predictor, candles.beside(recipe), regimes, candles.by_symbol)
        for probes, rows in ((probed, ROWS), (label_probes_of(recipe), ROWS + horizon)):
            report = run_probes(one, probes, at, rows=rows, first=first)
            results += [{"instrument": one.symbol, **row} for row in report.to_dict()["results"]]
            times.update(report.cuts)
    return {
        "passed": all(row["passed"] for row in results),
        "sentence": sentence_of(results, cuts),
        "cuts": sorted(times),
        "results": results,
    }


def sentence_of(results: list[dict[str, Any]], cuts: int) -> str:
    """What the probes found, in a sentence."""
    guilty = [f"{row['name']} of {row['instrument']}" for row in results if row["differing"]]
    idle = [f"{row['name']} of {row['instrument']}" for row in results if not row["compared"]]
    if guilty:
        return f"PEEKING: {', '.join(guilty)} changed when the future was taken away."
    if idle:
        return f"Nothing could be compared of {', '.join(idle)}: there are no values to look at."
    return f"No peeking found: {len(results)} probes agree at {cuts} cuts of each history."


def first_decision(recipe: Recipe) -> int:
    """The first candle at whose close a recipe decides with all that it reads."""
    return max(first_end(recipe), WARM_UP + recipe.regimes.memory - 1 if recipe.regimes.use else 0)


def probes_of(
    recipe: Recipe,
    predictor: AbstractPredictor,
    companions: Mapping[str, CandleSeries] = NOBODY,
    regimes: RegimeTeller | None = None,
    everyone: Mapping[str, CandleSeries] = NOBODY,
) -> list[Probe]:
    """What is probed of a recipe beside its labels: images, predictions, regimes, decisions.

    Args:
        recipe: what to probe.
        predictor: that answers.
        companions: that it looks at.
        regimes: what tells regimes and switches beside it; None: nothing does.
        everyone: all histories there are, of which the guard takes those that its detector watches.

    Every value is computed together with those of the next candles, as far as the history goes: an encoding or a
    network that looks at its batch then sees the future on the uncut side. Companions are cut at the same time.
    """
    steady: AbstractPredictor = SteadyPredictor(predictor)
    maker = factor_rows(recipe)
    if maker is not None:
        steady = FactorPredictor(steady, maker)
    told = None if regimes is None else RegimePredictor(steady, regimes)

    def beside(series: CandleSeries) -> dict[str, CandleSeries]:
        return cut_with(series, companions)

    def images(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        encoding = build_encoding(recipe)  # a new one each time: it must not remember the uncut side
        windows = windows_at(recipe, series, onwards(series, at), beside(series))
        known = ~np.isnan(windows).all(axis=(1, 2))
        found = np.full((len(windows), encoding.channels, encoding.height, encoding.width), np.nan, dtype=np.float32)
        with torch.inference_mode():
            found[known] = encoding(torch.from_numpy(windows[known])).numpy()
        return found[: len(at)]

    def ask(series: CandleSeries, ends: NDArray[np.int64]) -> NDArray[np.float32]:
        key = (len(series), int(ends[0]), int(ends[-1]))
        if key not in asked:
            asked[key] = steady.over(series, ends, beside(series))
        return asked[key]

    def tell(series: CandleSeries, ends: NDArray[np.int64]) -> Figures:
        key = (len(series), int(ends[0]), int(ends[-1]))
        if key not in told_figures:
            told_figures[key] = steady.foretold_over(series, ends, beside(series))
        return told_figures[key]

    asked: dict[tuple[int, int, int], NDArray[np.float32]] = {}
    told_figures: dict[tuple[int, int, int], Figures] = {}

    def predictions(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        return ask(series, onwards(series, at))[: len(at)]

    def decisions(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        ends = onwards(series, at)
        recorded = RecordedPredictor(told or steady)
        known = told.regimes_over(series, ends) if told else None
        recorded.add(series.symbol, series.close_time_ms[ends], ask(series, ends), known, tell(series, ends))
        return decisions_at(series, at, recipe, recorded, beside(series), everyone)

    def figures(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        return np.stack([tell(series, onwards(series, at))[t] for t in recipe.foretold_figures], axis=1)[: len(at)]

    def factors(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        assert maker is not None
        return maker.rows(series, beside(series))[at]

    return [
        *([] if maker is None else [Probe(name="factors", compute=factors)]),
        Probe(name=f"image ({recipe.encoding.name})", compute=images),
        Probe(name="prediction", compute=predictions),
        *([Probe(name="foretold figures", compute=figures)] if recipe.foretold_figures else []),
        *([] if told is None else regime_probes_of(told)),
        Probe(name="decision and equity", compute=decisions),
    ]


def untaught_regimes(recipe: Recipe, history: CandleSeries, folder: Path) -> RegimeTeller | None:
    """What tells regimes and switches of a recipe, for a probe: all is heard, nothing has learnt. None where none is.

    Args:
        recipe: what to probe.
        history: that filter and model are fitted on.
        folder: where an untaught network is saved, if the recipe has one.
    """
    config = recipe.regimes
    if not config.use:
        return None
    soft = None
    if config.network.use:
        network = untaught_network(config.network, recipe.seed)
        ends = np.linspace(config.network.length - 1, len(history) - 1, AWAKENING).astype(np.int64)
        awaken(network.body, torch.from_numpy(history.windows(ends, config.network.length).astype(np.float32)))
        save_network(folder / "network", network, config.network, [history])
        even = np.full(len(REGIMES), 1.0 / len(REGIMES))
        soft = SoftLabels(reader=open_patterns(folder / "network"), prior=even, weight=1.0, folder=folder / "network")
    switches = replace(SwitchModel.fit([history]), threshold=EASILY)
    return RegimeTeller(filter=RegimeFilter.fit([history]), memory=config.memory, switches=switches, soft=soft)


def regime_probes_of(told: RegimePredictor) -> list[Probe]:
    """What is probed of regimes: their probabilities, and the age of the last alarm of a switch."""

    def all_told(series: CandleSeries, at: NDArray[np.int64]) -> ToldRegimes:
        return told.regimes_over(series, onwards(series, at))

    return [
        Probe(name="regimes", compute=lambda series, at: all_told(series, at).probability[: len(at)]),
        Probe(name="switches", compute=lambda series, at: all_told(series, at).since_switch[: len(at)]),
    ]


def label_probes_of(recipe: Recipe) -> list[Probe]:
    """What is probed of a recipe's labels: the classes once they have settled, and the thresholds at once."""

    def labels(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        classes = labels_of(recipe, series).classes[at].astype(np.float64)
        return np.where(classes == UNKNOWN, np.nan, classes)

    def settled(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        found = labels_of(recipe, series)
        return np.where(found.classes[at] == UNKNOWN, np.iinfo(np.int64).max, found.latest_end[at])

    def limits(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[Any]:
        return np.stack(thresholds(series, recipe.target), axis=1)[at]

    return [
        Probe(name=f"label ({recipe.target.kind})", compute=labels, known_at=settled),
        Probe(name="label thresholds", compute=limits),
    ]


def onwards(series: CandleSeries, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """The candles `at`, which follow one another, and up to BEYOND more."""
    return np.arange(at[0], min(int(at[-1]) + BEYOND, len(series) - 1) + 1)


def until(series: CandleSeries, time_ms: int) -> CandleSeries:
    """What of a history had closed at a time."""
    return series.head(int(np.searchsorted(series.close_time_ms, time_ms, side="right")))


def cut_with(series: CandleSeries, others: Mapping[str, CandleSeries]) -> dict[str, CandleSeries]:
    """What of other histories had closed when a history ended."""
    return {symbol: until(other, int(series.close_time_ms[-1])) for symbol, other in others.items()}


def decisions_at(
    series: CandleSeries,
    at: NDArray[np.int64],
    recipe: Recipe,
    predictor: AbstractPredictor,
    companions: Mapping[str, CandleSeries],
    everyone: Mapping[str, CandleSeries] = NOBODY,
) -> NDArray[np.float64]:
    """Target and equity at the closes `at` of a replay that begins with the first of them: shape (len(at), 2).

    `everyone` are all histories there are, for the guard's detector.
    """
    recipe = with_known_stakes(recipe, ALIKE)
    closes = series.close_time_ms
    last = min(len(series) - 1, int(at[-1]) + BEYOND)
    result = run_backtest(
        [series],
        predictor,
        strategy=create_strategy(recipe.strategy, recipe.consensus if recipe.members else None, recipe.regimes),
        sizing=recipe.sizing,
        execution=recipe.execution,
        risk=recipe.risk,
        costs=recipe.costs,
        initial_capital=recipe.backtest.initial_capital,
        start_ms=int(closes[at[0]]),
        end_ms=int(closes[last]) + 1,
        name=recipe.name,
        companions=[other for symbol, other in companions.items() if symbol != series.symbol],
        guard=recipe.guard,
        watch=watch_at(series, at, recipe, cut_with(series, everyone)),
    )
    wanted = pl.DataFrame({"time": pl.Series(closes[at]).cast(pl.Datetime("ms", "UTC"))})
    for frame, column in ((result.decisions, "target"), (result.equity, "equity")):
        wanted = wanted.join(frame.select("time", column), on="time", how="left", maintain_order="left")
    return wanted.select("target", "equity").to_numpy().astype(np.float64)


def watch_at(
    series: CandleSeries, at: NDArray[np.int64], recipe: Recipe, others: Mapping[str, CandleSeries]
) -> AbstractWatch | None:
    """What the guard's detector says around the closes `at`, as a backtest records it; None without a guard."""
    watch = open_watch(recipe.guard, series.timeframe)
    if watch is None:
        return None
    from triptych.inference.anomaly.market_watch import MarketWatch  # loads the detectors' libraries

    assert isinstance(watch, MarketWatch)
    first = max(int(at[0]) - watch.length, 0)
    last = min(len(series) - 1, int(at[-1]) + BEYOND)
    begin, end = int(series.close_time_ms[first]), int(series.close_time_ms[last])
    histories = [until(one, end) for one in ({**others, series.symbol: series}).values()]
    late = [one.between(int(np.searchsorted(one.close_time_ms, begin)), len(one)) for one in histories]
    late = with_watched_books(watch, recipe, late)
    return watch.record(late, [series.symbol])
