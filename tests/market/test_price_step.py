from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.market.price_step import infer_price_step


@pytest.mark.parametrize(
    ("prices", "step"),
    [
        ([16537.5, 16538.0, 16517.4, 16517.4], "0.1"),
        ([100.0, 104.06, 95.96, 100.34], "0.001"),  # at most a hundredth of a per cent of 95.96
        ([1.10512, 1.1053, 1.105, 1.1052], "0.00001"),
        ([5.0, 6.0, 4.0, 5.0], "0.0001"),
        ([6.7e-09, 1e-08, 6e-09, 7e-09], "1e-13"),
        ([2.1e-06, 2.2e-06, 2e-06, 2.1e-06], "1e-10"),
        ([1e8, 1.2e8, 1e8, 1.1e8], "1e4"),
    ],
)
def test_the_step_follows_from_how_prices_are_written(prices, step):
    assert infer_price_step(np.array([prices])) == Decimal(step)


@given(st.floats(1e-12, 1e12), st.floats(0, 0.5))
def test_rounding_to_the_step_costs_at_most_a_hundredth_of_a_per_cent(price, width):
    prices = np.array([[price, price * (1 + width), price, price * (1 + width / 2)]])
    assert float(infer_price_step(prices)) <= 1e-4 * price * (1 + 1e-9)
