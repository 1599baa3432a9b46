"""What an alarm of drift changes: the size, or who decides."""

import numpy as np
import pytest
from tests.fakes.market import walk
from tests.live.house import House, LastMove, paper

from triptych.domain import Prediction
from triptych.inference.reference import Reference
from triptych.live.failover import Outcome
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


@pytest.mark.parametrize(("policy", "share", "floor"), [("none", 1.0, 0), ("reduce", 0.25, 0), ("fallback", 1.0, 1)])
def test_an_alarm_changes_what_the_policy_says_and_its_end_changes_it_back(tmp_path, policy, share, floor):
    series = [walk(20, seed=3, symbol="AAA")]
    clock, venue = paper(series)
    house = House(tmp_path / "j.db", [series[0].instrument], venue, clock)
    observer = Observer(house.metrics, Config(policy=policy, reduce_to=0.25, window=60), house.note)
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


def test_an_alarm_ends_with_the_model_that_it_is_of(tmp_path):
    series = [walk(20, seed=3, symbol="AAA")]
    clock, venue = paper(series)
    house = House(tmp_path / "j.db", [series[0].instrument], venue, clock)
    observer = Observer(house.metrics, Config(policy="fallback", window=60), house.note)
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
