from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.windows import books_of, candles_of

from triptych.domain import CANDLE_FIELDS, book_columns
from triptych.domain.errors import NotEnoughData, RecipeError
from triptych.inference import Columns, FactorRows
from triptych.inference.inputs import Config

NOTHING = np.empty((40, 0), dtype=np.float32)


def booked(n=40, levels=3):
    return replace(candles_of(n), books=books_of(n, levels))


def test_columns_stand_where_the_encoding_names_them():
    names = ("ask_price_1", *CANDLE_FIELDS, "factor_1_1", "bid_price_1", "bid_size_1", "ask_size_1")
    columns, series = Columns(names), booked()
    assert (columns.levels, columns.factors, columns.draws_candles, columns.are_mixed) == (1, 1, True, True)
    factor = np.arange(40, dtype=np.float32)[:, None]
    rows = columns.rows(series, factor)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows[:, 1:6], series.values.astype(np.float32))
    np.testing.assert_array_equal(rows[:, 6], factor[:, 0])
    # bid prices, bid sizes, ask prices, ask sizes of three levels: the best of each is every third column
    np.testing.assert_array_equal(rows[:, [7, 8, 0, 9]], series.books[:, [0, 3, 6, 9]].astype(np.float32))


def test_candles_alone_and_factors_alone_are_not_mixed():
    assert not Columns(CANDLE_FIELDS).are_mixed
    assert not Columns(("factor_1_1", "factor_1_2")).are_mixed
    assert Columns(book_columns(2)).are_mixed


def test_a_book_may_lack_levels_but_not_its_best_prices():
    columns = Columns((*CANDLE_FIELDS, *book_columns(2)))
    assert [columns.names[i] for i in columns.needed] == [*CANDLE_FIELDS, "bid_price_1", "ask_price_1"]


def test_a_window_is_known_where_each_of_its_candles_has_a_book():
    series = booked(levels=4)
    series.books[20] = np.nan
    table = FactorRows(Config(), (*CANDLE_FIELDS, *book_columns(4))).table(series)
    known = table.known(8)
    assert np.isnan(table.values[:20]).any()  # levels that are missing here and there
    assert np.flatnonzero(~known).tolist() == [*range(7), *range(20, 28)]
    assert not FactorRows(Config(), book_columns(3)).table(replace(series, books=None)).known(8).any()


def test_windows_of_longer_candles_hold_the_books_of_their_closes():
    series = booked()
    table = FactorRows(Config(period=4), book_columns(3)).table(series)
    np.testing.assert_array_equal(table.values, series.books[3::4].astype(np.float32))
    np.testing.assert_array_equal(table.values[table.ends[11]], series.books[11].astype(np.float32))
    np.testing.assert_array_equal(table.values[table.ends[14]], series.books[11].astype(np.float32))


def test_fewer_levels_than_are_read_and_other_factors_than_are_drawn_are_refused():
    with pytest.raises(NotEnoughData) as shallow:
        Columns(book_columns(4)).rows(booked(), NOTHING)
    assert str(shallow.value) == (
        "TEST: the encoding reads 4 levels of order book a side, and 3 are there. Bring books of more levels, or set "
        "the encoding's levels to 3 or fewer."
    )
    with pytest.raises(RecipeError) as other:
        Columns(("factor_1_1", *book_columns(1))).rows(booked(), NOTHING)
    assert str(other.value) == (
        "TEST: 0 columns of factors are made, and the encoding draws 1 beside candles and books. Set factors and "
        "channels of the encoding to the factors that are named and the instruments."
    )
