from dataclasses import replace

import numpy as np
import pytest
from tests.inference.test_regimes import series

from triptych.bootstrap import alarm_thresholds
from triptych.bootstrap.alarm_thresholds import set_threshold
from triptych.domain.errors import NotEnoughData
from triptych.domain.signal import OF_LATE
from triptych.inference import switch_model
from triptych.inference.switch_model import SwitchModel
from triptych.inference.switches import departure_alarms, since_alarm

MEMORY = 120


@pytest.fixture(scope="module")
def model():
    return replace(SwitchModel.fit([series().head(1800)]), threshold=0.9)


def test_a_switch_of_volatility_is_told_soon_and_seldom_where_there_is_none(model):
    one = series(3000, seed=1)  # stretches of 300 candles: wild from 600 to 899 and from 2100 to 2399
    alarms = replace(model, threshold=0.99).alarms(one, 480)
    for switch in (600, 900, 2100, 2400):
        assert any(0 <= t - switch < 40 for t in alarms), switch
    assert len(alarms) < 12


@pytest.mark.parametrize("end", [359, 700, 2399])
def test_alarms_are_told_from_the_last_candles_alone(model, end):
    one = series(2400, seed=1)
    ends = np.arange(MEMORY + OF_LATE - 1, 2400)
    whole = model.since(one, ends, MEMORY)
    assert {int(age) for age in whole} > {-1, 0, 100}
    last = one.between(end + 1 - MEMORY - OF_LATE, end + 1)
    assert model.since(last, np.array([len(last) - 1]), MEMORY)[0] == whole[end - ends[0]]
    assert model.since(one.head(end + 1), np.array([end]), MEMORY)[0] == whole[end - ends[0]]  # no peeking


def test_the_age_of_an_alarm_is_counted_from_it_as_far_as_it_is_of_late():
    alarms, ends = np.array([3, 10]), np.array([2, 3, 5, 9, 10, 13, 14])
    assert since_alarm(alarms, ends, 4).tolist() == [-1, 0, 2, -1, 0, 3, -1]
    assert since_alarm(np.array([], dtype=np.int64), ends, 4).tolist() == [-1] * 7


def test_the_threshold_raises_no_more_alarms_in_random_order_than_asked_for(monkeypatch):
    monkeypatch.setattr(alarm_thresholds, "ROWS", 8_000)
    monkeypatch.setattr(alarm_thresholds, "LEAST_ALARMS", 8)
    few, many = (set_threshold([series(1800)], 480, asked, seed=5) for asked in (1.0, 20.0))
    assert few.in_nothing <= few.asked == 1.0
    assert many.in_nothing <= 20.0
    assert few.threshold > many.threshold
    told = [model.alarms(series(2400), 480) for model in (few, many)]
    assert len(told[1]) > len(told[0])
    for wild in (600, 2100):
        assert any(0 <= t - wild < 20 for t in told[0]), wild


def test_it_can_be_written_down_and_read_again(model):
    again = SwitchModel.from_dict(model.as_dict())
    one = series(700, seed=1)
    np.testing.assert_array_equal(again.alarms(one, MEMORY), model.alarms(one, MEMORY))
    assert again.as_dict() == model.as_dict()
    old = {name: model.as_dict()[name] for name in ("model", "scale", "threshold", "asked", "in_nothing", "rows")}
    assert SwitchModel.from_dict(old).as_dict() == {**old, "low": 0.0, "high": 0.0, "instruments": [], "left_out": []}


def test_too_few_returns_are_refused_and_a_history_shorter_than_the_memory_tells_nothing(model):
    with pytest.raises(NotEnoughData, match="20 observations are too few for 3 states"):
        SwitchModel.fit([series(21)])
    for n in (1, 20):
        assert np.isnan(model.probabilities(series(n), MEMORY)).all()
        assert model.since(series(n), np.array([n - 1]), MEMORY).tolist() == [-1]


def test_a_short_history_leaves_its_part_of_what_is_learnt_to_the_others(monkeypatch):
    monkeypatch.setattr(switch_model, "LEARNT", 600)
    seen = []
    monkeypatch.setattr(switch_model, "usual_size", lambda returns: seen.append(len(returns)) or 1.0)
    for lengths in ((1200,), (1200, 1200), (2, 1200), (101, 1200, 1200), (101, 51)):
        SwitchModel.fit([series(n) for n in lengths])
    assert seen == [600, 600, 600, 600, 150]


def test_a_departure_is_told_once_and_needs_no_regime_to_be_sure():
    p = np.array([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.04, 0.5, 0.46], [0.02, 0.46, 0.52], [0.9, 0.06, 0.04]])
    assert departure_alarms(p, 0.95, look=2).tolist() == [2]
    assert departure_alarms(p, 0.9, look=2).tolist() == [2, 4]
    assert departure_alarms(p, 0.97, look=2).tolist() == [3]
    assert departure_alarms(p, 0.95, look=3).tolist() == []  # what was before is not known far enough back
