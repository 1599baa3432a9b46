import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest
import sqlalchemy as sa
from tests.live.journal.conftest import order, step
from tests.live.journal.test_records import FILL, RECORDS

from triptych.domain import OrderFilled
from triptych.domain.errors import JournalError, LeaseError
from triptych.live.journal import EVENTS, Journal, NoteWritten, StepRecorded, Switch, SwitchSet, place_of


def test_entries_come_back_in_order_with_time_and_token(journal, path, clock):
    journal.append(*RECORDS[:2])
    clock.set(1_700_000_000_500)
    journal.append(RECORDS[-1])
    for one in (journal, Journal.read(path, "house")):
        entries = list(one.entries())
        assert [entry.record for entry in entries] == [*RECORDS[:2], RECORDS[-1]]
        assert [entry.seq for entry in entries] == [1, 2, 3]
        assert [entry.time_ms - 1_700_000_000_000 for entry in entries] == [0, 0, 500]
        assert {entry.token for entry in entries} == {1}


def test_what_was_written_before_is_not_written_again(journal):
    assert journal.append(FILL, step(close_ms=1)) == (True, True)
    assert journal.append(FILL, RECORDS[-1], step(close_ms=1, commands=(order(),))) == (False, True, False)
    assert journal.append(RECORDS[-1]) == (True,)
    assert len(list(journal.entries())) == 4
    assert journal.last(StepRecorded).record.commands == ()


def test_entries_of_some_kinds_after_a_place(journal):
    journal.append(RECORDS[0], step(close_ms=1), RECORDS[-1], RECORDS[1], RECORDS[3])
    found = journal.last(StepRecorded)
    assert (found.seq, found.record.close_ms) == (2, 1)
    assert [entry.record for entry in journal.entries(after=2, kinds=EVENTS)] == [RECORDS[1], RECORDS[3]]
    assert journal.last(OrderFilled).record == FILL


def test_the_last_word_on_the_switch_counts(journal):
    assert journal.switch() is None
    for switch in (Switch.KILLED, Switch.CLOSE_ONLY):
        journal.append(SwitchSet(switch=switch, by="me", reason="test"))
    assert journal.switch().switch is Switch.CLOSE_ONLY


def test_instances_in_one_file_do_not_see_each_other(journal, path, clock):
    other = Journal.open(path, "other", owner="two", clock=clock)
    other.lease.acquire()
    journal.append(FILL)
    assert other.append(FILL) == (True,)
    assert len(list(other.entries())) == 1
    assert other.names() == ("house", "other")


def test_a_journal_opened_for_reading_writes_nothing(journal, path):
    with pytest.raises(LeaseError) as caught:
        Journal.read(path, "house").append(FILL)
    assert str(caught.value) == "The journal house was opened for reading. Open it for writing."


def test_reading_goes_on_while_another_writes(journal, path):
    journal.append(FILL)
    reader = Journal.read(path, "house")
    with journal._database.begin() as connection:  # holds SQLite's write lock
        journal.lease.check(connection)
        assert [entry.record for entry in reader.entries()] == [FILL]


def test_sqlite_flushes_every_commit(journal):
    with journal._database.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_full_disk_is_a_journal_error_and_leaves_what_was_there(journal):
    journal.append(FILL)
    with journal._database.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.commit()
    with pytest.raises(JournalError) as caught:
        journal.append(RECORDS[-1], NoteWritten(topic="test", text="x" * 100_000))  # both or neither
    assert str(caught.value) == (
        "The journal cannot be written: database or disk is full. "
        "Free some space, mend the permissions or the connection; until then nothing is opened."
    )
    assert [entry.record for entry in journal.entries()] == [FILL]


def test_a_journal_of_another_format_is_refused(journal, path):
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE triptych_meta SET value = '7'")
    connection.close()
    with pytest.raises(JournalError) as caught:
        Journal.open(path, "house", owner="one")
    assert str(caught.value) == (
        f"The journal sqlite:///{path} is of format 7, this version writes 1. "
        "Use the version that wrote it, or start with a new journal once the account is flat."
    )


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    (tmp_path / "notes.db").write_text("not a database, but long enough to be looked at as one" * 40)
    with pytest.raises(JournalError, match="cannot be opened: file is not a database"):
        Journal.open(tmp_path / "notes.db", "house", owner="one")
    with pytest.raises(JournalError, match="There is no journal"):
        Journal.read(tmp_path / "nothing.db", "house")


@pytest.mark.parametrize(
    "address",
    [
        "me:sesame@127.0.0.1:1/nothing",
        "me@127.0.0.1:1/nothing?password=sesame",
        "127.0.0.1:1/n?user=me&PASSWORD=sesame",
    ],
)
def test_a_password_in_the_address_is_never_shown(address):
    url = f"postgresql+psycopg://{address}"
    with pytest.raises(JournalError) as caught:
        Journal.open(url, "house", owner="one")
    assert "sesame" not in str(caught.value)
    assert "sesame" not in place_of(url)
    assert "sesame" not in Journal(sa.create_engine(url), "house").place


@pytest.mark.parametrize("address", ["me:sesame@localhost:54x/live", "me:sesame/open", "me:x@localhost:sesame/live"])
def test_a_port_that_is_none_is_told_without_what_stands_there(address):
    with pytest.raises(JournalError) as caught:
        Journal.open(f"postgresql+psycopg://{address}", "house", owner="one")
    assert caught.value.message == (
        "The journal's address cannot be read: what stands behind the host must be a port, a number."
    )
    assert "sesame" not in str(caught.value)
    assert place_of(f"postgresql+psycopg://{address}") == "given"


def test_a_damaged_entry_is_named(journal, path):
    journal.append(FILL)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE triptych_journal SET body = '{}'")
    connection.close()
    with pytest.raises(JournalError, match="Entry 1 of the journal, a OrderFilled, cannot be read"):
        list(journal.entries())


def test_threads_append_one_after_the_other(journal):
    notes = [NoteWritten(topic=str(i), text="") for i in range(40)]
    threads = [threading.Thread(target=journal.append, args=notes[i::4]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(entry.record.topic) for entry in journal.entries()) == list(range(40))


def test_what_append_returned_from_survives_a_kill(path):
    """A child appends and says each number only after `append` has returned; it is killed in the middle."""
    program = textwrap.dedent(f"""
        from pathlib import Path
        from triptych.live.journal import Journal, NoteWritten
        journal = Journal.open(Path({str(path)!r}), "house", owner="child")
        journal.lease.acquire()
        for i in range(100_000):
            journal.append(NoteWritten(topic=str(i), text="x" * 500))
            print(i, flush=True)
    """)
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    said = [child.stdout.readline() for _ in range(30)]
    os.kill(child.pid, signal.SIGKILL)
    said += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    journal = Journal.open(path, "house", owner="parent")
    journal.lease.acquire()  # at once: its holder is dead
    kept = [int(entry.record.topic) for entry in journal.entries()]
    assert kept == list(range(len(kept)))
    assert len(kept) - len([line for line in said if line.endswith("\n")]) in (0, 1)
    assert journal.lease.token == 2
