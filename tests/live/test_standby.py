import asyncio
import os

from triptych.domain import ManualClock
from triptych.live.journal import Journal
from triptych.live.standby import wait_until_free


def test_a_standby_waits_until_the_lease_has_run_out(tmp_path):
    clock, told = ManualClock(1_000_000), []

    async def run():
        leader = Journal.open(tmp_path / "j.db", "house", owner="the leader", clock=clock)
        leader.lease.acquire()
        standby = Journal.open(tmp_path / "j.db", "house", owner="the standby", clock=clock)
        waiting = asyncio.create_task(wait_until_free(standby.lease, told.append, every_s=0.01))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        clock.set(clock.now_ms() + 14_000)
        leader.lease.renew()
        clock.set(clock.now_ms() + 14_000)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        clock.set(clock.now_ms() + 2_000)
        await asyncio.wait_for(waiting, 5)
        assert standby.lease.acquire() == 2
        leader.close()
        standby.close()

    asyncio.run(run())
    (said,) = told
    assert said.startswith(f"standing by: house is traded by the leader (process {os.getpid()} on ")


def test_a_lease_that_was_given_back_is_free_at_once(tmp_path):
    async def run():
        leader = Journal.open(tmp_path / "j.db", "house", owner="the leader")
        leader.lease.acquire()
        standby = Journal.open(tmp_path / "j.db", "house", owner="the standby")
        waiting = asyncio.create_task(wait_until_free(standby.lease, lambda text: None, every_s=0.01))
        await asyncio.sleep(0.05)
        leader.lease.release()
        await asyncio.wait_for(waiting, 5)
        assert standby.lease.acquire() == 2
        leader.close()
        standby.close()

    asyncio.run(run())
