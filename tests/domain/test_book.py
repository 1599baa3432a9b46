from __future__ import annotations

import pytest

from triptych.domain import BookSnapshot, book_columns
from triptych.domain.errors import DataError


def test_columns_are_four_blocks_from_the_best_level_outward():
    assert book_columns(2) == (
        "bid_price_1", "bid_price_2", "bid_size_1", "bid_size_2",
        "ask_price_1", "ask_price_2", "ask_size_1", "ask_size_2",
    )  # fmt: skip


def test_a_book_without_levels_is_refused():
    with pytest.raises(DataError) as caught:
        book_columns(0)
    assert str(caught.value) == "A book needs at least 1 level a side, was 0. Ask for 1 level or more."


def test_the_mid_lies_between_the_best_quotes():
    book = BookSnapshot(symbol="TEST", time_ms=0, bids=((99.0, 1.0), (98.0, 2.0)), asks=((101.0, 1.0),))
    assert book.mid == 100.0


def test_a_crossed_snapshot_is_refused():
    with pytest.raises(DataError) as caught:
        BookSnapshot(symbol="TEST", time_ms=0, bids=((101.0, 1.0),), asks=((101.0, 1.0),))
    assert str(caught.value) == "TEST: crossed book, best bid 101.0 >= best ask 101.0."
