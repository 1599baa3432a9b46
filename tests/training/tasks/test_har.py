import numpy as np
import pytest
from tests.fakes.windows import candles_of

from triptych.training.tasks.har import har_inputs, har_x_inputs

SERIES = candles_of(400, seed=4)


def cut(series, stop):
    return type(series)(
        instrument=series.instrument, timeframe=series.timeframe, open_time_ms=series.open_time_ms[:stop],
        values=series.values[:stop],
    )  # fmt: skip


def test_inputs_of_the_autoregression_are_realised_volatilities_behind():
    returns = np.diff(np.log(SERIES.close))
    found = har_inputs(SERIES, 4)
    assert found[200, 0] == pytest.approx(0.5 * np.log((returns[196:200] ** 2).mean() * 4))
    assert found[200, 2] == pytest.approx(0.5 * np.log((returns[112:200] ** 2).sum()))
    assert np.isnan(found[87, 2])
    assert np.isfinite(found[88]).all()


def test_ranges_and_clock_stand_beside_them():
    found = har_x_inputs(SERIES, 4)
    assert found.shape == (400, 19)
    spread = np.log(SERIES.values[:, 1] / SERIES.values[:, 2])
    assert found[200, 3] == pytest.approx(0.5 * np.log(spread[200] ** 2 / (4 * np.log(2))))
    assert found[200, 4] == pytest.approx(0.5 * np.log((spread[197:201] ** 2).mean() / (4 * np.log(2))))
    day = SERIES.close_time_ms[200] / 86_400_000
    assert found[200, 11:15] == pytest.approx(
        [f(2 * np.pi * turn) for turn in (day, 2 * day) for f in (np.sin, np.cos)], abs=1e-6
    )


@pytest.mark.parametrize("inputs", [har_inputs, har_x_inputs])
def test_inputs_are_the_same_however_much_history_follows(inputs):
    whole = inputs(SERIES, 4)
    for stop in (89, 150, 333):
        assert np.array_equal(inputs(cut(SERIES, stop), 4), whole[:stop], equal_nan=True)


def test_a_price_that_stands_still_has_no_volatility():
    values = SERIES.values.copy()
    values[:, :4] = 7.0
    still = type(SERIES)(
        instrument=SERIES.instrument, timeframe=SERIES.timeframe, open_time_ms=SERIES.open_time_ms, values=values
    )
    assert np.isnan(har_x_inputs(still, 4)[:, :11]).all()
