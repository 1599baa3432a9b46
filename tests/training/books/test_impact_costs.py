"""What the simulated exchange should charge, from books and trades whose costs are known."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from tests.training.books.test_impact import deep_tape

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.domain.errors import NotEnoughData
from triptych.exchanges.simulated.filling import PARKINSON
from triptych.market.books.walking import walk_cost
from triptych.training.books.impact import Config
from triptych.training.books.impact_costs import simulated_costs

QUICK = Config(resamples=100)


def candles(n=20, volume=50.0, spread=0.001):
    """Candles of a second from the epoch on, with this relative range and this volume."""
    close = np.full(n, 1_000.0)
    values = np.column_stack([close, close * (1 + spread), close, close, np.full(n, volume)])
    return CandleSeries(
        instrument=Instrument(symbol="DEEP", price_step=Decimal("0.1")), timeframe=Timeframe.parse("1s"),
        open_time_ms=1_000 * np.arange(n, dtype=np.int64), values=values,
    )  # fmt: skip


def test_the_exchange_charges_what_walking_the_book_costs():
    tape, series = deep_tape(), candles()
    found = simulated_costs(tape, series, QUICK)
    assert found.candles == 20
    assert found.share_of_volume == pytest.approx(found.largest / 50.0)
    sizes = found.largest * np.array([0.02, 0.1, 0.5, 1.0])
    charged = found.half_spread_bp.value + 1e4 * found.impact.value * 0.001 / PARKINSON * np.sqrt(sizes / 50.0)
    paid = np.nanmean(np.concatenate([walk_cost(tape, sizes, side) for side in (1, -1)]), axis=0)
    np.testing.assert_allclose(charged, paid, rtol=0.1)
    for one in (found.half_spread_bp, found.impact):
        assert 0.0 <= one.low <= one.value <= one.high
    # Twice the range at the same cost is half the coefficient, four times the volume twice.
    assert simulated_costs(tape, candles(spread=0.002), QUICK).impact.value == pytest.approx(found.impact.value / 2)
    assert simulated_costs(tape, candles(volume=200.0), QUICK).impact.value == pytest.approx(found.impact.value * 2)


def test_the_half_spread_is_that_of_the_books_and_not_where_a_root_through_flat_walks_begins():
    # A first level that holds two thirds of everything: no order up to there pays more than the half spread.
    tape = deep_tape()
    tape.bid_sizes[:, 0] = tape.ask_sizes[:, 0] = 300.0
    half = 0.05 / 1_000.0 * 1e4
    found = simulated_costs(tape, candles(), QUICK)
    assert found.half_spread_bp.value == pytest.approx(half, rel=0.01)
    assert found.half_spread_bp.low > 0.98 * half
    wide = tape.ask_prices.copy()
    wide[::2] += 0.1  # every other book is three steps wide in all, its half spread twice as large
    mixed = simulated_costs(replace(tape, ask_prices=wide), candles(), QUICK).half_spread_bp
    assert mixed.value == pytest.approx(1.5 * half, rel=0.01)
    assert mixed.low <= 1.5 * half <= mixed.high
    # What is paid above it is what the impact is of: none where the first level fills every order.
    tape.bid_sizes[:, 0] = tape.ask_sizes[:, 0] = 1e6
    tape.bid_sizes[:, 1:] = tape.ask_sizes[:, 1:] = 0.0
    assert simulated_costs(tape, candles(), QUICK).impact.value == pytest.approx(0.0, abs=1e-12)


def test_only_the_books_of_the_candles_count():
    tape, series = deep_tape(), candles()
    wide = tape.ask_prices.copy()
    wide[101:] += 50.0
    one, other = (simulated_costs(books, series.head(10), QUICK) for books in (tape, replace(tape, ask_prices=wide)))
    assert one.half_spread_bp.value == pytest.approx(other.half_spread_bp.value)
    assert simulated_costs(replace(tape, ask_prices=wide), series, QUICK).half_spread_bp.value > 10.0


def test_too_few_candles_and_a_price_that_stands_still_are_refused():
    with pytest.raises(NotEnoughData, match=r"^DEEP: 4 candles of 1s hold books and trades, at least 5 are needed"):
        simulated_costs(deep_tape(), candles(4), QUICK)
    with pytest.raises(NotEnoughData, match="at one price only"):
        simulated_costs(deep_tape(), candles(spread=0.0), QUICK)
