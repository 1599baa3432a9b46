from dataclasses import FrozenInstanceError

import pytest

from triptych.domain import CANDLE_FIELDS, CLOSE, HIGH, LOW, OPEN, VOLUME, Candle, Timeframe, utc
from triptych.domain.errors import CandleError

GOOD = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0}


def _candle(**changes) -> Candle:
    fields = {"symbol": "X", "timeframe": Timeframe.parse("15m"), "open_time_ms": 1_672_617_600_000, **GOOD, **changes}
    return Candle(**fields)


def test_the_fields_stand_in_one_order_everywhere():
    assert CANDLE_FIELDS == ("open", "high", "low", "close", "volume")
    assert (OPEN, HIGH, LOW, CLOSE, VOLUME) == (0, 1, 2, 3, 4)


def test_a_candle_may_be_used_once_it_has_closed():
    assert _candle().close_time_ms == 1_672_617_600_000 + 900_000


def test_a_candle_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        _candle().close = 1.0


def test_a_flat_candle_without_volume_is_a_candle():
    assert _candle(open=10.0, high=10.0, low=10.0, close=10.0, volume=0.0).volume == 0


@pytest.mark.parametrize(
    ("changes", "problem", "values"),
    [
        (
            {"close": float("nan")},
            "prices must be positive numbers",
            "open=10.0 high=12.0 low=9.0 close=nan volume=5.0",
        ),
        ({"high": float("inf")}, "prices must be positive numbers", "open=10.0 high=inf low=9.0 close=11.0 volume=5.0"),
        ({"low": 0.0}, "prices must be positive numbers", "open=10.0 high=12.0 low=0.0 close=11.0 volume=5.0"),
        (
            {"high": 10.5},
            "high and low must contain open and close",
            "open=10.0 high=10.5 low=9.0 close=11.0 volume=5.0",
        ),
        (
            {"low": 10.5},
            "high and low must contain open and close",
            "open=10.0 high=12.0 low=10.5 close=11.0 volume=5.0",
        ),
        ({"volume": -1.0}, "volume must be zero or more", "open=10.0 high=12.0 low=9.0 close=11.0 volume=-1.0"),
        ({"volume": float("nan")}, "volume must be zero or more", "open=10.0 high=12.0 low=9.0 close=11.0 volume=nan"),
    ],
)
def test_a_broken_rule_is_named_with_the_candle(changes, problem, values):
    with pytest.raises(CandleError) as caught:
        _candle(**changes)
    assert str(caught.value) == f"X 15m candle of 2023-01-02 00:00:00 UTC: {problem}, was {values}."


def test_a_time_is_written_in_utc():
    assert utc(0) == "1970-01-01 00:00:00"
    assert utc(1_672_617_600_999) == "2023-01-02 00:00:00"
