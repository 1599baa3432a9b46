"""Strangeness, by networks of likeness, as a detector of anomalies: beside a plain z-score and PCA.

The embedded market with planted events in its second half. The network of the recipe `siamese` learns from the charts
of the clean half, that of `siamese_factors` from its factors; strangeness of a candle is the mean distance of the
window that ends there to the ten nearest of the past windows that share no candle with it, the greatest of all
instruments. The peers are the greatest absolute return of the instruments in standard deviations of the clean half, and
PCA as `triptych anomaly` fits it on the market's channels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._detection import labelled_market, scored
from benchmarks._table import Row, main
from triptych.bootstrap.building import build_classifier
from triptych.bootstrap.windowing import first_end, tables_of, windows_at
from triptych.domain import CandleSeries
from triptych.inference import WindowClassifier
from triptych.inference.similar import embeddings_of, strangeness_of
from triptych.market.synthetic.anomalies import LabelledMarket
from triptych.settings import Recipe, load_recipe
from triptych.training.anomaly.by_type import WITHIN
from triptych.training.anomaly.metrics import judge
from triptych.training.siamese.fitting import fit_siamese
from triptych.training.windows import WindowSet

MARKETS = (21, 22, 23)
"""Markets on which nothing was ever chosen."""
CANDLES, EACH = 4_200, 2
"""Of a market, and events of each kind; a quick look takes one market of half the size, and half the epochs."""
LEARNED = {"strangeness of charts": ("siamese", 2), "strangeness of factors": ("siamese_factors", 6)}
"""By name the recipe whose network is taught, and its epochs."""
STRIDE, STEP, HELD = 6, 8, 0.8
"""Candles between windows that are learned from, and between those of the past; share of them that is learned from."""
Scores = NDArray[np.float64]


def learned(recipe: Recipe, market: LabelledMarket, seed: int) -> WindowClassifier:
    """The network of a recipe, trained on the clean half of a market."""
    torch.manual_seed(seed)
    classifier = build_classifier(recipe)
    cut = int(HELD * market.first)
    parts = [_windows(recipe, market.series, *part) for part in ((0, cut), (cut, market.first))]
    with tempfile.TemporaryDirectory() as folder:
        fit_siamese(classifier, parts[0], parts[1], recipe.siamese, recipe.training, Path(folder), seed)
    return classifier.eval()


def _windows(recipe: Recipe, series: tuple[CandleSeries, ...], first: int, stop: int) -> WindowSet:
    """Every so many-th window of all instruments within candles `first` .. `stop`; nothing is learned from labels."""
    length, tables = recipe.window.length, tables_of(recipe, series, {})
    rows = [one.values for one in (series if tables is None else tables)]  # a row is a candle in both recipes
    starts = torch.arange(max(first, first_end(recipe) - (length - 1)), stop - length + 1, STRIDE)
    every = torch.cat([starts + i * len(one) for i, one in enumerate(rows)])
    return WindowSet(
        values=torch.from_numpy(np.concatenate(rows).astype(np.float32)), starts=every,
        labels=torch.zeros(len(every), dtype=torch.int64), uniqueness=torch.ones(len(every)), length=length,
    )  # fmt: skip


def strangeness(recipe: Recipe, classifier: WindowClassifier, series: CandleSeries, first: int) -> Scores:
    """Strangeness at the candles from `first` on, by what had ended by then: shape (n_candles - first,)."""
    past = np.arange(first_end(recipe), len(series), STEP)
    ends = np.arange(first, len(series))
    places, asked = (embeddings_of(classifier, windows_at(recipe, series, at, {})) for at in (past, ends))
    known = np.searchsorted(past, ends - recipe.window.length, side="right")
    return np.array([strangeness_of(place, places[:n]) for place, n in zip(asked, known, strict=True)])


def plain_scores(market: LabelledMarket) -> Scores:
    """The greatest absolute log return of the instruments, in standard deviations of the clean half."""
    found = []
    for one in market.series:
        returns = np.diff(np.log(one.close))  # entry i is that of candle i + 1
        usual = returns[: market.first - 1].std()
        found.append(np.abs(returns[market.first - 1 :]) / usual)
    most: Scores = np.max(found, axis=0)
    return most


def on_market(
    seed: int, *, candles: int, each: int, small: int = 1, names: Collection[str] = tuple(LEARNED)
) -> dict[str, tuple[float, float]]:
    """AUC-ROC and VUS-PR of each detector on one market, by name."""
    market, frame = labelled_market(seed, candles, each)
    labels = market.labels[market.first :]
    train, test = frame.head(market.first - 1), frame.slice(market.first - 1)
    scores = {"z-score": plain_scores(market), "pca": scored("pca", train, test).scores}
    for name in names:
        recipe_name, epochs = LEARNED[name]
        recipe = load_recipe(recipe_name, changes={"training.epochs": epochs // small, "seed": seed})
        network = learned(recipe, market, seed)
        scores[name] = np.max([strangeness(recipe, network, one, market.first) for one in market.series], axis=0)
    found = {}
    for name, values in scores.items():
        metrics = judge(labels, values, values > np.quantile(values, 0.99), slack=WITHIN)
        found[name] = (metrics.auc_roc, metrics.vus_pr)
    return found


def rows(quick: bool) -> list[Row]:
    """Means over the markets, beside each peer."""
    small = 2 if quick else 1
    sizes = {"candles": CANDLES // small, "each": EACH // small, "small": small}
    markets = [on_market(seed, **sizes) for seed in (MARKETS[:1] if quick else MARKETS)]

    @cache
    def mean(name: str, figure: int) -> float:
        return float(np.mean([one[name][figure] for one in markets]))

    return [
        Row(
            name=f"{title}, {name}", ours=mean(name, figure), peer=mean(peer, figure), peer_name=peer,
            unit=title,
        )
        for name in LEARNED
        for figure, title in enumerate(("AUC-ROC", "VUS-PR"))
        for peer in ("z-score", "pca")
    ]  # fmt: skip


if __name__ == "__main__":
    main(rows, "Strangeness of windows as a detector of planted anomalies, beside a z-score of returns and PCA.")
