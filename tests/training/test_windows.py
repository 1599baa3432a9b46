import numpy as np
import pytest
import torch
from tests.fakes.market import HOUR_MS, walk

from triptych.domain import CandleSeries
from triptych.domain.errors import NotEnoughData
from triptych.features import targets
from triptych.training import splits
from triptych.training.samples import Samples
from triptych.training.windows import WindowSet


def two_instruments() -> tuple[list[CandleSeries], Samples]:
    series = [walk(300, seed=1), walk(260, seed=2, symbol="BBB", start_ms=40 * HOUR_MS)]
    labels = [targets.label(s, targets.Config(horizon=4, threshold="fixed")) for s in series]
    (fold,) = splits.split(series, labels, splits.Config(), length=8)
    return series, Samples.of(series, labels, fold.train)


def samples_with(labels: list[int], uniqueness: list[float] | None = None) -> Samples:
    n = len(labels)
    return Samples(
        instrument=np.zeros(n, dtype=np.int64),
        index=np.arange(4, 4 + n),
        label=np.array(labels),
        time_ms=np.arange(n),
        end_ms=np.arange(n) + 1,
        uniqueness=np.array(uniqueness or [1.0] * n),
    )


def test_gathered_windows_are_those_of_the_series_to_the_last_bit():
    series, samples = two_instruments()
    windows = WindowSet.of(series, samples, length=8)
    positions = torch.from_numpy(np.random.default_rng(0).permutation(len(samples)))
    batch = windows.gather(positions)
    assert batch.windows.shape == (len(samples), 8, 5)
    assert batch.windows.dtype == torch.float32
    for row, position in enumerate(positions.tolist()):
        one = series[samples.instrument[position]]
        expected = one.windows(samples.index[[position]], 8)[0].astype(np.float32)
        assert np.array_equal(batch.windows[row].numpy(), expected)
        assert batch.labels[row] == samples.label[position]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a GPU")
def test_windows_gathered_into_page_locked_memory_are_the_same():
    series, samples = two_instruments()
    windows = WindowSet.of(series, samples, length=8)
    positions = torch.from_numpy(np.random.default_rng(0).permutation(len(samples)))
    pinned, plain = windows.gather(positions, pin=True), windows.gather(positions)
    for name in ("windows", "labels", "uniqueness"):
        assert getattr(pinned, name).is_pinned()
        assert torch.equal(getattr(pinned, name), getattr(plain, name))


def test_what_is_taken_into_memory_that_is_there_is_what_is_taken_into_new_memory(monkeypatch):
    # Page-locked memory needs a GPU: ordinary memory in its place takes the same way.
    series, samples = two_instruments()
    windows = WindowSet.of(series, samples, length=8)
    positions = torch.from_numpy(np.random.default_rng(0).permutation(len(samples)))
    plain, empty, made = windows.gather(positions), torch.empty, []

    def without_lock(*shape, dtype, pin_memory):
        made.append((*shape, dtype, pin_memory))
        return empty(*shape, dtype=dtype)

    monkeypatch.setattr("triptych.training.windows.torch.empty", without_lock)
    pinned = windows.gather(positions, pin=True)
    assert made[0] == (len(samples), 40, torch.float32, True)
    assert len(made) == 3
    assert torch.equal(pinned.windows, plain.windows)
    assert torch.equal(pinned.labels, plain.labels)
    assert torch.equal(pinned.uniqueness, plain.uniqueness)


def test_gathering_the_last_window_of_all_stays_inside_the_tensor():
    series = [walk(9)]
    samples = samples_with([0, 1, 2, 1, 0])
    batch = WindowSet.of(series, samples, length=5).gather(torch.tensor([4]))
    assert np.array_equal(batch.windows[0].numpy(), series[0].values[4:9].astype(np.float32))


def test_a_window_before_the_history_is_refused():
    samples = samples_with([0, 1])
    with pytest.raises(NotEnoughData) as error:
        WindowSet.of([walk(9)], samples, length=6)
    assert str(error.value) == (
        "AAA: a window of 6 candles cannot end at candle 4. Bring at least 6 candles or shorten the window."
    )


def test_balanced_class_weights_make_every_class_weigh_the_same_with_mean_one():
    windows = WindowSet.of([walk(12)], samples_with([0, 0, 0, 0, 1, 1, 2, 2]), length=5)
    weights = windows.class_weights(by_uniqueness=False)
    assert weights.tolist() == pytest.approx([2 / 3, 4 / 3, 4 / 3])
    assert weights[windows.labels].mean() == pytest.approx(1.0)


def test_class_weights_by_uniqueness_count_independent_observations():
    windows = WindowSet.of([walk(12)], samples_with([0, 0, 0, 0, 2], [0.25] * 4 + [1.0]), length=5)
    assert windows.class_weights(by_uniqueness=True).tolist() == pytest.approx([1.0, 0.0, 1.0])


def test_the_fingerprint_tells_candles_labels_and_length_apart():
    series, samples = two_instruments()
    marks = {
        WindowSet.of(series, samples, length=8).fingerprint(),
        WindowSet.of(series, samples, length=7).fingerprint(),
        WindowSet.of([walk(300, seed=9), series[1]], samples, length=8).fingerprint(),
    }
    assert len(marks) == 3
    assert WindowSet.of(series, samples, length=8).fingerprint() in marks
