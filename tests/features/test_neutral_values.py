"""Where nothing is traded or nothing moves, a factor has the value that its description names."""

import pytest
from tests.features.markets import MADE, TIMEFRAME_MS, random_walk

from triptych import features
from triptych.features._history import History


def last(name, history):
    return features.describe(name).compute(history)[-1]


@pytest.mark.parametrize(
    ("name", "neutral"),
    [
        ("rsi_14", 50.0), ("stochastic_k", 50.0), ("stochastic_rsi", 50.0), ("williams_r", -50.0), ("cci_20", 0.0),
        ("momentum_10", 0.0), ("ultimate", 50.0), ("balance_of_power", 0.0), ("cmo_20", 0.0), ("adx", 0.0),
        ("plus_di", 0.0), ("efficiency_20", 0.0), ("close_location", 0.0), ("range", 0.0), ("return_1", 0.0),
        ("atr_14", 0.0), ("doji", 1.0), ("aroon_up", 100.0), ("aroon_down", 100.0),
    ],
)  # fmt: skip
def test_a_constant_price(name, neutral):
    assert last(name, History(*MADE["constant"](), TIMEFRAME_MS)) == pytest.approx(neutral, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "neutral"),
    [
        ("volume_sma_20", 1.0), ("volume_trend", 1.0), ("obv_20", 0.0), ("adosc", 0.0), ("mfi_14", 50.0),
        ("money_flow_20", 0.0),
    ],
)  # fmt: skip
def test_no_volume(name, neutral):
    values, times = random_walk(200)
    values[:, 4] = 0.0
    assert last(name, History(values, times, TIMEFRAME_MS)) == neutral


def test_in_a_halt_an_index_of_strength_keeps_its_value_and_then_becomes_neutral():
    values, times = random_walk(600)
    values[200:, :4] = values[199, 3]
    rsi = features.describe("rsi_14").compute(History(values, times, TIMEFRAME_MS))[199:]
    assert abs(rsi[0] - 50.0) > 5.0
    neutral = int((rsi == 50.0).argmax())
    assert 100 < neutral < 280
    assert rsi[:neutral] == pytest.approx(rsi[0], abs=0.1)
    assert (rsi[neutral:] == 50.0).all()
