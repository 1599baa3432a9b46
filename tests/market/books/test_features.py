from __future__ import annotations

import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.market.books import (
    BookFeaturesConfig,
    BookTape,
    book_features,
    depth_within,
    microprice,
    order_flow_imbalance,
    queue_imbalance,
    reach_bp,
    realised_volatility,
    slope,
    spread_bp,
)

NAN = np.nan


def two_levels(bids, bid_sizes, asks, ask_sizes, segment=None):
    n = len(bids)
    return BookTape(
        symbol="TEST", time_ms=np.arange(n, dtype=np.int64), bid_prices=np.array(bids, float),
        bid_sizes=np.array(bid_sizes, float), ask_prices=np.array(asks, float), ask_sizes=np.array(ask_sizes, float),
        segment=np.zeros(n, np.int64) if segment is None else np.array(segment),
    )  # fmt: skip


BOOK = two_levels([[99, 98]], [[1, 5]], [[101, 103]], [[3, 1]])
"""Mid 100; bids 1 at 99 and 5 at 98, asks 3 at 101 and 1 at 103."""
ONE_SIDED = two_levels([[99, 98]], [[1, 5]], [[NAN, NAN]], [[NAN, NAN]])


def test_spread_in_basis_points_of_the_mid():
    assert spread_bp(BOOK).tolist() == [200.0]
    assert np.isnan(spread_bp(ONE_SIDED)).all()


def test_microprice_leans_towards_the_side_with_less_size():
    assert microprice(BOOK).tolist() == [101 * 0.25 + 99 * 0.75]
    assert microprice(two_levels([[99]], [[0]], [[101]], [[0]])).tolist() == [100.0]


def test_depth_counts_the_level_on_the_border():
    for bp, bids, asks in ((99, 0, 0), (100, 1, 3), (200, 6, 3), (300, 6, 4)):
        bid, ask = depth_within(BOOK, bp)
        assert (bid.tolist(), ask.tolist()) == ([bids], [asks])
    assert np.isnan(depth_within(ONE_SIDED, 100)).all()


def test_reach_tells_how_far_the_tape_knows():
    bid, ask = reach_bp(BOOK)
    assert (bid.tolist(), ask.tolist()) == ([200.0], [300.0])


def test_queue_imbalance_over_one_and_two_levels():
    assert queue_imbalance(BOOK).tolist() == [-0.5]
    assert queue_imbalance(BOOK, 2).tolist() == [0.2]
    assert queue_imbalance(ONE_SIDED, 2).tolist() == [1.0]


def test_order_flow_imbalance_by_hand():
    # Bid: 2 more at the same price; then a better bid of 4; then back to 99 with 1 (4 left).
    # Ask: unchanged; then 1 of 3 taken; then the ask retreats to 102 (2 left).
    tape = two_levels(
        [[99], [99], [100], [99]], [[1], [3], [4], [1]], [[101], [101], [101], [102]], [[3], [3], [2], [7]]
    )
    np.testing.assert_array_equal(order_flow_imbalance(tape), [NAN, 2, 4 + 1, -4 + 2])
    np.testing.assert_array_equal(order_flow_imbalance(tape, rows=2), [NAN, NAN, 7, 3])


def test_flow_and_volatility_do_not_reach_across_segments():
    tape = two_levels(
        [[99], [99], [199], [199]],
        [[1], [3], [3], [5]],
        [[101], [101], [201], [201]],
        [[1], [1], [1], [1]],
        [0, 0, 1, 1],
    )
    np.testing.assert_array_equal(order_flow_imbalance(tape), [NAN, 2, NAN, 2])
    np.testing.assert_array_equal(realised_volatility(tape, 1), [NAN, 0, NAN, 0])


def test_slope_is_the_line_through_the_origin():
    # Bids: 1 at 100 bp, 6 at 200 bp: (100 * 1 + 200 * 6) / (100^2 + 200^2). Asks: 3 at 100 bp, 4 at 300 bp.
    bid, ask = slope(BOOK, 2)
    np.testing.assert_allclose(bid, [1_300 / 50_000], rtol=1e-12)
    np.testing.assert_allclose(ask, [1_500 / 100_000], rtol=1e-12)


def test_realised_volatility_of_two_moves():
    tape = two_levels([[99], [100], [99]], [[1]] * 3, [[101], [102], [101]], [[1]] * 3)
    expected = np.sqrt(2) * np.log(101 / 100) * 1e4
    np.testing.assert_allclose(realised_volatility(tape, 2), [NAN, NAN, expected], rtol=1e-12)


def test_features_on_a_cut_tape_are_those_of_the_whole_tape(tape):
    config = BookFeaturesConfig(imbalance_levels=(1, 5), slope_levels=5, volatility_rows=50)
    names, values = book_features(tape, config)
    assert values.shape == (len(tape), len(names))
    for cut in (1, 2, 60, 399):
        np.testing.assert_array_equal(book_features(tape.between(0, cut), config)[1], values[:cut])


def test_names_say_what_the_columns_are(tape):
    names, values = book_features(tape, BookFeaturesConfig(imbalance_levels=(1, 5), slope_levels=5))
    assert names == (
        "spread_bp", "microprice_bp", "imbalance_1", "imbalance_5", "bid_depth_1bp_log", "ask_depth_1bp_log",
        "bid_depth_5bp_log", "ask_depth_5bp_log", "flow_imbalance_1", "flow_imbalance_10", "flow_imbalance_100",
        "slope_log_ratio", "realised_volatility_100",
    )  # fmt: skip
    assert np.isfinite(values[100:]).all()


def test_a_tape_with_too_few_levels_is_refused():
    with pytest.raises(DataError) as caught:
        queue_imbalance(BOOK, 3)
    assert str(caught.value) == (
        "TEST: the tape has 2 levels a side, the feature needs 3. Ask for 1 to 2, or read the source with more levels."
    )


def test_every_option_is_described():
    assert [name for name, field in BookFeaturesConfig.model_fields.items() if not field.description] == []
