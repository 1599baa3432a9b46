import numpy as np
import pytest

from triptych.features.chart_patterns.quality import quality

INDEX, PRICE = (0, 10, 20), (10.0, 5.0, 10.0)
LEGS = np.interp(np.arange(21), INDEX, PRICE)


def test_closes_on_even_legs_leave_the_closeness_alone():
    assert quality(1.0, LEGS, INDEX, PRICE, 5.0) == pytest.approx(1.0)
    assert quality(0.5, LEGS, INDEX, PRICE, 5.0) == pytest.approx(0.5 ** (1 / 3))
    assert quality(0.0, LEGS, INDEX, PRICE, 5.0) == 0.0


def test_closes_beside_the_legs_cost_fit():
    beside = LEGS + 0.5 * (-1.0) ** np.arange(21)  # a tenth of the height: half of what is allowed
    assert quality(1.0, beside, INDEX, PRICE, 5.0) == pytest.approx(0.5 ** (1 / 3))
    assert quality(1.0, LEGS + 1.0, INDEX, PRICE, 5.0) == pytest.approx(0.01 ** (1 / 3))


def test_uneven_legs_cost_evenness():
    index = (0, 5, 25)
    legs = np.interp(np.arange(26), index, PRICE)
    assert quality(1.0, legs, index, PRICE, 5.0) == pytest.approx(0.25 ** (1 / 3))
