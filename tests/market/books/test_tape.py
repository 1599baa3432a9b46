from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books import BookTape, join_tapes, read_books, write_tape
from triptych.market.books.tape import segments_of


def tape(**changes):
    arrays = {
        "time_ms": np.array([1_000, 1_100, 1_100]),
        "bid_prices": np.array([[99.0, 98.0], [99.0, np.nan], [np.nan, np.nan]]),
        "bid_sizes": np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan]]),
        "ask_prices": np.array([[100.0, 102.0], [100.0, 101.0], [100.0, 101.0]]),
        "ask_sizes": np.array([[4.0, 5.0], [0.0, 7.0], [8.0, 9.0]]),
    }
    return BookTape(symbol="TEST", **(arrays | changes))


def with_value(name, row, level, value):
    values = getattr(tape(), name).copy()
    values[row, level] = value
    return {name: values}


def test_rows_are_four_blocks_from_the_best_level_outward():
    np.testing.assert_array_equal(
        tape().rows(2)[:2], [[99, 98, 1, 2, 100, 102, 4, 5], [99, np.nan, 3, np.nan, 100, 101, 0, 7]]
    )
    np.testing.assert_array_equal(tape().rows(1)[0], [99, 1, 100, 4])


def test_the_mid_of_a_one_sided_book_is_unknown():
    np.testing.assert_array_equal(tape().mid, [99.5, 99.5, np.nan])


def test_more_levels_than_there_are_cannot_be_had():
    with pytest.raises(NotEnoughData) as caught:
        tape().rows(3)
    assert str(caught.value) == (
        "TEST: the tape has 2 levels a side, asked for were 3. Ask for 1 to 2, or read the source with more levels."
    )


ORDER = "prices that do not go outward from the best, or the same price twice"
HOLE = {
    "bid_prices": np.array([[99.0, 98.0], [np.nan, 98.0], [np.nan, np.nan]]),
    "bid_sizes": np.array([[1.0, 2.0], [np.nan, 2.0], [np.nan, np.nan]]),
}


@pytest.mark.parametrize(
    ("changes", "row", "problem"),
    [
        ({"time_ms": np.array([1_000, 999, 1_001])}, 1, "earlier than the row before it"),
        (with_value("bid_prices", 0, 0, 100.0), 0, "crossed book, best bid 100.0 >= best ask 100.0"),
        (with_value("bid_prices", 0, 1, 99.0), 0, f"bid level 2: {ORDER}"),
        (with_value("ask_prices", 1, 1, 99.5), 1, f"ask level 2: {ORDER}"),
        (with_value("ask_sizes", 1, 0, -1.0), 1, "ask level 1: a size that is not a number of at least 0"),
        (with_value("ask_sizes", 1, 0, np.nan), 1, "ask level 1: a price without a size, or a size without a price"),
        (with_value("bid_prices", 0, 1, 0.0), 0, "bid level 2: a price that is not a positive number"),
        (HOLE, 1, "bid level 2: a level below a missing one"),
        ({"segment": np.array([1, 0, 0])}, 1, "its segment has a lower number than the row before it"),
    ],
)
def test_books_that_cannot_be_are_refused(changes, row, problem):
    with pytest.raises(DataError) as caught:
        tape(**changes)
    second = 0 if "time_ms" in changes else 1
    assert str(caught.value) == f"TEST: row {row} (1970-01-01 00:00:0{second} UTC) of the books: {problem}."


def test_arrays_of_different_shapes_are_refused():
    with pytest.raises(DataError) as caught:
        tape(ask_sizes=np.ones((3, 3)))
    assert str(caught.value) == "TEST: expected ask sizes of shape (3, 2), was (3, 3)."


def test_a_tape_comes_back_from_disk_as_it_was(tmp_path):
    before = tape(segment=np.array([0, 1, 1]))
    after = read_books(write_tape(tmp_path / "books.parquet", before))
    assert after.symbol == "TEST"
    for name in ("time_ms", "segment", "bid_prices", "bid_sizes", "ask_prices", "ask_sizes"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert getattr(after, name).dtype == getattr(before, name).dtype
    assert [path.name for path in tmp_path.iterdir()] == ["books.parquet"]


def test_joined_tapes_are_not_connected():
    later = tape(time_ms=np.array([2_000, 2_001, 2_002]))
    joined = join_tapes([tape(segment=np.array([4, 4, 5])), later])
    assert joined.segment.tolist() == [0, 0, 1, 2, 2, 2]
    assert joined.time_ms.tolist() == [1_000, 1_100, 1_100, 2_000, 2_001, 2_002]


def test_tapes_of_different_depth_cannot_be_joined():
    with pytest.raises(DataError) as caught:
        join_tapes([tape(), tape().top(1)])
    assert str(caught.value) == (
        "Books of TEST with 2 levels and of TEST with 1 levels cannot be joined. "
        "Join files of one instrument and one depth."
    )


def test_a_row_as_a_snapshot_has_only_the_levels_there_are():
    snapshot = tape().snapshot(1)
    assert snapshot.bids == ((99.0, 3.0),)
    assert snapshot.asks == ((100.0, 0.0), (101.0, 7.0))


def test_a_table_with_a_rhythm_is_broken_where_a_sample_is_missing():
    times = np.array([*range(0, 3000, 100), *range(3200, 6000, 100), 5900, 16_000, 16_100])
    assert np.flatnonzero(np.diff(segments_of(times))).tolist() == [29, 58]  # 200 ms and ten seconds instead of 100 ms


def test_a_table_without_a_rhythm_is_broken_by_a_long_silence_only():
    random = np.random.default_rng(1)
    steps = random.integers(0, 900, 400)
    steps[200] = 30_000
    assert not segments_of(np.concatenate(([0], np.cumsum(steps)))).any()
    steps[300] = 90_000
    assert np.flatnonzero(np.diff(segments_of(np.concatenate(([0], np.cumsum(steps)))))).tolist() == [300]


@pytest.mark.parametrize("times", [[], [5], [5, 5], [5, 105, 605]])
def test_a_few_rows_are_one_stretch(times):
    assert segments_of(np.array(times, dtype=np.int64)).tolist() == [0] * len(times)


def test_a_hole_in_a_flat_table_begins_a_new_stretch(tmp_path):
    times = np.concatenate([np.arange(20) * 100, 9000 + np.arange(20) * 100])
    table = pl.DataFrame(
        {"time_ms": times, "bid_price_0": 99.0, "bid_size_0": 1.0, "ask_price_0": 101.0, "ask_size_0": 1.0}
    )
    table.write_parquet(tmp_path / "BTCUSDT_book.parquet")
    assert read_books(tmp_path / "BTCUSDT_book.parquet").segment.tolist() == [0] * 20 + [1] * 20
