"""The journal on a real PostgreSQL server: the same promises as on SQLite."""

import pytest
from tests.fakes.postgres import postgres_binaries, postgres_server
from tests.live.journal.conftest import step
from tests.live.journal.test_records import FILL, RECORDS

from triptych.domain.errors import JournalError, LeaseError
from triptych.live.journal import Journal, StepRecorded

pytestmark = pytest.mark.skipif(postgres_binaries() is None, reason="no PostgreSQL server is installed")


@pytest.fixture(scope="module")
def url():
    with postgres_server() as address:
        yield address.replace("postgresql://", "postgresql+psycopg://", 1)


def open_journal(url, name, owner):
    return Journal.open(url, name, owner=owner)


def test_entries_come_back_and_repetitions_count_once(url):
    journal = open_journal(url, "entries", "one")
    journal.lease.acquire()
    assert journal.append(FILL, step(close_ms=5), RECORDS[-1]) == (True, True, True)
    assert journal.append(FILL, RECORDS[-1]) == (False, True)
    kinds = [type(entry.record).__name__ for entry in journal.entries()]
    assert kinds == ["OrderFilled", "StepRecorded", "NoteWritten", "NoteWritten"]
    assert journal.last(StepRecorded).record.close_ms == 5
    reader = Journal.read(url, "entries")
    assert [entry.record for entry in reader.entries()][:1] == [FILL]
    reader.close()
    journal.close()


def test_one_writer_at_a_time_and_the_older_token_is_refused(url, clock):
    first = open_journal(url, "house", "first")
    assert first.lease.acquire() == 1
    second = open_journal(url, "house", "second")
    second.lease._pid = 1  # another living process of this machine
    with pytest.raises(LeaseError, match="house is being traded by first"):
        second.lease.acquire()
    first.lease.release()
    assert second.lease.acquire() == 2
    first.lease.token = 1  # it slept, and believes that it still holds it
    with pytest.raises(LeaseError, match="the right to trade, token 1, is lost to second"):
        first.append(FILL)
    assert second.append(FILL) == (True,)
    first.close()
    second.close()


def test_a_lease_runs_out_by_the_clock_of_the_database(url):
    first = open_journal(url, "clock", "first")
    first.lease._duration_ms = 1
    first.lease.acquire()
    second = open_journal(url, "clock", "second")
    assert second.lease.acquire() == 2
    first.close()
    second.close()


def test_a_server_that_is_not_there_is_a_journal_error():
    with pytest.raises(JournalError, match="cannot be opened"):
        open_journal("postgresql+psycopg://triptych@/postgres?host=/tmp/no-such-place", "house", "one")
