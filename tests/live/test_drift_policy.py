"""What an alarm of drift changes: the size, or who decides."""

import asyncio

import numpy as np
import pytest
from tests.fakes.market import walk
from tests.live.house import House, LastMove, closes, paper

from triptych.domain import Prediction
from triptych.inference.base import AbstractPredictor
from triptych.inference.reference import Reference
from triptych.live.failover import Config as LadderConfig
from triptych.live.failover import Level, Outcome
from triptych.live.journal import NoteWritten, StepRecorded
from triptych.live.monitoring.drift import Config
from triptych.live.observing import Observer

TRAINED = Reference(quantiles={"confidence": np.linspace(0.5, 0.6, 101)})


def told(confidence, identity=""):
    """The house's model is as sure as this."""
    prediction = Prediction(
        symbol="AAA", time_ms=0, model="last move", probability_buy=confidence,
        probability_sell=(1 - confidence) / 2, probability_hold=(1 - confidence) / 2,
    )  # fmt: skip
    return Outcome(
        predictions={"AAA": prediction},
        level=0,
        name="model",
        failures={},
        seconds={},
        reference=TRAINED,
        identity=identity,
    )


def watched_house(tmp_path, **settings):
    """A house of one instrument, and an observer, which falls back unless `settings` of drift say otherwise."""
    series = [walk(20, seed=3, symbol="AAA")]
    clock, venue = paper(series)
    house = House(tmp_path / "j.db", [series[0].instrument], venue, clock)
    return house, Observer(house.metrics, Config(**{"policy": "fallback", "window": 60, **settings}), house.note)


@pytest.mark.parametrize(("policy", "share", "floor"), [("none", 1.0, 0), ("reduce", 0.25, 0), ("fallback", 1.0, 1)])
def test_an_alarm_changes_what_the_policy_says_and_its_end_changes_it_back(tmp_path, policy, share, floor):
    house, observer = watched_house(tmp_path, policy=policy, reduce_to=0.25)
    rng = np.random.default_rng(4)

    def decide(low, high, times):
        heeded = []
        for confidence in rng.uniform(low, high, times):
            observer.on_decision(house.engine, told(confidence), ["AAA"])
            heeded.append(observer.heed(house.engine, house.ladder))
        return [text for text in heeded if text]

    assert decide(0.5, 0.6, 100) == []
    said = decide(0.8, 0.9, 100)
    assert (house.engine.share, house.ladder.floor) == (share, floor)
    assert house.ladder.on_duty == floor
    assert [text.partition(": ")[0] for text in said] == ([f"policy {policy}"] if policy != "none" else [])
    assert decide(0.5, 0.6, 200) == ([] if policy == "none" else ["the alarm is over"])
    assert (house.engine.share, house.ladder.floor, house.ladder.on_duty) == (1.0, 0, 0)
    house.close()


class Moody(AbstractPredictor):
    """As sure as the market of the moment makes it: seldom of buying or selling, and never twice the same."""

    length = 3

    def __init__(self, name, low, high):
        self.name, self.low, self.high, self._rng = name, low, high, np.random.default_rng(4)

    def probabilities(self, windows):
        hold = self._rng.uniform(self.low, self.high, len(windows))
        return np.stack([(1 - hold) / 2, hold, (1 - hold) / 2], axis=1).astype(np.float32)


def test_the_first_model_decides_again_when_its_market_has_come_back(tmp_path):
    """It is asked beside the stand-in all the while: whoever is not asked cannot show that it is well again."""
    series = [walk(400, seed=3, symbol="AAA")]
    clock, venue = paper(series)
    big, small = Moody("big", 0.8, 0.9), Moody("small", 0.5, 0.6)
    house = House(
        tmp_path / "j.db", [series[0].instrument], venue, clock,
        drift=Config(policy="fallback", window=50, psi_alarm=1.0),
        levels=[Level("big", big, deadline_s=60, reference=TRAINED), Level("small", small, deadline_s=60)],
    )  # fmt: skip
    house.ladder.config = LadderConfig(deadline_seconds=60)
    ladder, observer, trader = house.ladder, house.observer, house.trader
    decisions, who = closes(series), []

    async def decide(times):
        for _ in range(times):
            candles = next(decisions)
            venue.on_candles(candles)
            clock.set(candles[0].close_time_ms)
            await trader.on_candles(candles)
            await asyncio.gather(*ladder._trials)
            who.append([entry.record.model for entry in house.journal.entries(kinds=(StepRecorded,))][-1])

    async def run():
        await trader.start()
        await decide(70)  # another market: from the first full window on it is an alarm
        assert (who[55], who[-1], ladder.floor, ladder.on_duty) == ("big", "small", 1, 1)
        await decide(60)
        assert set(who[70:]) == {"small"}
        assert any("stability index" in text for text in observer.alarms)
        big.low, big.high = 0.5, 0.6  # the market that it was trained on
        await decide(150)

    asyncio.run(run())
    assert (set(who[-30:]), ladder.floor, observer.alarms) == ({"big"}, 0, ())
    assert who[130:].index("big") >= 50  # a whole window of its own readings from there
    notes = [entry.record for entry in house.journal.entries(kinds=(NoteWritten,)) if entry.record.topic == "drift"]
    # Twice: for ADWIN the way back is a change of the mean as well, and one that lasts a window.
    assert [note.text.partition(":")[0] for note in notes] == ["policy fallback", "the alarm is over"] * 2
    house.close()


def test_a_stand_in_that_drifts_as_well_does_not_keep_the_first_model_from_deciding(tmp_path):
    house, observer = watched_house(tmp_path)
    house.ladder.levels = [*house.ladder.levels, Level("other", LastMove(), deadline_s=5, identity="other")]
    for confidence in np.random.default_rng(4).uniform(0.8, 0.9, 100):
        observer.on_decision(house.engine, told(confidence, "other"), ["AAA"])
        assert observer.heed(house.engine, house.ladder) == ""
    assert observer.alarms
    house.close()


def test_a_first_model_that_says_nothing_at_all_does_not_decide_again_by_that(tmp_path):
    house, observer = watched_house(tmp_path)
    for confidence in np.random.default_rng(4).uniform(0.8, 0.9, 100):
        observer.on_decision(house.engine, told(confidence), ["AAA"])
        observer.heed(house.engine, house.ladder)
    nothing = Outcome(predictions={}, level=1, name="none", failures={}, seconds={})
    for _ in range(200):
        observer.on_decision(house.engine, nothing, ["AAA"])
        assert observer.heed(house.engine, house.ladder) == ""
    assert house.ladder.floor == 1
    house.close()


def test_an_alarm_ends_with_the_model_that_it_is_of(tmp_path):
    house, observer = watched_house(tmp_path)
    for confidence in np.random.default_rng(4).uniform(0.8, 0.9, 100):
        observer.on_decision(house.engine, told(confidence), ["AAA"])
        observer.heed(house.engine, house.ladder)
    psi = ("triptych_drift_psi_ratio", {"symbol": "AAA", "model": "last move"})
    assert house.ladder.floor == 1
    assert house.metrics.registry.get_sample_value(*psi) > 0.25
    house.ladder.levels[0].replace(LastMove(), "new", TRAINED)
    observer.on_decision(house.engine, told(0.55, "new"), ["AAA"])
    assert observer.heed(house.engine, house.ladder) == "the alarm is over"
    assert (observer.alarms, house.ladder.floor) == ((), 0)
    assert np.isnan(house.metrics.registry.get_sample_value(*psi))  # not the old one's, as if it were measured
    house.close()
