"""The journal on a real PostgreSQL server: the same promises as on SQLite."""

import pytest
from tests.fakes.postgres import postgres_binaries, postgres_server
from tests.live.journal.conftest import step
from tests.live.journal.test_records import FILL, RECORDS

from triptych.domain.errors import JournalError, LeaseError, NoJournal
from triptych.live.journal import Journal, NoteWritten, StepRecorded, Switch, SwitchSet, kept_lockout
from triptych.live.killing import kill_beside
from triptych.live.switching import KeptSwitch

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


def test_a_kill_from_another_shell_is_heard_by_a_service_with_a_folder_of_its_own(url, tmp_path, monkeypatch):
    """It stands in the database, whatever folders and ways to write its address they have."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "service"))
    journal = open_journal(url, "killed", "the service")
    journal.lease.acquire()
    journal.append(NoteWritten(topic="test", text="it is traded"))
    switch = KeptSwitch(journal, write=lambda said: (journal.append(said), switch.written([said])), note=print)
    assert switch.asked(Switch.RUN) is None

    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    said = kill_beside(url.replace("triptych@", "triptych:sesame@"), "killed", "smoke", wait_s=0)
    assert not said.is_heard
    assert said.words.startswith("NOT HEARD: the service (process ")
    assert "sesame" not in said.words
    asked = switch.asked(Switch.RUN)
    assert (asked.switch, asked.reason) == (Switch.KILLED, "smoke")
    assert journal.is_killed()
    assert not (tmp_path / "home").exists()

    switch.set(asked)
    assert journal.switch() == asked
    assert switch.beside is None
    switch.set(SwitchSet(switch=Switch.RUN, by="anna", reason="mended"))
    assert switch.asked(Switch.RUN) is None
    journal.lease.release()
    journal.close()


def test_a_process_that_has_lost_the_right_to_write_takes_no_kill_from_the_one_that_has_it(url):
    journal = open_journal(url, "lost", "first")
    journal.lease.acquire()
    journal.append(NoteWritten(topic="test", text="it is traded"))
    kill_beside(url, "lost", "smoke", wait_s=0)
    journal.lease.token += 1
    switch = KeptSwitch(journal, write=journal.append, note=print)
    with pytest.raises(LeaseError):
        switch.set(SwitchSet(switch=Switch.KILLED, by="anna", reason="another"))
    assert switch.beside.reason == "smoke"
    journal.close()


def test_a_server_that_does_not_answer_leaves_files_and_is_told_of(tmp_path, monkeypatch):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    said = kill_beside("postgresql+psycopg://triptych@/postgres?host=/no-such-place", "house", "smoke", wait_s=0)
    assert said.words.startswith("NOT HEARD yet: the journal cannot be asked (")
    assert said.problem
    assert said.places
    assert all(place.startswith(str(tmp_path)) for place in said.places if "/var/lib" not in place)


def test_a_database_without_tables_holds_no_journal_and_no_lockout():
    with postgres_server() as address:
        url = address.replace("postgresql://", "postgresql+psycopg://", 1)
        assert kept_lockout(url, "api.bybit.com") == 0
        with pytest.raises(NoJournal) as caught:
            kill_beside(url, "house", "smoke", wait_s=0)
    assert caught.value.message.startswith("There is no journal in postgresql+psycopg://triptych@/postgres?host=")
