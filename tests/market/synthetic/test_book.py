import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.market.synthetic import Config, SyntheticMarket, synthesise
from triptych.market.synthetic.book import Config as BookConfig


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return synthesise(Config(n_candles=20_000, instruments=2, signal=0.0))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    levels=st.integers(1, 50),
    spread=st.floats(1e-6, 0.01),
    noise=st.floats(0, 2),
    timeframe=st.sampled_from(["1m", "15m", "1d"]),
)
def test_a_book_is_never_crossed_and_its_levels_are_in_order(seed, levels, spread, noise, timeframe):
    book = BookConfig(levels=levels, spread=spread, noise=noise)
    made = synthesise(Config(seed=seed, n_candles=120, instruments=2, book=book, timeframe=timeframe))
    for series in made.series:
        found = made.book_levels(series.symbol)
        assert (found.spread > 0).all()
        assert (np.diff(found.bid_price, axis=1) < 0).all()
        assert (np.diff(found.ask_price, axis=1) > 0).all()
        assert (found.bid_price > 0).all()
        assert (found.bid_size > 0).all()
        assert (found.ask_size > 0).all()
        # The close traded at one of the two best prices.
        assert ((found.bid_price[:, 0] == series.close) | (found.ask_price[:, 0] == series.close)).all()


def test_a_book_drawn_alone_is_the_book_of_the_whole(market):
    whole, part = market.book_levels("BRAVO-USDT"), market.book_levels("BRAVO-USDT", 1_234, 1_240)
    assert len(whole) == 20_000
    assert np.array_equal(whole.bid_price[1_234:1_240], part.bid_price)
    assert np.array_equal(whole.ask_size[1_234:1_240], part.ask_size)
    assert market.book("BRAVO-USDT", 1_236) == part.snapshot(2)


def test_a_snapshot_carries_the_close_time_and_both_sides(market):
    book = market.book("ALFA-USDT", 10)
    assert book.symbol == "ALFA-USDT"
    assert book.time_ms == int(market.series[0].close_time_ms[10])
    assert len(book.bids) == len(book.asks) == 10
    assert book.mid == pytest.approx(market.series[0].close[10], rel=1e-3)


def test_volatility_widens_the_spread_and_thins_the_depth(market):
    books, sigma = market.book_levels("ALFA-USDT"), market.volatility[0]
    quiet, wild = sigma < np.quantile(sigma, 0.2), sigma > np.quantile(sigma, 0.8)
    relative = books.spread / books.mid
    notional = books.bid_size.sum(axis=1) * books.mid
    assert relative[wild].mean() > 1.5 * relative[quiet].mean()
    assert notional[wild].mean() < 0.7 * notional[quiet].mean()
    assert 1e-4 < np.median(relative) < 2.5e-4


def test_the_side_under_pressure_is_deeper(market):
    imbalance, state = market.book_levels("ALFA-USDT").imbalance(5), market.pressure[0]
    means = [imbalance[state == s].mean() for s in (-1, 0, 1)]
    # Each side is tilted by exp(0.4), so that the imbalance is about tanh(0.4) = 0.38.
    assert means == pytest.approx([-0.38, 0.0, 0.38], abs=0.03)


def test_imbalance_by_hand(market):
    books = market.book_levels("ALFA-USDT", 0, 1)
    bid, ask = books.bid_size[0, :2].sum(), books.ask_size[0, :2].sum()
    assert books.imbalance(2).tolist() == [(bid - ask) / (bid + ask)]
