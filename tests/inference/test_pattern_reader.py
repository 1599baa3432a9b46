import numpy as np
import pytest

from triptych.domain.errors import NotEnoughData
from triptych.inference.pattern_reader import AbstractPatternReader


class LastClose(AbstractPatternReader):
    """Says the last close of a window, and how many candles it holds."""

    length, labels, numbers = 3, ("close",), ("candles",)

    def answers(self, windows):
        return np.stack([windows[:, -1, 3], np.full(len(windows), windows.shape[1])], axis=1)[:, None].astype("f4")


VALUES = np.arange(40.0).reshape(8, 5)


def test_every_window_that_ends_within_the_history_is_asked_about():
    found = LastClose().over(VALUES)
    assert found[:, 0, 0].tolist() == [13.0, 18.0, 23.0, 28.0, 33.0, 38.0]
    assert set(found[:, 0, 1]) == {3.0}


def test_windows_end_at_the_candles_that_are_named():
    assert LastClose().over(VALUES, np.array([7, 2]))[:, 0, 0].tolist() == [38.0, 13.0]


def test_a_history_shorter_than_a_window_is_refused():
    with pytest.raises(NotEnoughData) as refused:
        LastClose().over(VALUES[:2])
    assert str(refused.value) == "2 candles are fewer than the network's window of 3. Bring at least 3 candles."
