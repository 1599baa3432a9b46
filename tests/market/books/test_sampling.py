from __future__ import annotations

import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.market.books import BookTape, book_windows, join_tapes, sample_at


def test_the_last_book_at_or_before_each_time(tape):
    start = int(tape.time_ms[0])
    sample = sample_at(tape, np.array([start - 1, start, start + 99, start + 100]), max_age_ms=1_000)
    assert sample.source.tolist() == [-1, 0, 0, 1]
    assert sample.age_ms.tolist() == [-1, 0, 99, 0]
    assert sample.is_stale.tolist() == [True, False, False, False]
    assert sample.n_stale == 1
    assert np.isnan(sample.tape.rows()[0]).all()
    np.testing.assert_array_equal(sample.tape.rows()[1:], tape.rows()[[0, 0, 1]])


def test_a_book_older_than_allowed_is_stale(tape):
    end = int(tape.time_ms[-1])
    sample = sample_at(tape, np.array([end + 500, end + 501]), max_age_ms=500)
    assert sample.is_stale.tolist() == [False, True]
    assert np.isnan(sample.tape.mid).tolist() == [False, True]


def test_times_must_not_fall(tape):
    with pytest.raises(DataError) as caught:
        sample_at(tape, np.array([2, 1]), max_age_ms=1)
    assert str(caught.value) == "TEST: times at which to sample must not fall. Sort them."


def test_samples_from_a_cut_tape_are_those_of_the_whole_tape(tape):
    times = tape.time_ms[:200] + 37
    cut = tape.between(0, 200)
    np.testing.assert_array_equal(sample_at(cut, times, 1_000).tape.rows(), sample_at(tape, times, 1_000).tape.rows())


def test_a_window_shows_the_books_up_to_its_close(tape):
    close = tape.time_ms[[50, 90]] + 10
    windows = book_windows(tape, close, length=3, step_ms=200)
    assert windows.is_valid.tolist() == [True, True]
    np.testing.assert_array_equal(windows.rows()[0], tape.rows()[[46, 48, 50]])
    np.testing.assert_array_equal(windows.rows(np.array([1]))[0], tape.rows()[[86, 88, 90]])
    assert windows.rows().shape == (2, 3, 20)


def test_a_window_that_begins_before_the_tape_is_not_valid_and_has_no_books_there(tape):
    windows = book_windows(tape, tape.time_ms[[1, 2]], length=3, step_ms=100)
    assert windows.is_valid.tolist() == [False, True]
    assert windows.valid.tolist() == [1]
    assert np.isnan(windows.rows()[0, 0]).all()


def test_no_window_crosses_a_gap(make_tape):
    first = make_tape(20)
    later = make_tape(20, start_ms=1_000_000 + 20 * 100 + 5_000)
    joined = BookTape(
        symbol="TEST", time_ms=np.r_[first.time_ms, later.time_ms],
        **{
            name: np.concatenate([getattr(first, name), getattr(later, name)])
            for name in ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")
        },
    )  # fmt: skip
    windows = book_windows(joined, joined.time_ms, length=5, step_ms=100, max_age_ms=300)
    assert np.flatnonzero(~windows.is_valid).tolist() == [0, 1, 2, 3, 20, 21, 22, 23]


def test_no_window_crosses_from_one_segment_into_another(make_tape):
    joined = join_tapes([make_tape(20), make_tape(20, seed=1, start_ms=1_000_000 + 20 * 100)])
    windows = book_windows(joined, joined.time_ms, length=5, step_ms=100)
    assert np.flatnonzero(~windows.is_valid).tolist() == [0, 1, 2, 3, 20, 21, 22, 23]


def test_no_window_crosses_midnight_unless_it_may(make_tape):
    midnight = 86_400_000
    tape = make_tape(20, start_ms=midnight - 1_000)
    close = tape.time_ms[[9, 10, 11, 14, 15]]
    assert close.tolist()[1] == midnight
    refused = book_windows(tape, close, length=5, step_ms=100)
    allowed = book_windows(tape, close, length=5, step_ms=100, across_days=True)
    # The window that closes at midnight belongs to the day that ends.
    assert refused.is_valid.tolist() == [True, True, False, False, True]
    assert allowed.is_valid.all()


def test_fewer_levels_can_be_taken(tape):
    windows = book_windows(tape, tape.time_ms[[50]], length=2, step_ms=100, levels=1)
    np.testing.assert_array_equal(windows.rows()[0], tape.rows(1)[[49, 50]])


def test_a_window_without_length_is_refused(tape):
    with pytest.raises(DataError) as caught:
        book_windows(tape, tape.time_ms, length=0, step_ms=100)
    assert str(caught.value) == (
        "TEST: a window of 0 books 100 ms apart cannot be cut. Give a length and a step of at least 1."
    )


def test_times_without_a_book_between_two_stretches_are_stale_and_break_nothing(make_tape):
    first, second = make_tape(n=3, start_ms=1_000_000), make_tape(n=3, start_ms=1_060_000)
    sample = sample_at(join_tapes([first, second]), np.array([999_000, 1_000_100, 1_030_000, 1_060_100]), 1_000)
    assert sample.is_stale.tolist() == [True, False, True, False]
    assert sample.tape.segment.tolist() == [0, 0, 0, 1]
