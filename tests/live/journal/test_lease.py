import os
import shutil
import subprocess
import sys

import pytest
from tests.live.journal.test_records import FILL

from triptych.domain.errors import LeaseError
from triptych.live.journal import Journal, Lease
from triptych.live.journal.database import leases, open_database


@pytest.fixture
def lease(path, clock):
    """Makes leases as other processes would: each with a database connection and a process number of its own."""

    def make(owner, *, pid=None, alive=True, host=None, machine=None):
        one = Lease(open_database(path), "house", owner=owner, duration_ms=1_000, clock=clock, is_alive=lambda _: alive)
        one._pid = pid or os.getpid()
        one._host, one._machine = host or one._host, machine or one._machine
        return one

    return make


def test_tokens_grow_with_every_acquisition(lease, clock):
    first, second = lease("first"), lease("second", pid=2)
    assert first.acquire() == 1
    clock.set(clock.now_ms() + 1_000)
    assert second.acquire() == 2
    second.release()
    assert first.acquire() == 3


def test_a_journal_that_counts_from_one_is_raised_once_so_that_two_of_an_account_share_no_token(lease):
    old = lease("an early version")
    assert (old.acquire(), old.release()) == (1, None)
    tokens = []
    for _ in range(3):
        new = lease("a later one")
        new._first_token = 400_000
        tokens.append(new.acquire())
        new.release()
    assert tokens == [400_001, 400_002, 400_003]


def test_a_living_holder_keeps_it_until_it_runs_out(lease, clock):
    lease("first", pid=11, host="farm").acquire()
    with pytest.raises(LeaseError) as caught:
        lease("second").acquire()
    assert str(caught.value) == (
        "house is being traded by first (process 11 on farm) for at least 1.0 s more. "
        "Stop that one first, start this one as a standby, or trade under another name."
    )
    clock.set(clock.now_ms() + 999)
    with pytest.raises(LeaseError):
        lease("second").acquire()
    clock.set(clock.now_ms() + 1)
    assert lease("second").acquire() == 2


def test_renewing_keeps_it(lease, clock):
    first = lease("first", pid=11)
    first.acquire()
    clock.set(clock.now_ms() + 900)
    assert first.renew() == clock.now_ms() + 1_000
    clock.set(clock.now_ms() + 900)
    with pytest.raises(LeaseError):
        lease("second").acquire()


def test_a_dead_process_of_this_machine_gives_way_at_once_and_one_of_another_does_not(lease):
    lease("first", pid=11).acquire()
    assert lease("second", pid=12, alive=False).acquire() == 2
    lease("third", pid=13, host="farm", alive=False)
    with pytest.raises(LeaseError):
        lease("third", pid=13, host="farm", alive=False).acquire()


def test_a_process_in_another_container_of_the_same_hostname_is_not_taken_for_dead(lease, clock):
    lease("first", pid=11, machine="boot.1").acquire()
    with pytest.raises(LeaseError):
        lease("second", pid=12, machine="boot.2", alive=False).acquire()
    assert lease("second", pid=12, machine="boot.2", alive=False).holder().owner == "first"
    clock.set(clock.now_ms() + 1_000)
    assert lease("second", pid=12, machine="boot.2", alive=False).acquire() == 2


def test_a_number_that_another_process_has_by_now_is_no_sign_of_life(lease):
    first = lease("first", pid=os.getppid())
    first.acquire()
    with pytest.raises(LeaseError):
        lease("second").acquire()
    first._pid = os.getpid()  # as if the first had begun at another time than whoever bears its number now
    with first._transaction() as connection:
        row = leases.update().values(host=f"{first._host} {first._machine} 1")
        connection.execute(row)
    assert lease("second").acquire() == 2


def test_a_standby_in_a_process_namespace_of_its_own_leaves_a_living_leader_alone(path):
    """As two containers that share a hostname."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "pass"], capture_output=True).returncode:
        pytest.skip("this user may not make namespaces")
    leader = Journal.open(path, "house", owner="leader")
    leader.lease.acquire()
    program = f"""if True:
        from triptych.live.journal import Journal
        journal = Journal.open({str(path)!r}, "house", owner="standby")
        print(journal.lease.holder().owner)
        """
    found = subprocess.run([*apart, program], capture_output=True, text=True, check=True)
    assert found.stdout == "leader\n"
    leader.lease.renew()
    leader.close()


def test_a_holder_that_slept_is_stopped_by_the_newer_token(path, clock, lease):
    sleeper = Journal.open(path, "house", owner="sleeper", clock=clock, lease_ms=1_000)
    sleeper.lease.acquire()
    clock.set(clock.now_ms() + 5_000)
    assert sleeper.append(FILL) == (True,)  # run out, but nobody wanted it
    lease("waking", pid=2).acquire()
    for act in (sleeper.lease.renew, lambda: sleeper.append(FILL)):
        with pytest.raises(LeaseError) as caught:
            act()
        assert str(caught.value).startswith("house: the right to trade, token 1, is lost to waking (process 2 on ")


def test_nothing_is_written_without_a_lease(path, clock):
    journal = Journal.open(path, "house", owner="one", clock=clock)
    with pytest.raises(LeaseError):
        journal.append(FILL)
    assert list(journal.entries()) == []


def test_releasing_what_another_has_taken_changes_nothing(lease, clock):
    first, second = lease("first"), lease("second", pid=2)
    first.acquire()
    clock.set(clock.now_ms() + 1_000)
    second.acquire()
    first.release()
    assert second.view().expires_ms == clock.now_ms() + 1_000
    assert second.view().owner == "second"
