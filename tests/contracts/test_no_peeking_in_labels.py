"""No peeking, for what a network is taught and what it must beat: labels and figures settle when they say, baselines
read no candle behind their own.

`FIGURES` are all tasks beside the direction; a new one is tested without an edit here. `BASELINES` are functions of a
history, and a new one is added by a line.
"""

import typing

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.bootstrap.windowing import labels_of, places_of
from triptych.features import days
from triptych.features.close_volatility import ewma_volatility, log_returns, rolling_volatility
from triptych.features.targets import UNKNOWN, label, thresholds, trailing_classes
from triptych.features.targets import Config as TargetConfig
from triptych.settings import load_recipe
from triptych.training.baselines import baseline_probabilities
from triptych.training.samples import Samples
from triptych.training.splits import Config as SplitConfig
from triptych.training.splits import split
from triptych.training.tasks import figures
from triptych.training.tasks.config import Task
from triptych.training.tasks.figures import figure_of
from triptych.training.tasks.har import har_inputs, har_x_inputs, log_volatility_behind

QUARTER_MS = 900_000
HORIZON = 6
TARGET = TargetConfig(horizon=HORIZON, volatility_span=24)
BARRIERS = TARGET.model_copy(update={"kind": "triple_barrier", "vertical": "sign"})
FIGURES = typing.get_args(Task)
CUTS = (170, 233, 299)


def walk(n=360, missing=()):
    """A random walk of quarters of hours, some of which are missing."""
    rng = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(0.004 * rng.normal(size=n)))
    opens = np.r_[100.0, close[:-1]]
    spread = 1.0 + 0.002 * rng.random(n)
    values = np.column_stack(
        [opens, np.maximum(opens, close) * spread, np.minimum(opens, close) / spread, close, rng.lognormal(3.0, 0.3, n)]
    )
    there = ~np.isin(np.arange(n), missing)
    return make_series((np.arange(n) * QUARTER_MS)[there], values[there])


@pytest.fixture(scope="module")
def history():
    return walk()


def peeking(told, known_at, series) -> list[int]:
    """The cuts at which a value is known too early, too late, or not as it is in the whole history.

    `told(series)` gives a value a candle, NaN where it is not known; `known_at(series)` the candle that settles it.
    """
    whole, settled = told(series), known_at(series)
    found = []
    for cut in CUTS:
        rows = np.arange(cut)
        expected = np.where(settled[:cut] < cut, whole[:cut], np.nan)
        assert np.isfinite(expected[rows > cut // 2]).sum() > 20
        if not np.array_equal(told(series.head(cut)), expected, equal_nan=True):
            found.append(cut)
    return found


def horizon_later(series):
    return np.arange(len(series)) + HORIZON


@pytest.mark.parametrize("target", [TARGET, BARRIERS], ids=lambda one: one.kind)
@pytest.mark.parametrize("task", FIGURES)
def test_no_figure_is_known_before_its_horizon_or_changes_after_it(task, target, history):
    def told(series):
        return figure_of(task, series, label(series, target)).astype(np.float64)

    assert peeking(told, horizon_later, history) == []


def test_a_figure_that_is_told_too_early_is_found(history, monkeypatch):
    def hasty(series, horizon):
        ahead = np.full(len(series), np.nan)
        ahead[:-1] = log_volatility_behind(series, horizon)[1:]
        return ahead

    monkeypatch.setattr(figures, "log_volatility_ahead", hasty)

    def told(series):
        return hasty(series, HORIZON)

    assert peeking(told, horizon_later, history) == list(CUTS)


def test_no_label_of_a_declared_day_peeks_on_days_that_were_cut_short():
    # Days of six quarters, of which two break off early: a horizon of places ends later in candles.
    day = days.Config(hours=("00:00-24:00",), parts=16)
    series = walk(missing=(*range(40, 44), *range(200, 205)))
    recipe = load_recipe("chart")
    recipe = recipe.model_copy(update={"target": TARGET, "features": recipe.features.model_copy(update={"day": day})})

    def classes(series):
        found = labels_of(recipe, series).classes.astype(np.float64)
        return np.where(found == UNKNOWN, np.nan, found)

    def known_at(series):
        places = places_of(series, day).at
        return np.searchsorted(places, places + HORIZON)

    assert peeking(classes, known_at, series) == []
    assert not np.array_equal(classes(series), label(series, TARGET).classes)


BASELINES = {
    "thresholds of labels": lambda s: np.stack(thresholds(s, TARGET), axis=1),
    "thresholds of rolling volatility": lambda s: np.stack(
        thresholds(s, TARGET.model_copy(update={"volatility": "rolling"})), axis=1
    ),
    "what was goes on": lambda s: trailing_classes(s, TARGET),
    "returns": log_returns,
    "exponentially weighted volatility": lambda s: ewma_volatility(s, 24),
    "rolling volatility": lambda s: rolling_volatility(s, 24),
    "return behind": lambda s: figures._return_behind(s, HORIZON),
    "heterogeneous autoregression": lambda s: har_inputs(s, HORIZON),
    "the same with ranges and clock": lambda s: har_x_inputs(s, HORIZON),
}


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_reads_a_later_candle(name, history):
    told = BASELINES[name]
    whole = np.asarray(told(history), dtype=np.float64)
    assert len(whole) == len(history)
    assert np.unique(whole[np.isfinite(whole)].round(6)).size > 2
    for cut in CUTS:
        np.testing.assert_array_equal(told(history.head(cut)), whole[:cut])


@pytest.fixture(scope="module")
def judged(history):
    """Labels, and samples of the training and of the test part."""
    targets = label(history, BARRIERS)
    (fold,) = split([history], [targets], SplitConfig(minimum_samples=5), length=4)
    train, test = (Samples.of([history], [targets], one) for one in (fold.train, fold.test))
    return targets, train, test


@pytest.mark.parametrize("task", [*FIGURES, "direction"])
def test_no_foretelling_of_a_baseline_changes_when_later_candles_of_the_test_are_taken_away(task, history, judged):
    targets, train, test = judged
    cut = int(test.index[len(test) // 2]) + 1
    early = test.at(np.flatnonzero(test.index < cut))
    assert 10 < len(early) < len(test)

    def foretold(series, targets, samples):
        if task == "direction":
            return baseline_probabilities([series], BARRIERS, train, samples, length=4)
        return figures.baselines_of(task, [series], [targets], train, samples, span=24)

    whole = foretold(history, targets, test)
    short = foretold(history.head(cut), label(history.head(cut), BARRIERS), early)
    assert set(whole) == set(short)
    assert len(whole) >= 3
    for name, values in whole.items():
        np.testing.assert_allclose(short[name], values[: len(early)], rtol=1e-12, err_msg=name)
