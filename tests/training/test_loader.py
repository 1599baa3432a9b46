import numpy as np
import pytest
import torch
from tests.fakes.market import walk

from triptych.training.loader import EpochSampler, WindowLoader, fits_on
from triptych.training.samples import Samples
from triptych.training.windows import WindowSet

LABELS = torch.tensor([0] * 90 + [1] * 8 + [2] * 2)


def window_set(n: int) -> WindowSet:
    index = np.arange(4, 4 + n)
    samples = Samples(
        instrument=np.zeros(n, dtype=np.int64), index=index, label=index % 3, time_ms=index, end_ms=index + 1,
        uniqueness=np.ones(n),
    )  # fmt: skip
    return WindowSet.of([walk(n + 4)], samples, length=5)


def positions(order: str, seed: int, epoch: int) -> list[int]:
    sampler = EpochSampler(LABELS, order, seed)
    sampler.set_epoch(epoch)
    return sampler.positions().tolist()


@pytest.mark.parametrize("order", ["shuffled", "balanced"])
def test_the_order_is_a_function_of_seed_and_epoch(order):
    assert positions(order, 1, 5) == positions(order, 1, 5)
    assert positions(order, 1, 5) != positions(order, 1, 6)
    assert positions(order, 1, 5) != positions(order, 2, 5)


def test_the_order_leaves_the_global_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    positions("shuffled", 1, 1)
    assert torch.rand(1) == expected


def test_shuffling_shows_every_window_once():
    assert sorted(positions("shuffled", 0, 0)) == list(range(100))


def test_balanced_sampling_draws_every_class_equally_often():
    drawn = np.bincount(
        LABELS[torch.tensor([p for epoch in range(60) for p in positions("balanced", 0, epoch)])], minlength=3
    )
    assert drawn.sum() == 6000
    np.testing.assert_allclose(drawn / 6000, 1 / 3, atol=0.02)


def test_balanced_sampling_lives_with_a_missing_class():
    sampler = EpochSampler(torch.tensor([0, 2, 2, 2]), "balanced", 0)
    assert set(sampler.positions().tolist()) <= {0, 1, 2, 3}


def test_batches_cover_the_set_in_order():
    loader = WindowLoader(window_set(10), batch_size=4)
    batches = list(loader)
    assert [len(b.labels) for b in batches] == [4, 4, 2]
    assert len(loader) == 3
    assert torch.cat([b.labels for b in batches]).tolist() == [i % 3 for i in range(4, 14)]


def test_the_last_smaller_batch_can_be_left_out():
    assert [len(b.labels) for b in WindowLoader(window_set(10), batch_size=4, drop_last=True)] == [4, 4]
    assert len(WindowLoader(window_set(10), batch_size=4, drop_last=True)) == 2


def test_an_only_batch_is_never_left_out():
    assert [len(b.labels) for b in WindowLoader(window_set(3), batch_size=4, drop_last=True)] == [3]


def test_the_epoch_told_before_the_first_batch_is_the_one_that_is_run():
    loader = WindowLoader(window_set(40), batch_size=40, order="shuffled", seed=1)
    batches = iter(loader)
    loader.set_epoch(7)
    late = next(batches).windows
    other = WindowLoader(window_set(40), batch_size=40, order="shuffled", seed=1)
    other.set_epoch(7)
    assert torch.equal(late, next(iter(other)).windows)


def test_only_a_gpu_can_hold_the_windows():
    assert not fits_on(window_set(3), torch.device("cpu"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_batches_cut_on_the_gpu_equal_those_cut_on_the_cpu():
    on_cpu, on_gpu = window_set(50), window_set(50).to(torch.device("cuda"))
    for ours, theirs in zip(WindowLoader(on_gpu, batch_size=16), WindowLoader(on_cpu, batch_size=16), strict=True):
        assert torch.equal(ours.windows.cpu(), theirs.windows)
