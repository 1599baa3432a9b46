import numpy as np
import pytest

from triptych.inference.similar import COLLAPSED, collapse_note, count_apart, most_similar, spread_of, strangeness_of


def test_the_most_similar_windows_share_no_candle_with_one_another():
    ends = np.arange(100, 200)
    likeness = np.exp(-(((ends - 150) / 5.0) ** 2)) + 0.9 * np.exp(-(((ends - 120) / 5.0) ** 2))
    found = most_similar(likeness, ends, count=3, apart=20)
    assert ends[found][:2].tolist() == [150, 120]
    assert np.abs(np.diff(np.sort(ends[found]))).min() >= 20


def test_fewer_are_found_where_there_is_no_room():
    assert most_similar(np.ones(5), np.arange(5), count=10, apart=3).tolist() == [0, 3]


def test_strangeness_is_the_mean_distance_to_the_ten_nearest():
    past = np.array([[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 5 + [[-1.0, 0.0]] * 90)
    assert strangeness_of(np.array([1.0, 0.0]), past) == pytest.approx((5 * 0.0 + 5 * np.sqrt(2.0)) / 10)
    assert strangeness_of(np.array([1.0, 0.0]), past[-3:]) == pytest.approx(2.0)


def test_the_spread_is_the_median_distance_of_two():
    apart = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert spread_of(apart) == pytest.approx(np.sqrt(2.0))
    assert spread_of(apart[:1]) == 0.0
    many = np.repeat(apart[:2], 4000, axis=0)  # thinned evenly: both kinds stay
    assert spread_of(many) == pytest.approx(np.sqrt(2.0))


def test_windows_are_counted_that_overlap_by_half_at_most():
    assert count_apart(np.arange(100, 200), 20) == 10
    assert count_apart(np.arange(100, 200), 21) == 10  # half of it is 11 candles
    assert count_apart(np.arange(100, 200, 50), 20) == 2
    assert count_apart(np.array([100]), 20) == 1
    assert count_apart(np.array([], dtype=np.int64), 20) == 0


def test_windows_in_one_place_are_a_collapse_even_with_a_few_outside():
    places = np.r_[np.repeat([[1.0, 0.0]], 90, axis=0), np.repeat([[0.0, 1.0]], 10, axis=0)]
    assert spread_of(places) == pytest.approx(0.0, abs=1e-6)
    assert "The network of likeness has collapsed" in collapse_note(spread_of(places))
    assert collapse_note(COLLAPSED) == ""
