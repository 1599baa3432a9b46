"""What an alarm of drift changes: the size, or who decides."""

from types import SimpleNamespace

import pytest
from tests.fakes.market import walk
from tests.live.house import House, paper

from triptych.live.monitoring.drift import Config


@pytest.mark.parametrize(("policy", "share", "floor"), [("none", 1.0, 0), ("reduce", 0.25, 0), ("fallback", 1.0, 1)])
def test_an_alarm_changes_what_the_policy_says_and_its_end_changes_it_back(tmp_path, policy, share, floor):
    series = [walk(20, seed=3, symbol="AAA")]
    clock, venue = paper(series)
    house = House(tmp_path / "j.db", [series[0].instrument], venue, clock)
    observer = SimpleNamespace(config=Config(policy=policy, reduce_to=0.25), alarms=("hits: its mean has changed",))
    house.trader._heed(observer)
    assert (house.engine.share, house.ladder.floor) == (share, floor)
    assert house.ladder.on_duty == floor
    assert ("drift policy" in house.topics()) == (policy != "none")
    observer.alarms = ()
    house.trader._heed(observer)
    assert (house.engine.share, house.ladder.floor, house.ladder.on_duty) == (1.0, 0, 0)
    house.close()
