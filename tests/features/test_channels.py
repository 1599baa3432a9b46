from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.market import walk

from triptych.domain.errors import NotEnoughData
from triptych.features.channels import market_channels


def test_channels_hold_no_price_and_carry_their_names():
    series = walk(300, seed=1)
    made = market_channels([series])
    assert made.columns == tuple(f"{series.symbol} {n}" for n in ("return", "range", "volume", "signed volume"))
    np.testing.assert_allclose(made.values[:, 0], np.diff(np.log(series.close)))
    assert made.close_time_ms.tolist() == series.close_time_ms[1:].tolist()
    volume = series.values[:, 4]
    np.testing.assert_allclose(made.values[-1, 2], np.log1p(volume[-1] / volume[-96:].mean()))


def test_a_row_uses_candles_up_to_its_own():
    series = walk(300, seed=1)
    np.testing.assert_array_equal(market_channels([series]).values[:150], market_channels([series.head(151)]).values)


def test_instruments_are_joined_where_all_of_them_have_candles():
    first, second = walk(300, seed=1), walk(200, seed=2, symbol="BBB")
    made = market_channels([first, second])
    assert len(made.values) == 199
    assert made.columns[-1] == "BBB signed volume"
    assert made.close_time_ms[-1] == second.close_time_ms[-1]


def test_histories_that_do_not_overlap_are_refused():
    series = walk(100, seed=1)
    with pytest.raises(NotEnoughData) as error:
        market_channels([series.between(0, 50), series.between(50, 100)])
    assert str(error.value) == (
        "The 2 instruments have 0 candles at the same times; channels need 2 or more. Choose instruments whose "
        "histories overlap."
    )
