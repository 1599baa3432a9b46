"""Trades belong to books by name, by price and by time; what is not told is left out, and said."""

import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.market.books import Trades
from triptych.market.books.belonging import books_of_trades, refuse_foreign_trades, same_symbol
from triptych.market.books.spoofing import find_spoofing
from triptych.market.books.walls import find_walls


def beside(tape, rows, *, symbol="TEST", times=1.0, later_ms=0):
    """A buy at the mid of each of these rows, `times` as dear."""
    rows = np.asarray(rows, dtype=np.int64)
    return Trades(
        symbol=symbol, time_ms=tape.time_ms[rows] + later_ms, price=tape.mid[rows] * times, size=np.ones(len(rows)),
        side=np.ones(len(rows), dtype=np.int8),
    )  # fmt: skip


def test_names_are_alike_whatever_stands_between_their_letters():
    assert same_symbol("BTC/USDT:USDT", "btcusdtusdt")
    assert not same_symbol("BTCUSDT", "BTCUSDC")


@pytest.mark.parametrize("find", [find_walls, find_spoofing])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbol": "OTHER"}, "The order books are of TEST, and the trades of OTHER."),
        ({"times": 1.07}, "TEST: the mid of the order books lies 7% from the price of the trades in the median"),
        ({"times": 0.9}, "TEST: the mid of the order books lies 11% from the price of the trades in the median"),
        ({"later_ms": 3_600_000}, "TEST: no trade falls into the time of the order books: these are from 1970-01-01 "),
    ],
)
def test_trades_of_another_market_or_time_are_refused_wherever_they_are_used(tape, find, change, words):
    with pytest.raises(DataError) as refused:
        find(tape, trades=beside(tape, range(0, 400, 7), **change))
    assert refused.value.message.startswith(words)


def test_a_premium_of_a_few_percent_and_no_trades_at_all_are_no_reason(tape):
    refuse_foreign_trades(tape, beside(tape, range(0, 400, 7), times=1.04))
    refuse_foreign_trades(tape, beside(tape, []))
    refuse_foreign_trades(tape.between(0, 0), beside(tape, [3]))
    mixed = beside(tape, range(100))
    mixed.price[:40] *= 3  # some bad prints
    refuse_foreign_trades(tape, mixed)


def test_books_of_which_no_trade_is_told_are_left_out_and_that_is_said(tape):
    kept, words = books_of_trades(tape, beside(tape, range(100, 301, 5)))
    assert (kept.time_ms[0], kept.time_ms[-1]) == (tape.time_ms[100], tape.time_ms[300])
    assert "of the 400 books, the 199 of which no trade is told are left out." in words
    early, _ = books_of_trades(tape, beside(tape, range(0, 301, 5)))
    assert (len(early), early.time_ms[0]) == (301, tape.time_ms[0])


def test_silence_as_long_as_between_two_trades_is_no_loss(tape):
    whole = books_of_trades(tape, beside(tape, [60, 130, 250, 345]))
    assert whole[0] is tape
    assert whole[1] == ""
    assert books_of_trades(tape, beside(tape, range(18, 390, 3)))[1] == ""  # less than a twentieth at either end
    assert books_of_trades(tape, beside(tape, []))[1] == ""
