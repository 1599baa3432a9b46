import numpy as np
import pytest

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.features.targets import Config as TargetConfig
from triptych.features.targets import label
from triptych.training.leak_meter import LeakMeter, measure
from triptych.training.samples import Samples
from triptych.training.splits import Config as SplitConfig
from triptych.training.splits import split


@pytest.fixture(scope="module")
def walk() -> tuple[CandleSeries, Samples, Samples]:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(8).normal(0, 0.01, 3000)))
    series = CandleSeries(
        instrument=Instrument(symbol="X"),
        timeframe=Timeframe.parse("1h"),
        open_time_ms=np.arange(3000, dtype=np.int64) * 3_600_000,
        values=np.stack([close, close, close, close, np.ones(3000)], axis=1),
    )
    targets = label(series, TargetConfig(horizon=12))
    fold = split([series], [targets], SplitConfig(), length=24)[0]
    train, test = (Samples.of([series], [targets], segment) for segment in (fold.train, fold.test))
    return series, train, test


def test_on_a_random_walk_shuffling_alone_makes_skill(walk: tuple[CandleSeries, Samples, Samples]) -> None:
    series, train, test = walk
    meter = measure([series], train, test, length=24, seed=1)
    assert abs(meter.purged_mcc) < 0.15
    assert meter.shuffled_mcc > 0.25
    assert (meter.train_samples, meter.test_samples) == (len(train), len(test))


def test_the_same_seed_gives_the_same_meter(walk: tuple[CandleSeries, Samples, Samples]) -> None:
    series, train, test = walk
    assert measure([series], train, test, length=24, seed=4) == measure([series], train, test, length=24, seed=4)


def test_the_finding_in_words() -> None:
    meter = LeakMeter(purged_mcc=0.014, shuffled_mcc=0.62, train_samples=10, test_samples=5)
    assert meter.sentence == (
        "A model that only remembers scores an MCC of 0.01 on this split and 0.62 when the same windows are shuffled: "
        "so much would be leakage, not skill."
    )
