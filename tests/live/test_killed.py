"""Kill -9 at random moments over real sockets: the short form of `make chaos`, which does it 1,000 times."""

import asyncio

import pytest
from benchmarks.chaos.__main__ import summary
from benchmarks.chaos.segment import Segment


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "storm"), [(8, False), (7, True)], ids=["good wire", "bad wire"])
def test_a_house_killed_at_random_sends_nothing_twice_and_knows_its_position(tmp_path, kills, storm):
    segment = Segment(tmp_path, seed=kills, kills=kills, pace_s=0.1, storm=storm)
    told = summary([asyncio.run(segment.run()).as_json()])
    assert told["kills"] == kills
    assert told["duplicate_orders"] == 0
    assert told["unknown_positions"] == 0
    assert told["executions_lost_or_invented"] == 0
    assert told["unprotected_seconds"] == 0
    # Every order is for a third of the equity: one that was sent twice would show here.
    assert told["largest_gross_exposure"] < 1.1
    assert told["orders"] > 5
    assert told["starts_measured"] >= 2
