from dataclasses import replace

import numpy as np
import pytest
from tests.inference.test_regimes import series

from triptych.bootstrap import alarm_thresholds
from triptych.bootstrap.alarm_thresholds import SURE, require_kept, rows_for, set_threshold, threshold_for
from triptych.domain.errors import NotEnoughData
from triptych.inference.switch_model import SwitchModel, looks_back
from triptych.market.shuffling import shuffled

MEMORY = 480


@pytest.fixture(autouse=True)
def _fewer_rows(monkeypatch):
    monkeypatch.setattr(alarm_thresholds, "ROWS", 6_000)


@pytest.mark.parametrize(("instruments", "candles"), [(1, 1200), (16, 400), (24, 310), (1, 300), (1, 470)])
def test_what_is_asked_for_comes_out_on_fresh_orders_however_many_instruments_and_however_short(instruments, candles):
    histories = [series(candles, seed=number) for number in range(instruments)]
    model = set_threshold(histories, MEMORY, 10.0, seed=7)
    assert model.in_nothing <= 10.0
    assert model.rows >= 6_000
    each = 9_600 // instruments
    fresh = [
        model.alarms(shuffled(one, 900 + number, looks_back(MEMORY) + each), MEMORY)
        for number, one in enumerate(histories)
    ]
    realised = 1000.0 * sum(len(one) for one in fresh) / (each * instruments)
    assert 5.0 < realised < 20.0  # about 60 alarms set it, 96 are expected, and alarms come in clusters


def test_only_candles_at_which_an_alarm_is_possible_count():
    model = set_threshold([series(600)], 61, 10.0, seed=7)
    assert looks_back(61) == 60
    calm = shuffled(series(600), 7, 6_060)
    alarms = replace(model).alarms(calm, 61)
    assert model.rows == 6_000
    assert model.in_nothing == 1000.0 * len(alarms) / 6_000
    assert alarms.min() >= 60
    lowest = replace(model, threshold=0.0).alarms(calm, 61)
    assert lowest.min() == 60


def test_a_threshold_between_those_that_are_tried_first_comes_near_what_is_asked_for():
    raised = lambda threshold: int(10_000 * (1.0 - threshold))  # noqa: E731
    threshold, rate = threshold_for(3.0, raised, np.array([0.5, 0.9, 0.999]), 100_000)
    assert rate == pytest.approx(3.0, abs=0.02)
    assert threshold == pytest.approx(0.97, abs=1e-3)
    model = set_threshold([series(1800)], MEMORY, 10.0, seed=5)
    assert 9.0 <= model.in_nothing <= 10.0
    assert not np.isin(model.threshold, SURE)


def test_the_fewer_false_alarms_are_asked_for_the_more_candles_stand_behind_the_threshold():
    assert [rows_for(asked) for asked in (10.0, 2.0, 0.2, 0.01)] == [6_000, 10_000, 100_000, 200_000]


def test_a_model_that_cannot_keep_what_was_asked_for_is_not_acted_on():
    kept = SwitchModel(model=None, scale=1.0, threshold=0.9, asked=1.0, in_nothing=0.98, rows=6_000)
    require_kept(kept)
    assert kept.notes() == ()
    said = "No threshold of the alarms of switches keeps 1 false alarms in 1,000 candles: at the highest they are 7.3."
    with pytest.raises(NotEnoughData) as refused:
        require_kept(replace(kept, in_nothing=7.3))
    assert str(refused.value) == (
        f"{said} Bring more candles, ask for more in regimes.on_switch.false_alarms, or set regimes.on_switch.hold "
        "to 0."
    )
    assert replace(kept, in_nothing=7.3).notes() == (said,)
    old = replace(kept, threshold=0.5, in_nothing=0.0, rows=0)
    assert old.notes() == (
        "The threshold of the alarms of switches was set on candles too few for any alarm: train again.",
    )
