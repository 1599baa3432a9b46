from __future__ import annotations

import numpy as np
import pytest

from triptych.domain.errors import NotEnoughData
from triptych.market.synthetic import Config as MarketConfig
from triptych.market.synthetic import synthesise
from triptych.market.synthetic.anomalies import KINDS, NEWS, Config, plant_anomalies


@pytest.fixture(scope="module")
def market():
    return synthesise(MarketConfig(n_candles=6000, instruments=3, seed=2))


@pytest.fixture(scope="module")
def planted(market):
    return plant_anomalies(market, Config(each=2))


def test_every_kind_is_planted_and_all_but_news_are_labelled(planted):
    assert sorted(event.kind for event in planted.events) == sorted(KINDS * 2)
    expected = np.zeros(6000, dtype=np.int8)
    for event in planted.events:
        if event.kind != NEWS:
            expected[event.start : event.stop] = 1
    np.testing.assert_array_equal(planted.labels, expected)
    assert planted.labels[: planted.first].sum() == 0


def test_events_keep_their_distance_and_the_clean_start_stays(market, planted):
    for before, after in zip(planted.events[:-1], planted.events[1:], strict=True):
        assert after.start - before.stop >= 47
    for old, new in zip(market.series, planted.series, strict=True):
        np.testing.assert_array_equal(new.values[: planted.first], old.values[: planted.first])


def test_candles_stay_candles_on_the_price_grid(planted):
    for one in planted.series:
        o, h, l, c = one.values[:, :4].T  # noqa: E741 - the field's own letters
        assert (h >= np.maximum(o, c)).all()
        assert (l <= np.minimum(o, c)).all()
        steps = one.values[:, :4] / float(one.instrument.price_step)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
        np.testing.assert_allclose(o[planted.first + 1 :], c[planted.first : -1], rtol=1e-12)


def test_the_same_seed_plants_the_same(market, planted):
    again = plant_anomalies(market, Config(each=2))
    assert again.events == planted.events
    np.testing.assert_array_equal(again.series[0].values, planted.series[0].values)
    assert plant_anomalies(market, Config(each=2, seed=9)).events != planted.events


def test_kinds_do_what_they_are_called(market, planted):
    for event in planted.events:
        if not event.symbol:
            continue
        i = [one.symbol for one in planted.series].index(event.symbol)
        old, new = market.series[i].values, planted.series[i].values
        at = slice(event.start, event.stop)
        if event.kind == "stale_feed":
            assert (new[at, 1] == new[at, 2]).all()
        elif event.kind == "flash_crash":
            assert np.log(new[event.start + 1, 3] / new[event.start - 1, 3]) < -0.01
        elif event.kind == "wash_volume":
            np.testing.assert_allclose(new[at, 4], 5 * old[at, 4])
        elif event.kind == "bad_tick":
            width = np.log(new[at, 1] / new[at, 2])
            assert (width > 10 * market.volatility[i, at]).all()


def test_a_history_without_room_is_refused(market):
    with pytest.raises(NotEnoughData) as error:
        plant_anomalies(market, Config(each=10))
    assert str(error.value) == (
        "3000 candles have no room for 90 events of up to 64 candles, 48 apart. Ask for at least 10080 candles behind "
        "the clean start."
    )
