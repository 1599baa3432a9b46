from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.books import fi2010_file, leaning_tape

from triptych.domain.errors import NotEnoughData, RecipeError
from triptych.market.books import read_fi2010
from triptych.training.books.history import history_of_fi2010, history_of_tape, rhythm_of
from triptych.training.books.labels import UNKNOWN, Config


def test_rows_are_those_of_the_best_levels_and_labels_follow_from_the_moves() -> None:
    tape = leaning_tape(100)
    history = history_of_tape(tape, Config(horizon=5), levels=2)
    assert history.rows.shape == (100, 8)
    assert history.rows.dtype == np.float32
    assert not history.has_labels
    assert set(history.classes(0.01)[:95].tolist()) == {0, 1, 2}
    assert (history.classes(0.01)[95:] == UNKNOWN).all()


def test_a_book_with_an_empty_side_is_in_no_window() -> None:
    tape = leaning_tape(60)
    tape.bid_prices[30], tape.bid_sizes[30] = np.nan, np.nan
    history = history_of_tape(tape, Config(horizon=5), levels=3)
    assert np.flatnonzero(~history.windows_end(10)).tolist() == [*range(9), *range(30, 40)]


def test_more_levels_than_the_tape_has_are_refused() -> None:
    with pytest.raises(NotEnoughData, match=r"^LEAN: the tape has 3 levels a side, asked for were 5\."):
        history_of_tape(leaning_tape(50), Config(), levels=5)


def test_fi_2010_brings_its_labels_of_the_horizon_as_far_as_they_stay_in_its_stretch(tmp_path) -> None:
    data = read_fi2010(fi2010_file(tmp_path / "fi.txt", 120))
    history = history_of_fi2010(data, Config(horizon=20), name="fi.txt", levels=4, first_event=1000)
    assert history.time_ms[[0, -1]].tolist() == [1000, 1119]
    assert history.rows.shape == (120, 16)
    np.testing.assert_allclose(history.rows[:, 8], data.rows[:, 20], rtol=1e-6)  # best ask price
    np.testing.assert_array_equal(history.labels[:100], data.labels[:100, 1])
    assert (history.labels[100:] == UNKNOWN).all()
    np.testing.assert_allclose(history.queue, data.rows[:, 10] - data.rows[:, 30])


def test_fi_2010_has_five_horizons_and_ten_levels(tmp_path) -> None:
    data = read_fi2010(fi2010_file(tmp_path / "fi.txt", 120))
    with pytest.raises(RecipeError) as caught:
        history_of_fi2010(data, Config(horizon=25), name="fi.txt", levels=10)
    assert str(caught.value) == (
        "FI-2010 has no labels 25 events ahead. Set target.horizon to one of 10, 20, 30, 50, 100."
    )
    with pytest.raises(RecipeError, match=r"^FI-2010 has 10 levels a side, asked for were 20\. Set levels to 10\.$"):
        history_of_fi2010(data, Config(horizon=50), name="fi.txt", levels=20)


def test_rows_that_come_by_the_clock_have_a_rhythm_and_others_only_that_which_was_asked_for(tmp_path) -> None:
    tape = leaning_tape(300)
    by_the_clock = history_of_tape(tape, Config(horizon=5), levels=3)
    assert rhythm_of([by_the_clock], None) == 100
    assert rhythm_of([by_the_clock, by_the_clock], 100) == 100
    assert rhythm_of([by_the_clock], 5_000) == 100  # a file that is sampled already stays as it is
    messages = replace(by_the_clock, time_ms=tape.time_ms[0] + np.cumsum(np.arange(300) % 2 * 900 + 1))
    assert rhythm_of([messages], None) is None
    events = history_of_fi2010(read_fi2010(fi2010_file(tmp_path / "fi.txt", 120)), Config(), name="fi", levels=4)
    assert rhythm_of([events], None) is None
