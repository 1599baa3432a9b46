"""Journals for people."""

import pytest
import sqlalchemy as sa
from tests.live.journal.conftest import step

from triptych import bootstrap
from triptych.domain.errors import JournalError
from triptych.live.journal import Journal, NoteWritten
from triptych.live.journal.database import entries


@pytest.fixture
def path(tmp_path):
    """A journal of which the oldest entry cannot be decoded: whoever reads all of it finds out."""
    journal = Journal.open(tmp_path / "j.db", "house", owner="test")
    journal.lease.acquire()
    journal.append(NoteWritten(topic="a", text="the first"), step(close_ms=1), step(close_ms=2))
    journal.append(NoteWritten(topic="b", text="100% of 7_x"), NoteWritten(topic="c", text="the last"))
    with journal._database.begin() as connection:
        connection.execute(sa.update(entries).where(entries.c.seq == 1).values(body="damaged"))
    journal.close()
    return tmp_path / "j.db"


def test_the_last_entries_are_read_without_the_others(path):
    assert bootstrap.journal_frame(path, last=2)["seq"].to_list() == [4, 5]
    assert bootstrap.journal_frame(path, kinds=("StepRecorded",), last=1)["seq"].to_list() == [3]
    assert bootstrap.journal_frame(path, kinds=("StepRecorded",))["seq"].to_list() == [2, 3]
    assert bootstrap.journal_frame(path, order_id="100% of 7_x")["seq"].to_list() == [4]
    assert bootstrap.journal_frame(path, order_id="0% of 7yx").is_empty()
    with pytest.raises(JournalError, match="Entry 1 of the journal, a NoteWritten, cannot be read"):
        bootstrap.journal_frame(path)
