"""What an alarm of drift changes: the size, or who decides."""

import pytest
from tests.fakes.market import walk
from tests.live.house import House, paper

from triptych.live.monitoring.drift import Config
from triptych.live.observing import Observer


@pytest.mark.parametrize(("policy", "share", "floor"), [("none", 1.0, 0), ("reduce", 0.25, 0), ("fallback", 1.0, 1)])
def test_an_alarm_changes_what_the_policy_says_and_its_end_changes_it_back(tmp_path, policy, share, floor):
    series = [walk(20, seed=3, symbol="AAA")]
    clock, venue = paper(series)
    house = House(tmp_path / "j.db", [series[0].instrument], venue, clock)
    observer = Observer(house.metrics, Config(policy=policy, reduce_to=0.25), house.note)
    observer._alarms["AAA", "model", "hits"] = ("hits: its mean has changed",)
    said = f"policy {policy}: hits: its mean has changed" if policy != "none" else ""
    assert observer.heed(house.engine, house.ladder) == said
    assert observer.heed(house.engine, house.ladder) == ""
    assert (house.engine.share, house.ladder.floor) == (share, floor)
    assert house.ladder.on_duty == floor
    observer._alarms.clear()
    assert observer.heed(house.engine, house.ladder) == ("the alarm is over" if said else "")
    assert (house.engine.share, house.ladder.floor, house.ladder.on_duty) == (1.0, 0, 0)
    house.close()
