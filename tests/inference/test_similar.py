import numpy as np

from triptych.inference.similar import most_similar


def test_the_most_similar_windows_share_no_candle_with_one_another():
    ends = np.arange(100, 200)
    likeness = np.exp(-(((ends - 150) / 5.0) ** 2)) + 0.9 * np.exp(-(((ends - 120) / 5.0) ** 2))
    found = most_similar(likeness, ends, count=3, apart=20)
    assert ends[found][:2].tolist() == [150, 120]
    assert np.abs(np.diff(np.sort(ends[found]))).min() >= 20


def test_fewer_are_found_where_there_is_no_room():
    assert most_similar(np.ones(5), np.arange(5), count=10, apart=3).tolist() == [0, 3]
