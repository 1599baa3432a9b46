import numpy as np
import pytest
import torch

from triptych.domain.errors import DataError
from triptych.inference.anomaly.reference_score import reference_score


def plainly(error, size, stride, weight):
    """The same, sub-window by sub-window and row by row."""
    length, _ = error.shape
    firsts = range(0, length - size + 1, stride)
    parts = [(a, a + size) for a in firsts]
    covered = parts[-1][1]
    if covered < length:
        parts.append((covered, length))
    values = [np.abs(np.fft.fft(error[a:b], axis=0)).mean() for a, b in parts]
    spectral = [np.mean([v for (a, b), v in zip(parts, values, strict=True) if a <= t < b]) for t in range(length)]
    return (error**2).mean(axis=1) + weight * np.asarray(spectral)


@pytest.mark.parametrize(
    ("length", "size", "stride"), [(24, 8, 1), (25, 7, 1), (26, 8, 3), (10, 10, 1), (9, 1, 1), (9, 2, 2), (140, 129, 4)]
)
def test_cumulative_sums_give_what_the_plain_way_gives(length, size, stride):
    error = torch.randn(3, length, 2, generator=torch.Generator().manual_seed(0))
    got = reference_score(error, size=size, stride=stride, weight=0.3)
    for window, scores in zip(error.numpy(), got.numpy(), strict=True):
        np.testing.assert_allclose(scores, plainly(window, size, stride, 0.3), rtol=1e-4, atol=1e-5)


def test_a_perfect_reconstruction_scores_zero():
    assert reference_score(torch.zeros(2, 64, 3)).abs().max() == 0


def test_too_long_a_sub_window_is_refused():
    with pytest.raises(DataError) as error:
        reference_score(torch.zeros(1, 16, 1), size=32)
    assert str(error.value) == "A sub-window has 1 to 16 rows, was 32."


@pytest.mark.parametrize("stride", [0, 9])
def test_sub_windows_that_leave_rows_out_are_refused(stride):
    with pytest.raises(DataError) as error:
        reference_score(torch.zeros(1, 16, 1), size=8, stride=stride)
    assert str(error.value) == f"A sub-window begins 1 to 8 rows behind the one before, was {stride}."
