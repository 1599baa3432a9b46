from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

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


def test_the_trained_model_is_scored_on_the_windows_of_the_purged_test(
    walk: tuple[CandleSeries, Samples, Samples],
) -> None:
    series, train, test = walk
    alone = measure([series], train, test, length=24, seed=1)
    assert alone.model_mcc is None
    right = measure([series], train, test, length=24, seed=1, said=test.label)
    assert right == replace(alone, model_mcc=1.0)
    wrong = np.where(np.arange(len(test)) < len(test) // 2, test.label, 1)
    found = measure([series], train, test, length=24, seed=1, said=wrong).model_mcc
    assert found == pytest.approx(matthews_corrcoef(test.label, wrong))
    assert measure([series], train, test, length=24, seed=1, said=np.full(len(test), -1)) == alone


NO_LEAK = " Its 0.75 on this split is no leak: what it remembers ended before the test began."


@pytest.mark.parametrize(
    ("purged", "shuffled", "model", "finding"),
    [
        (0.014, 0.62, None, "the 0.61 that shuffling adds would be leakage, not skill."),
        (0.014, 0.62, 0.2, "the 0.61 that shuffling adds would be leakage, not skill."),
        (0.75, 0.76, None, "shuffling adds next to nothing here." + NO_LEAK),
        (0.75, 0.71, 0.8, f"shuffling adds nothing here.{NO_LEAK} The trained model scores 0.80 on the same windows."),
        (
            0.75,
            0.83,
            0.62,
            f"the 0.08 that shuffling adds would be leakage, not skill.{NO_LEAK} The trained model scores 0.62 on the "
            "same windows, less than remembering alone.",
        ),
    ],
)
def test_the_finding_in_words(purged: float, shuffled: float, model: float | None, finding: str) -> None:
    meter = LeakMeter(
        purged_mcc=purged, shuffled_mcc=shuffled, train_samples=10, test_samples=5, model_mcc=model
    )  # fmt: skip
    assert meter.sentence == (
        f"A model that only remembers scores an MCC of {purged:.2f} on this split and {shuffled:.2f} when the same "
        f"windows are shuffled: {finding}"
    )
