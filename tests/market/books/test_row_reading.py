"""Figures read off the last rows at each close: from a recording and live the same, and nothing of what comes later."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from tests.fakes.books import START_MS, leaning_tape

from triptych.domain import BookUpdate, Timeframe
from triptych.market.books import BookTape, ClosingBook
from triptych.market.books.row_reading import AbstractRowReader, notes_of, times_read
from triptych.market.books.tape import segments_of
from triptych.training.books import history_of_tape
from triptych.training.books.labels import Config as TargetConfig

EVERY, ROWS, OLDEST = 300, 5, 1_000


class Sums(AbstractRowReader):
    """Says the mid of the first row and the sum of all best bid sizes, so that any other stretch is noticed."""

    names = ("first_mid", "bid_sizes")
    levels = 2
    identity = "sums"

    def __init__(self, every_ms=EVERY, rows=ROWS):
        self.every_ms, self.rows = every_ms, rows

    def read(self, rows):
        assert rows.shape == (self.rows, 8)
        return np.array([(rows[0, 0] + rows[0, 4]) / 2, rows[:, 2].sum()])


def chosen(tape, rows):
    fields = ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")
    return BookTape(
        symbol=tape.symbol, time_ms=tape.time_ms[rows], **{name: getattr(tape, name)[rows] for name in fields}
    )


def closes(n=50):
    return START_MS + 1_000 * np.arange(1, n + 1)


def test_what_is_read_are_the_rows_of_a_clock_up_to_the_close():
    tape, close = leaning_tape(600), closes()
    found = notes_of(tape, close, [Sums()], OLDEST)
    for i in (10, 33):
        times = close[i] // EVERY * EVERY + np.arange(1 - ROWS, 1) * EVERY
        at = np.searchsorted(tape.time_ms, times, side="right") - 1
        assert found["first_mid"][i] == tape.mid[at[0]]
        assert found["bid_sizes"][i] == tape.bid_sizes[at, 0].sum()
    # 1.5 s of rows are not there at the first close.
    assert np.isnan(found["first_mid"]).nonzero()[0].tolist() == [0]


def test_a_stale_row_makes_unknown_what_reaches_over_it():
    tape = leaning_tape(600)
    kept = (tape.time_ms < START_MS + 20_000) | (tape.time_ms >= START_MS + 22_000)
    found = notes_of(chosen(tape, kept), closes(), [Sums()], OLDEST)["bid_sizes"]
    whole = notes_of(tape, closes(), [Sums()], OLDEST)["bid_sizes"]
    unknown = np.isnan(found).nonzero()[0].tolist()
    assert unknown == [0, 20, 21, 22]  # closes after 21, 22 and 23 seconds
    same = np.setdiff1d(np.arange(50), [*unknown, 19])
    np.testing.assert_array_equal(found[same], whole[same])


def test_what_is_read_are_the_windows_that_training_learns_from_and_no_other():
    """Two rows of a rhythm are missing: far less than what makes a book too old."""
    whole = leaning_tape(600)
    kept = np.setdiff1d(np.arange(600), [200, 201, 430])
    times = whole.time_ms[kept]
    tape = replace(chosen(whole, kept), segment=segments_of(times))
    assert tape.segment[-1] == 2
    reader = Sums(every_ms=100, rows=20)
    history = history_of_tape(tape, TargetConfig(horizon=5), levels=2, across_days=True)
    read = ~np.isnan(notes_of(tape, times, [reader], 5_000)["bid_sizes"])
    np.testing.assert_array_equal(read, history.windows_end(20))
    assert (~read).sum() == 3 * 19


@pytest.mark.parametrize("cut", [7_050, 12_000, 30_001])
def test_nothing_later_is_read(cut):
    tape, close = leaning_tape(600), closes()
    short = chosen(tape, tape.time_ms <= START_MS + cut)
    known = close <= START_MS + cut
    before, after = (notes_of(one, close[known], [Sums()], OLDEST) for one in (short, tape))
    for name in Sums.names:
        np.testing.assert_array_equal(before[name], after[name])
    assert known.sum() > 6


def test_a_recording_that_begins_later_says_the_same_once_its_rows_are_full():
    tape, close = leaning_tape(600), closes()
    late = chosen(tape, tape.time_ms >= START_MS + 10_000)
    found, whole = (notes_of(one, close, [Sums()], OLDEST)["first_mid"] for one in (late, tape))
    np.testing.assert_array_equal(found[11:], whole[11:])


def test_the_times_that_are_read_are_enough_of_a_recording():
    tape, close = leaning_tape(600), closes()
    at = np.searchsorted(tape.time_ms, times_read([Sums()], close), side="right") - 1
    thin = chosen(tape, np.unique(at[at >= 0]))
    for name, values in notes_of(tape, close, [Sums()], OLDEST).items():
        np.testing.assert_array_equal(notes_of(thin, close, [Sums()], OLDEST)[name], values)


def updates(tape):
    for row in range(len(tape)):
        book = tape.snapshot(row)
        bids, asks = (tuple((Decimal(repr(p)), Decimal(repr(s))) for p, s in side) for side in (book.bids, book.asks))
        yield BookUpdate(
            symbol=tape.symbol, is_snapshot=True, bids=bids, asks=asks, update_id=row + 10,
            exchange_time_ns=int(tape.time_ms[row]) * 1_000_000,
        )  # fmt: skip


async def nobody():
    raise AssertionError("nothing is missing")


@pytest.mark.parametrize("is_late", [False, True])
def test_live_the_same_is_read_as_from_the_recording(is_late):
    """At each close as soon as a later message came, or two closes afterwards."""
    tape = leaning_tape(400)
    kept = (tape.time_ms < START_MS + 20_000) | (tape.time_ms >= START_MS + 22_000)
    tape, close = chosen(tape, kept), closes(38)
    wanted = notes_of(tape, close, [Sums(), Sums()], OLDEST)
    book = ClosingBook(
        tape.symbol, nobody, timeframe=Timeframe.parse("1s"), levels=3, max_age_ms=OLDEST, readers=[Sums()]
    )

    async def heard():
        found, asked = {}, 0
        for update in updates(tape):
            await book.on_update(update, 0)
            while book.is_past(int(close[asked]) + (2_000 if is_late else 0)):
                found[asked] = book.notes_at(int(close[asked]))
                asked += 1
                if asked == len(close):
                    return found
        return found

    found = asyncio.run(heard())
    assert len(found) >= 30
    for i, notes in found.items():
        for name, value in notes.items():
            np.testing.assert_equal(value, wanted[name][i])


def test_a_close_that_nothing_was_said_after_is_read_from_the_book_that_stands():
    tape = leaning_tape(101)  # the last book is that of second 10
    book = ClosingBook(
        tape.symbol, nobody, timeframe=Timeframe.parse("1s"), levels=3, max_age_ms=OLDEST, readers=[Sums()]
    )

    async def hear():
        for update in updates(tape):
            await book.on_update(update, 0)

    asyncio.run(hear())
    wanted = notes_of(tape, closes(), [Sums()], OLDEST)["bid_sizes"]
    assert book.notes_at(START_MS + 10_000)["bid_sizes"] == wanted[9]
    assert book.notes_at(START_MS + 11_000)["bid_sizes"] == wanted[10]
    assert np.isnan(book.notes_at(START_MS + 13_000)["bid_sizes"])
    assert np.isnan(wanted[12])
