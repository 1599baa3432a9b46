"""Factors of the order book: what they measure, where they are unknown, and that they never look ahead."""

import numpy as np
import pytest
from tests.fakes.windows import books_of, candles_of

from triptych import features
from triptych.domain.candle import BY_NETWORK
from triptych.domain.errors import NotEnoughData
from triptych.features import book_rows
from triptych.features._history import History
from triptych.features.normalisation import scores_of_known
from triptych.market.books import BookFeaturesConfig, BookTape, book_features

NOTES = (*book_rows.WALLS, *(f"{BY_NETWORK}{name}" for name in book_rows.NETWORK))


def history(books, n=None):
    n = len(books) if n is None else n
    series = candles_of(len(books)).head(n)
    known = ~np.isnan(books[:n, 0])
    notes = {name: np.where(known, i + np.arange(n) / 7, np.nan) for i, name in enumerate(NOTES)}
    return History(series.values, series.open_time_ms, 60_000, books[:n], notes)


def one_book(*, bids, asks):
    """A book as a row: bids and asks as (price, size), best first."""
    blocks = [[price for price, _ in bids], [size for _, size in bids], [p for p, _ in asks], [s for _, s in asks]]
    return np.array([[x for block in blocks for x in block]], dtype=float)


def value(name, books):
    return features.describe(name).compute(history(books))[0]


def test_what_a_book_of_one_level_says():
    book = one_book(bids=[(99.99, 6.0)], asks=[(100.01, 2.0)])
    assert value("queue_imbalance", book) == pytest.approx(0.5)
    assert value("spread_bp", book) == pytest.approx(2.0)
    # Three quarters of the size wait at the bid, so the microprice lies a quarter of the spread above the mid.
    assert value("microprice_bp", book) == pytest.approx(0.5)


def test_deeper_measures_add_up_ten_levels():
    bids = [(100.0 - k, 1.0 + k) for k in range(1, 11)]
    asks = [(100.0 + k, 2.0) for k in range(1, 11)]
    book = one_book(bids=bids, asks=asks)
    assert value("queue_imbalance_5", book) == pytest.approx((20 - 10) / 30)
    assert value("queue_imbalance_10", book) == pytest.approx((65 - 20) / 85)
    assert value("book_depth_10", book) == pytest.approx(np.log(85.0))
    distance = np.arange(1.0, 11.0)
    ratio = (distance * np.cumsum(distance + 1)).sum() / (distance * np.cumsum([2.0] * 10)).sum()
    assert value("book_slope_10", book) == pytest.approx(np.log(ratio))


def test_an_order_for_half_of_what_a_side_usually_holds_is_filled_level_by_level():
    usual = one_book(bids=[(99.0 - k, 1.0) for k in range(10)], asks=[(101.0 + k, 2.0) for k in range(10)])
    thin = one_book(
        bids=[(99.0 - k, 1.0) for k in range(10)], asks=[(101.0, 5.0)] + [(110.0, 3.0)] + [(np.nan,) * 2] * 8
    )
    books = np.concatenate([usual] * 9 + [thin])
    buy, sell = (features.describe(f"{side}_cost_bp_10").compute(history(books)) for side in ("buy", "sell"))
    # The 10 closes held 20 nine times and 8 once: half of the mean is 9.4, of which the book holds 8.
    paid = (5 * 1.0 + 3 * 10.0 + 1.4 * 10.0) / 9.4
    assert buy[-1] == pytest.approx(paid / 100 * 1e4)
    assert sell[-1] == pytest.approx(np.mean([1, 2, 3, 4, 5]) / 100 * 1e4)


def test_factors_beside_candles_are_those_of_the_tape():
    rows = books_of(50, 10, seed=3)
    blocks = np.split(rows, 4, axis=1)
    tape = BookTape(
        symbol="TEST", time_ms=np.arange(50), bid_prices=blocks[0], bid_sizes=blocks[1], ask_prices=blocks[2],
        ask_sizes=blocks[3],
    )  # fmt: skip
    names, values = book_features(tape, BookFeaturesConfig(volatility_rows=5))
    of_tape = dict(zip(names, values.T, strict=True))
    for name, other in (
        ("queue_imbalance", "imbalance_1"), ("queue_imbalance_5", "imbalance_5"),
        ("queue_imbalance_10", "imbalance_10"),
        ("spread_bp", "spread_bp"), ("microprice_bp", "microprice_bp"), ("book_slope_10", "slope_log_ratio"),
    ):  # fmt: skip
        np.testing.assert_array_equal(features.describe(name).compute(history(rows)), of_tape[other])


@pytest.mark.parametrize("name", features.of_books())
def test_a_factor_is_unknown_where_no_book_is_and_does_not_look_ahead(name):
    factor = features.describe(name)
    books = books_of(60, 10)
    books[37] = np.nan
    whole = factor.compute(history(books))
    assert np.flatnonzero(np.isnan(whole)).tolist() == [*range(factor.lookback), *range(37, 38 + factor.lookback)]
    for cut in (1, 2, 38, 59):
        np.testing.assert_array_equal(factor.compute(history(books, cut)), whole[:cut])
    assert (factor.family, factor.lookback) == ("book", factor.settle)
    assert factor.lookback == (9 if "cost" in name else 0)
    assert 1 <= factor.levels <= 10
    assert np.isnan(factor.compute(History(candles_of(60).values, candles_of(60).open_time_ms, 60_000))).all()


def test_books_of_fewer_levels_than_a_factor_reads_are_refused():
    with pytest.raises(NotEnoughData) as refused:
        features.describe("queue_imbalance_10").compute(history(books_of(5, 3)))
    assert str(refused.value) == (
        "A factor reads 10 levels of order book a side, and the candles carry 3. Bring books of more levels, or leave "
        "the factor out."
    )


def test_sets_of_candles_hold_no_factor_of_the_book_and_the_other_way_round():
    assert features.levels_read(["all"]) == 0
    assert features.levels_read(["grid56", "queue_imbalance_5"]) == 5
    assert features.levels_read(["book"]) == 10
    sets = ("book", "book_orders", "book_network")
    assert tuple(name for one in sets for name in features.resolve([one])) == features.of_books()
    assert not set(features.of_books()) & set(features.available())


def naive(rows, window, clip):
    scores = np.full(rows.shape, np.nan)
    for t in range(window - 1, len(rows)):
        for c in range(rows.shape[1]):
            part = rows[t - window + 1 : t + 1, c]
            known = part[~np.isnan(part)]
            if not np.isnan(rows[t, c]) and 2 * len(known) >= window:
                deviation = np.sqrt(known.var() + 1e-16)
                scores[t, c] = np.clip((rows[t, c] - known.mean()) / deviation, -clip, clip)
    return scores


def test_scores_are_taken_against_the_known_values_of_the_window():
    random = np.random.default_rng(5)
    rows = random.normal(size=(200, 3))
    rows[random.random((200, 3)) < 0.3] = np.nan
    rows[50:75, 1] = np.nan
    np.testing.assert_allclose(scores_of_known(rows, 20, 3.0), naive(rows, 20, 3.0), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(scores_of_known(rows[:120], 20, 3.0), scores_of_known(rows, 20, 3.0)[:120])


@pytest.mark.parametrize("normalisation", ["none", "rolling"])
def test_rows_of_candles_are_the_same_beside_factors_of_the_book(normalisation):
    config = features.Config(names=("return_1", "queue_imbalance", "body"), normalisation=normalisation, window=30)
    series = candles_of(200)
    books = books_of(200, 2)
    books[100] = np.nan
    pipeline = features.FeaturePipeline(config)
    assert pipeline.levels == 1
    rows = pipeline.rows(series.values, series.open_time_ms, 60_000, books)
    alone = features.FeaturePipeline(config.model_copy(update={"names": ("return_1", "body")}))
    np.testing.assert_array_equal(rows[:, [0, 2]], alone.rows(series.values, series.open_time_ms, 60_000))
    unknown = np.isnan(rows[pipeline.warm_up :, 1])
    assert np.flatnonzero(unknown).tolist() == [100 - pipeline.warm_up]
