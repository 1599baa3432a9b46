"""Pairs of like windows: close to one another, one behind the other, or followed by the like; never the same rows."""

from dataclasses import replace

import pytest
import torch
from tests.fakes.killed_training import window_sets

from triptych.domain.errors import NotEnoughData
from triptych.training.siamese import Config
from triptych.training.siamese.pairs import LIKE_RANKS, UNLIKE_RANKS, pairs_of


def drawn(windows, config, seed=0):
    batches = pairs_of(windows, config).batches(7, torch.Generator().manual_seed(seed))
    return torch.cat([first for first, _ in batches]), torch.cat([second for _, second in batches])


def near(n):
    return Config(loss="nt_xent", near=n)


def test_like_windows_are_others_that_begin_close_by():
    windows, _ = window_sets()
    first, second = drawn(windows, near(3))
    gap = (windows.starts[first] - windows.starts[second]).abs()
    assert len(first) > 0.9 * len(windows)
    assert set(gap.tolist()) == {1, 2, 3}


def test_windows_of_the_same_longer_candles_are_never_a_pair():
    windows, _ = window_sets()
    windows = replace(windows, starts=windows.starts.sort().values // 4)  # four candles close before a longer one does
    first, second = drawn(windows, near(1))
    gap = (windows.starts[first] - windows.starts[second]).abs()
    assert len(first) > 0.9 * len(windows)
    assert set(gap.tolist()) == {1}
    assert set((windows.starts[second] - windows.starts[first]).tolist()) == {-1, 1}


def test_the_next_window_shares_no_candle_and_begins_soon():
    windows, _ = window_sets()
    pairs = pairs_of(windows, Config(loss="nt_xent", pairs="next", near=3))
    first, second = pairs.draw(torch.Generator().manual_seed(0))
    gap = windows.starts[second] - windows.starts[first]
    assert len(first) > 0.8 * len(windows)
    assert set(gap.tolist()) <= set(range(windows.length, windows.length + 4))
    assert len(set(gap.tolist())) == 4
    unlike = pairs.unlike(first[:60], second[:60])
    begins = windows.starts[first[:60]]
    apart = (begins[:, None] - begins).abs() < windows.length
    assert not (unlike & apart).any()
    assert unlike.any()


def test_windows_of_like_outcome_are_alike_whenever_they_were_and_never_share_a_candle():
    windows, _ = window_sets()
    figures = torch.rand(len(windows), 1, generator=torch.Generator().manual_seed(1))
    figures[::5] = torch.nan
    windows = replace(windows, figures=figures)
    pairs = pairs_of(windows, Config(loss="nt_xent", pairs="outcome"))
    first, second = pairs.draw(torch.Generator().manual_seed(0))
    known = torch.isfinite(figures[:, 0])
    assert len(first) > 0.9 * known.sum()
    assert known[first].all()
    assert known[second].all()
    rank = torch.full((len(figures),), torch.nan)
    rank[known] = figures[known, 0].argsort().argsort() / (known.sum() - 1)
    assert (rank[first] - rank[second]).abs().max() <= LIKE_RANKS + 1e-6
    gap = (windows.starts[first] - windows.starts[second]).abs()
    assert gap.min() >= windows.length
    assert gap.float().median() > 5 * windows.length
    unlike = pairs.unlike(first[:80], second[:80])
    mean = 0.5 * (rank[first[:80]] + rank[second[:80]])
    assert unlike.any()
    assert ((mean[:, None] - mean).abs()[unlike] >= UNLIKE_RANKS).all()


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ("near", "No window ends within 2 candles of another."),
        ("next", "No window is followed within 2 candles by another without a common candle."),
    ],
)
def test_windows_too_far_apart_for_a_pair_are_refused(pairs, words):
    windows, _ = window_sets()
    windows = replace(windows, starts=torch.arange(len(windows)) * 15)
    with pytest.raises(NotEnoughData) as refused:
        pairs_of(windows, Config(loss="nt_xent", pairs=pairs, near=2))
    assert str(refused.value) == f"{words} Raise siamese.near above window.stride."


def test_another_seed_draws_other_pairs_and_the_same_seed_the_same():
    windows, _ = window_sets()
    one, again, other = (drawn(windows, near(3), seed)[1] for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
