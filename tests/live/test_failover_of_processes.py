"""Two processes, one journal: who loses the lease places no order any more."""

import asyncio

import pytest
from benchmarks.failover import take_over


@pytest.mark.slow
def test_a_standby_takes_over_from_a_leader_that_was_killed(tmp_path):
    found = asyncio.run(take_over(tmp_path, "kill", seed=1))
    assert found.agrees
    assert found.orders >= 3
    assert found.unprotected_s == 0


@pytest.mark.slow
def test_a_leader_that_wakes_after_its_successor_began_places_no_order(tmp_path):
    found = asyncio.run(take_over(tmp_path, "stop", seed=2))
    assert found.late_orders == ()
    assert found.last_words.startswith("benchmark: the right to trade, token 1, is lost to process ")
    assert found.agrees
    assert found.orders >= 3
    assert found.unprotected_s == 0
