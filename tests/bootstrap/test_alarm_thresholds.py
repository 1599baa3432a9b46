import json
from dataclasses import replace

import numpy as np
import pytest
from tests.inference.test_regimes import series

from triptych.bootstrap import alarm_thresholds
from triptych.bootstrap.alarm_thresholds import SURE, require_kept, rows_for, set_threshold, threshold_for, uncertainty
from triptych.domain.errors import NotEnoughData
from triptych.inference.switch_model import InNothing, SwitchModel, looks_back
from triptych.market.shuffling import shuffled
from triptych.training.intervals import share_interval

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


def named(symbol, candles, seed=0):
    one = series(candles, seed=seed)
    return replace(one, instrument=replace(one.instrument, symbol=symbol))


def test_an_instrument_has_the_share_of_the_candles_in_random_order_that_it_has_of_the_real_ones():
    model = set_threshold([named("LONG", 1200), named("SHORT", 400, seed=1)], MEMORY, 10.0, seed=7)
    assert [(one.symbol, one.rows) for one in model.instruments] == [("LONG", 4_500), ("SHORT", 1_500)]
    together = sum(one.alarms * one.rows for one in model.instruments) / model.rows
    assert together == pytest.approx(model.in_nothing)
    for one in (model, *model.instruments):
        assert 0.0 <= one.low <= one.high
    assert model.low < model.in_nothing < model.high


def test_a_listing_of_two_candles_has_no_say_and_that_is_told():
    model = set_threshold([named("NEW", 2), named("OLD", 1200)], MEMORY, 10.0, seed=7)
    assert model.left_out == ("NEW",)
    assert [(one.symbol, one.rows, one.alarms) for one in model.instruments] == [("OLD", 6_000, model.in_nothing)]
    fresh = model.alarms(shuffled(series(1200), 900, looks_back(MEMORY) + 12_000), MEMORY)
    assert 5.0 < len(fresh) / 12.0 < 16.0  # were half of the candles those of NEW, it would be 20
    assert model.notes() == (
        "The threshold of the alarms of switches was set without NEW: too few candles to be put in random order.",
    )
    assert SwitchModel.from_dict(json.loads(json.dumps(model.as_dict()))).notes() == model.notes()


def test_where_all_are_short_none_is_left_out():
    model = set_threshold([named("A", 200), named("B", 200, seed=1), named("C", 1)], MEMORY, 10.0, seed=7)
    assert [(one.symbol, one.rows) for one in model.instruments] == [("A", 3_000), ("B", 3_000)]
    assert model.left_out == ("C",)


def test_instruments_that_differ_beyond_chance_are_told():
    parts = tuple(
        InNothing(symbol=symbol, rows=20_000, alarms=alarms, low=low, high=high)
        for symbol, alarms, low, high in (("BTC", 0.2, 0.0, 0.51), ("DOGE", 1.75, 1.12, 2.51))
    )
    model = SwitchModel(model=None, scale=1.0, asked=1.0, in_nothing=0.975, rows=40_000, instruments=parts)
    (said,) = model.notes()
    assert said.endswith("(95 %, all together): BTC 0.20 (0.00 to 0.51), DOGE 1.75 (1.12 to 2.51).")
    wide = tuple(replace(one, low=0.1, high=3.0) for one in parts)
    assert replace(model, instruments=wide).notes() == ()


def test_intervals_of_more_instruments_are_wider_so_that_all_hold_together():
    at = np.arange(60) * 400
    one, of_eight = (uncertainty([at], [24_000], 3, level) for level in (0.95, 1 - 0.05 / 8))
    assert of_eight[0] < one[0] < one[1] < of_eight[1]
    many = set_threshold([named(symbol, 400, seed=i) for i, symbol in enumerate("ABCD")], MEMORY, 10.0, seed=7)
    for part in many.instruments:
        alone = share_interval(round(part.alarms * part.rows / 1000), part.rows, 1 - 0.05 / 4)
        assert part.low <= 1000 * alone.low
        assert part.high >= 1000 * alone.high


def test_what_other_orders_would_raise_is_wider_where_alarms_come_in_clusters():
    alone = np.arange(60) * 400
    clustered = (np.arange(60) // 6) * 2_400 + np.arange(60) % 6
    one, many = (uncertainty([at], [24_000], seed=3) for at in (alone, clustered))
    for low, high in (one, many):
        assert 0.0 < low < 2.5 < high
    assert many[1] - many[0] > 1.7 * (one[1] - one[0])
    low, high = uncertainty([np.empty(0, dtype=np.int64)], [4_000], seed=3)
    assert low == 0.0
    assert 0.5 < high < 1.5  # none in 4,000 is not none for good
    assert uncertainty([alone[:1]], [200], seed=3)[1] > 10.0


def test_fresh_orders_fall_into_the_interval_of_a_set_threshold():
    model = set_threshold([series(1200)], MEMORY, 10.0, seed=7)
    calm = shuffled(series(1200), 900, looks_back(MEMORY) + 30_000)
    assert model.low < len(model.alarms(calm, MEMORY)) / 30.0 < model.high


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
