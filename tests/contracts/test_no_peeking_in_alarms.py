"""No peeking, for whoever raises alarms: switches of the market by every method, anomalies by every detector.

Runs over all methods of `triptych regimes alarms` and all detectors by name: a new one is tested without an edit here,
or fails because nobody has said how to make it.
"""

import typing

import numpy as np
import polars as pl
import pytest
import torch
from tests.fakes.micro import micro_recipe
from tests.fakes.waves import TINY
from tests.inference.test_regimes import series as stretches

from triptych.bootstrap import alarm_watchers, create_detector
from triptych.bootstrap.alarm_watchers import AbstractWatcher, LikenessWatcher, Method, watcher_of_file
from triptych.bootstrap.building import fresh_classifier
from triptych.bootstrap.detecting import list_detectors
from triptych.bootstrap.probing import awaken
from triptych.bootstrap.windowing import first_end, reach
from triptych.domain.errors import TriptychError
from triptych.features.channels import market_channels
from triptych.inference.anomaly.market_watch import MarketWatch
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.base import AbstractView
from triptych.market.synthetic import Config as SyntheticConfig
from triptych.market.synthetic import synthesise
from triptych.models.siamese import SiameseNetwork

FIRST = 700
"""Candles that watchers are fitted on; the rest is judged."""
CUTS = (1013, 1206, 1404)
LIKELY = {"switches": 0.8, "filter": 0.6, "cusum": 3.0}
"""Thresholds that raise some alarms."""


@pytest.fixture(scope="module")
def history():
    return stretches(1500)


def siamese_watcher(home) -> LikenessWatcher:
    """As of a run of a recipe with [siamese], its network awakened and not trained."""
    recipe = micro_recipe(home, "siamese.loss=nt_xent", "siamese.dimension=4")
    classifier = fresh_classifier(recipe)
    assert isinstance(classifier.network, SiameseNetwork)
    seen = stretches(FIRST)
    ends = np.arange(40, FIRST, 20)
    awaken(classifier, torch.from_numpy(seen.windows(ends, reach(recipe)).astype(np.float32)))
    return LikenessWatcher(
        classifier=classifier.eval(), recipe=recipe, companions={}, warm_up=first_end(recipe) + reach(recipe)
    )


def watcher_by(method: Method, home) -> tuple[AbstractWatcher, float]:
    """Who watches by a method, and a threshold at which some alarms are raised."""
    seen = stretches(1500)
    watcher = siamese_watcher(home) if method == "likeness" else watcher_of_file(seen, FIRST, method)
    threshold = LIKELY.get(method) or float(np.nanquantile(watcher.read(seen, FIRST).statistic, 0.97))
    return watcher, threshold


def alarms_that_change(watcher: AbstractWatcher, threshold: float, series) -> list[int]:
    """The cuts at which alarms, regimes or what they are raised by are not what they are in the whole history."""
    whole = watcher.read(series, FIRST)
    alarms = whole.raised(threshold)
    assert len(alarms[alarms < CUTS[0]]) > 1
    found = []
    for cut in CUTS:
        short = watcher.read(series.head(cut), FIRST)
        same = (
            np.array_equal(short.raised(threshold), alarms[alarms < cut])
            and np.array_equal(short.regime, whole.regime[:cut])
            and np.allclose(short.statistic, whole.statistic[:cut], rtol=0, atol=1e-5, equal_nan=True)
        )
        found += [] if same else [cut]
    return found


@pytest.mark.parametrize("method", typing.get_args(Method))
def test_no_alarm_of_a_switch_peeks(method, history, tmp_path):
    watcher, threshold = watcher_by(method, tmp_path)
    assert alarms_that_change(watcher, threshold, history) == []


def test_a_cusum_whose_level_is_that_of_the_whole_history_is_found(history, tmp_path, monkeypatch):
    watcher, threshold = watcher_by("cusum", tmp_path)
    honest = alarm_watchers.log_sizes

    def centred(returns, scale):
        found = honest(returns, scale)
        return found - found.mean()

    monkeypatch.setattr(alarm_watchers, "log_sizes", centred)
    assert alarms_that_change(watcher, threshold, history) != []


@pytest.fixture(scope="module")
def market():
    """Candles of one instrument, and the channels that detectors are fitted on and read."""
    (series,) = synthesise(SyntheticConfig(seed=2, n_candles=460, instruments=1)).series
    made = market_channels([series])
    return series, pl.DataFrame(made.values, schema=list(made.columns))


SETTINGS = {"contamination": 0.1, "network": TINY, "focus": 8, "training": {"epochs": 1, "num_threads": 1}}
"""Of the detectors that hold a network; the others take what they take."""


@pytest.fixture(scope="module", params=list_detectors())
def detector(request, market):
    settings = SETTINGS if request.param in ("catch", "blend") else {}
    return create_detector(request.param, **settings).fit(market[1].head(340))


def readings(detector, series) -> dict[int, tuple[float, bool, str]]:
    """What a guard by a detector reads at each close, as a backtest records it."""
    watch = MarketWatch(detector, false_alarms=0.1).record([series], [series.symbol])
    closes = series.close_time_ms.tolist()
    found = {}
    for close in closes[watch.length :]:
        (reading,) = watch.read_all(Nothing(), {series.symbol: close}).values()
        found[close] = (round(reading.score, 6), reading.alarm, reading.reasons)
    return found


class Nothing(AbstractView):
    """A market of which nothing is known: what a record lacks has no reading."""

    def history(self, symbol, length):
        return None


def test_no_score_of_a_detector_changes_when_more_rows_arrive(detector, market):
    _, rows = market
    whole = detector.decision_function(rows)
    assert np.unique(whole.round(6)).size > 50
    for cut in (363, 401, 458):
        np.testing.assert_allclose(detector.decision_function(rows.head(cut)), whole[:cut], rtol=1e-5, atol=1e-6)


def test_no_reading_of_a_guard_changes_when_more_candles_arrive(detector, market):
    series, _ = market
    whole = readings(detector, series)
    assert {alarm for _, alarm, _ in whole.values()} == {True, False}
    for cut in (370, 417):
        short = readings(detector, series.head(cut))
        assert len(short) > 20
        for close, (score, alarm, reasons) in short.items():
            assert score == pytest.approx(whole[close][0], rel=1e-5, abs=2e-6)
            assert (alarm, reasons) == whole[close][1:]


def test_a_detector_that_looks_ahead_guards_nothing_and_follows_no_stream(market):
    centred = create_detector("catch", placement="centred", **SETTINGS).fit(market[1].head(340))
    for follow in (MarketWatch, DetectorStream):
        with pytest.raises(TriptychError, match='placement = "centred" looks ahead'):
            follow(centred)
