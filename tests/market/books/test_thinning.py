"""Books that are sampled already, taken at a longer step."""

import numpy as np
import pytest
from tests.fakes.books import leaning_tape

from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books import BookTape, read_books, write_tape
from triptych.market.books.tape import segments_of
from triptych.market.books.thinning import thinned


def at(*times_ms, segment=None):
    """Books at these times, the size of the best bid being the number of the row."""
    n = len(times_ms)
    times = np.array(times_ms, dtype=np.int64)
    return BookTape(
        symbol="X", time_ms=times, segment=segments_of(times) if segment is None else np.array(segment),
        bid_prices=np.full((n, 1), 99.0), bid_sizes=np.arange(n, dtype=float)[:, None],
        ask_prices=np.full((n, 1), 101.0), ask_sizes=np.ones((n, 1)),
    )  # fmt: skip


def rows_of(tape):
    return list(zip(tape.time_ms.tolist(), tape.bid_sizes[:, 0].tolist(), tape.segment.tolist(), strict=True))


def test_a_row_is_the_last_book_at_or_before_a_multiple_and_has_its_time():
    assert rows_of(thinned(at(*range(900, 1_700, 100)), 200)) == [
        (1_000, 1, 0),
        (1_200, 3, 0),
        (1_400, 5, 0),
        (1_600, 7, 0),
    ]
    # Rows that stand between the multiples are shown at the multiple after them, never before.
    assert rows_of(thinned(at(*range(1_030, 1_630, 100)), 200)) == [(1_200, 1, 0), (1_400, 3, 0)]


def test_between_two_stretches_there_is_no_row_and_none_is_of_both():
    gap = at(*range(500, 1_500, 100), *range(5_050, 5_550, 100))
    assert rows_of(thinned(gap, 400)) == [(800, 3, 0), (1_200, 7, 0), (5_200, 11, 1)]
    # Two stretches may meet in a millisecond: each has its own book.
    meeting = at(1_000, 1_100, 1_200, 1_200, 1_300, 1_400, segment=[0, 0, 0, 1, 1, 1])
    assert rows_of(thinned(meeting, 200)) == [(1_000, 0, 0), (1_200, 2, 0), (1_200, 3, 1), (1_400, 5, 1)]


def test_the_own_step_leaves_a_table_as_it_is_and_one_whose_steps_vary_a_little_counts_as_its_step():
    tape = at(*range(1_030, 2_030, 100))
    assert thinned(tape, 100) is tape
    varied = at(*(1_000 + 100 * i + (i % 3) * 2 for i in range(40)))  # 102, 102 and 96 ms in turn
    assert thinned(varied, 100) is varied
    assert thinned(varied, 1_000).time_ms.tolist() == [1_000, 2_000, 3_000, 4_000]
    with pytest.raises(DataError, match=r"X: the books are 102 ms apart already and cannot be taken every 250 ms\."):
        thinned(varied, 250)


def test_a_table_without_a_rhythm_is_taken_at_any_step():
    assert rows_of(thinned(at(1_000, 1_010, 1_400, 1_420, 2_900, 3_050), 500)) == [
        (1_000, 0, 0), (1_500, 3, 0), (2_000, 3, 0), (2_500, 3, 0), (3_000, 4, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("every_ms", "such"), [(50, 200), (1, 200), (150, 200), (250, 200), (1_050, 1_000)])
def test_a_finer_step_or_no_multiple_is_refused(tmp_path, every_ms, such):
    file = write_tape(tmp_path / "books.parquet", at(*range(1_000, 3_000, 100)))
    with pytest.raises(DataError) as caught:
        read_books(file, every_ms=every_ms)
    assert str(caught.value) == (
        f"X: the books are 100 ms apart already and cannot be taken every {every_ms} ms. Ask for a multiple of 100 ms, "
        f"such as {such}, or leave it out (--every-ms, data.every_ms)."
    )


def test_a_recording_shorter_than_the_step_is_refused():
    with pytest.raises(NotEnoughData) as caught:
        thinned(at(1_100, 1_200, 1_300), 1_000)
    assert str(caught.value) == (
        "X: the books do not last until the next multiple of 1000 ms. Choose a shorter step, or bring a longer "
        "recording."
    )


def test_files_are_thinned_when_they_are_read_each_stretch_by_itself(tmp_path):
    whole = leaning_tape(300, levels=3)
    first = write_tape(tmp_path / "1.parquet", whole.between(0, 145))
    second = write_tape(tmp_path / "2.parquet", whole.between(155, 300))
    tape = read_books([first, second], levels=2, every_ms=1_000)
    assert (tape.levels, np.unique(np.diff(tape.time_ms)[np.diff(tape.segment) == 0]).tolist()) == (2, [1_000])
    assert np.count_nonzero(np.diff(tape.segment)) == 1
    place = np.searchsorted(whole.time_ms, tape.time_ms, side="right") - 1
    np.testing.assert_array_equal(tape.rows(), whole.rows(2)[place])
    np.testing.assert_array_equal(read_books(first, every_ms=100).time_ms, whole.time_ms[:145])
