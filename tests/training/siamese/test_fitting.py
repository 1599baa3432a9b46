"""Pairs of like windows: close to one another, and never the same rows."""

from dataclasses import replace

import torch
from tests.fakes.killed_training import window_sets

from triptych.training.siamese.fitting import _batches, _partners


def pairs(windows, near):
    drawn = _batches(_partners(windows, near), 7, torch.Generator().manual_seed(0))
    return torch.cat([first for first, _ in drawn]), torch.cat([second for _, second in drawn])


def test_like_windows_are_others_that_begin_close_by():
    windows, _ = window_sets()
    first, second = pairs(windows, 3)
    gap = (windows.starts[first] - windows.starts[second]).abs()
    assert len(first) > 0.9 * len(windows)
    assert set(gap.tolist()) == {1, 2, 3}


def test_windows_of_the_same_longer_candles_are_never_a_pair():
    windows, _ = window_sets()
    windows = replace(windows, starts=windows.starts.sort().values // 4)  # four candles close before a longer one does
    first, second = pairs(windows, 1)
    gap = (windows.starts[first] - windows.starts[second]).abs()
    assert len(first) > 0.9 * len(windows)
    assert set(gap.tolist()) == {1}
    assert set((windows.starts[second] - windows.starts[first]).tolist()) == {-1, 1}
