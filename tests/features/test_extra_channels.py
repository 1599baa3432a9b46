from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.market import HOUR_MS, walk

from triptych.domain.errors import NotEnoughData
from triptych.features.channels import market_channels, symbols_and_extras
from triptych.features.extra_channels import EXTRAS, FundingHistory, funding_channel, levels_of


def booked(n=200, *, levels=5, seed=1, symbol="AAA"):
    """Candles with a book at each close: one level a basis point from the next, sizes at random."""
    series = walk(n, seed=seed, symbol=symbol)
    sizes = np.random.default_rng(seed).uniform(1, 9, (2, n, levels))
    away = 1e-4 * (1 + np.arange(levels)) * series.close[:, None]
    sides = (series.close[:, None] - away, sizes[0], series.close[:, None] + away, sizes[1])
    return replace(series, books=np.concatenate(sides, axis=1))


def test_spread_and_depth_imbalance_are_those_of_the_book_at_each_close():
    series = booked()
    made = market_channels([series], ["spread", "depth_imbalance"])
    assert made.columns[4:] == ("AAA spread", "AAA depth_imbalance")
    np.testing.assert_allclose(made.values[:, 4], np.log1p(2.0))  # a basis point on either side
    bids, asks = series.books[1:, 5:10].sum(axis=1), series.books[1:, 15:20].sum(axis=1)
    np.testing.assert_allclose(made.values[:, 5], (bids - asks) / (bids + asks))


def test_a_close_without_a_book_is_unknown_and_so_is_all_where_nobody_kept_any():
    series = booked()
    series.books[50] = np.nan
    series.books[60, 0] = np.nan  # no best bid: no book
    made = market_channels([series], ["spread", "depth_imbalance"])
    unknown = np.isnan(made.values)
    assert np.flatnonzero(unknown.any(axis=1)).tolist() == [49, 59]
    assert unknown[[49, 59], 4:].all()
    assert np.isnan(market_channels([replace(series, books=None)], ["spread"]).values[:, 4]).all()


def test_a_row_uses_candles_books_and_rates_up_to_its_own():
    series = booked(300)
    rates = FundingHistory(time_ms=8 * HOUR_MS * np.arange(40), rate=np.linspace(-1e-4, 3e-4, 40))
    cut = FundingHistory(time_ms=rates.time_ms[:19], rate=rates.rate[:19])  # charged until 144:00
    whole = market_channels([series], EXTRAS, funding={"AAA": rates}).values
    for n in (2, 100, 150):
        np.testing.assert_array_equal(
            market_channels([series.head(n)], EXTRAS, funding={"AAA": cut}).values, whole[: n - 1]
        )


def test_funding_is_the_rate_last_charged_and_none_after_a_day():
    history = FundingHistory(time_ms=np.array([100, 200]), rate=np.array([1e-4, -2e-4]))
    closes = np.array([99, 100, 199, 200, 200 + 86_400_000, 201 + 86_400_000])
    np.testing.assert_allclose(funding_channel(history, closes), [np.nan, 1.0, 1.0, -2.0, -2.0, np.nan])
    assert np.isnan(funding_channel(None, closes)).all()


def test_books_of_too_few_levels_are_refused():
    with pytest.raises(NotEnoughData) as error:
        market_channels([booked(levels=3)], ["depth_imbalance"])
    assert str(error.value) == (
        "AAA: channels read 5 levels of order book a side, and 3 are there. Bring books of more levels, or leave "
        "depth_imbalance out."
    )
    assert market_channels([booked(levels=3)], ["spread"]).values.shape == (199, 5)


def test_columns_say_which_instruments_and_extras_they_are_made_of():
    two = [booked(), booked(seed=2, symbol="BBB")]
    assert symbols_and_extras(market_channels(two).columns) == (("AAA", "BBB"), ())
    assert symbols_and_extras(market_channels(two, ["funding", "spread"]).columns) == (
        ("AAA", "BBB"),
        ("spread", "funding"),
    )
    assert symbols_and_extras(market_channels(two, EXTRAS).columns) == (("AAA", "BBB"), EXTRAS)
    assert symbols_and_extras(("AAA return", "AAA spread")) is None


@pytest.mark.parametrize(
    ("extras", "levels"), [((), 0), (("funding",), 0), (("spread",), 1), (("spread", "depth_imbalance"), 5)]
)
def test_how_deep_a_book_channels_read(extras, levels):
    assert levels_of(extras) == levels
