from __future__ import annotations

import numpy as np
import pytest

from triptych.domain.errors import NotEnoughData
from triptych.market.books import Trades, candles_from_mids, candles_from_trades


def trades(rows):
    time_ms, price, size = zip(*rows, strict=True)
    return Trades(
        symbol="TEST", time_ms=np.array(time_ms), price=np.array(price), size=np.array(size),
        side=np.zeros(len(rows), np.int8),
    )  # fmt: skip


ROWS = [
    (1_500, 9.0, 1.0),  # begins inside a candle: left out
    (2_000, 10.0, 1.0), (2_400, 12.5, 2.0), (2_999, 11.0, 3.0),
    (5_100, 8.0, 4.0), (5_100, 9.0, 5.0),
    (6_000, 7.0, 6.0),  # nothing says that this candle has closed
]  # fmt: skip


def test_candles_with_flat_ones_where_nothing_was_traded():
    series = candles_from_trades(trades(ROWS), "1s")
    assert series.open_time_ms.tolist() == [2_000, 3_000, 4_000, 5_000]
    assert series.values.tolist() == [[10, 12.5, 10, 11, 6], [11] * 4 + [0], [11] * 4 + [0], [8, 9, 8, 9, 9]]
    assert str(series.instrument.price_step) == "0.1"


def test_candles_only_where_something_was_traded():
    series = candles_from_trades(trades(ROWS), "1s", fill=False)
    assert series.open_time_ms.tolist() == [2_000, 5_000]


def test_more_trades_do_not_change_candles_that_are_there():
    whole = candles_from_trades(trades(ROWS), "1s")
    for cut in range(3, len(ROWS)):
        part = candles_from_trades(trades(ROWS[:cut]), "1s") if cut > 4 else None
        if part is not None:
            np.testing.assert_array_equal(part.values, whole.values[: len(part)])


def test_candles_of_mids_have_no_volume(tape):
    series = candles_from_mids(tape, "1s")
    assert len(series) == 39
    np.testing.assert_array_equal(
        series.values[0, :4], [tape.mid[0], tape.mid[:10].max(), tape.mid[:10].min(), tape.mid[9]]
    )
    assert (series.values[:, 4] == 0).all()


def test_too_few_trades_for_a_candle():
    with pytest.raises(NotEnoughData) as caught:
        candles_from_trades(trades(ROWS), "1h")
    assert str(caught.value) == (
        "TEST: 7 prices do not fill one candle of 1h. Choose a shorter timeframe, or bring more data."
    )
