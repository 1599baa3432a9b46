import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.fakes.market import HOUR_MS, walk

from triptych.features import targets
from triptych.training import splits
from triptych.training.samples import Samples


@pytest.fixture
def parts():
    series = [walk(300, seed=1), walk(260, seed=2, symbol="BBB", start_ms=40 * HOUR_MS)]
    config = targets.Config(horizon=4, threshold="fixed")
    labels = [targets.label(s, config) for s in series]
    (fold,) = splits.split(series, labels, splits.Config(), length=8)
    return series, labels, fold


def test_samples_stand_by_instrument_then_time(parts):
    series, labels, fold = parts
    samples = Samples.of(series, labels, fold.test)
    assert len(samples) == len(fold.test)
    assert samples.instrument.tolist() == sorted(samples.instrument.tolist())
    for i, s in enumerate(series):
        mine = samples.instrument == i
        assert samples.index[mine].tolist() == fold.test.indices[i].tolist()
        assert samples.time_ms[mine].tolist() == s.close_time_ms[fold.test.indices[i]].tolist()
        assert (samples.end_ms[mine] - samples.time_ms[mine] == 4 * HOUR_MS).all()
        assert samples.label[mine].tolist() == labels[i].classes[fold.test.indices[i]].tolist()


def test_class_counts_and_effective_number(parts):
    series, labels, fold = parts
    samples = Samples.of(series, labels, fold.train)
    assert sum(samples.class_counts) == len(samples)
    assert samples.class_counts[2] == int((samples.label == 2).sum())
    assert samples.effective_n == pytest.approx(len(samples) / 4, rel=0.1)


def test_a_stride_thins_the_samples_and_makes_them_more_unique(parts):
    series, labels, fold = parts
    every = Samples.of(series, labels, fold.train)
    fourth = Samples.of(series, labels, fold.train, stride=4)
    assert (fourth.index % 4 == 0).all()
    assert len(fourth) == pytest.approx(len(every) / 4, abs=2)
    assert_allclose(fourth.uniqueness, 1.0)


def test_folds_are_joined_one_after_the_other(parts):
    series, labels, fold = parts
    one, two = Samples.of(series, labels, fold.validation), Samples.of(series, labels, fold.test)
    both = Samples.concatenate([one, two])
    assert both.index.tolist() == [*one.index.tolist(), *two.index.tolist()]
    assert both.effective_n == pytest.approx(one.effective_n + two.effective_n)


def test_an_instrument_without_samples_is_no_harm(parts):
    series, labels, fold = parts
    empty = splits.Segment(
        name="test", start_ms=0, stop_ms=1, indices=(fold.test.indices[0], np.array([], dtype=np.int64))
    )
    assert set(Samples.of(series, labels, empty).instrument.tolist()) == {0}
