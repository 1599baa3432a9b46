"""The rows of the fault table that are about the journal: a whole house over real sockets."""

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.live.wired import BTC, full_disk, play

from triptych.live.journal import StepRecorded


async def nothing_is_opened_and_all_may_be_closed(scene, fault, *, needs_renewal=True):
    """Hold a position, let the fault happen, turn around: the old side is closed, the new one is not opened."""
    scene.wish.says = 1
    await scene.close(2)
    assert scene.held()[1] > 0
    with fault:
        scene.wish.says = -1
        await scene.close(1)
        await scene.close(3)
        assert scene.held() == (0, 0)
        assert not scene.trader.books.has_journal
        assert scene.trader.reasons()["journal"] == "it cannot be written"
        assert len(scene.sent()) == 2  # the entry, and what closed it
        assert "journal" in {topic for _, topic, _, _ in scene.house.said}
        await asyncio.sleep(0.9)  # the lease is due to be renewed: that must not end the house
        cannot = [text for text in scene.told("journal") if text.startswith("the lease cannot be renewed")]
    await scene.close(3)
    ours, theirs = scene.held()
    assert ours == theirs < 0
    assert scene.trader.reasons() == {}
    # A lease is renewed in its place: it fits into a database that must not grow, not on a disk that is full.
    assert bool(cannot) is needs_renewal
    # What happened meanwhile stands in the journal after all.
    booked = {e.record.fill_id for e in scene.house.journal.entries() if type(e.record).__name__ == "OrderFilled"}
    assert booked == {row["execId"] for row in scene.server.desk.executions}


def test_an_order_whose_record_took_too_long_is_not_sent(tmp_path):
    """It stands in the journal before it is sent, however long that takes; by then its price is another."""

    async def act(scene):
        journal, append = scene.house.journal, scene.house.journal.append

        def slow(*records):
            if any(isinstance(one, StepRecorded) and one.commands for one in records):
                time.sleep(0.4)  # sent within 0.3 s, or not at all
            return append(*records)

        journal.append = slow
        scene.wish.says = 1
        await scene.close(1)
        assert scene.answers() == ["rejected"]
        assert scene.sent() == []
        assert re.fullmatch(r"order \S+ was refused: too late to send: \d\.\d s", scene.told("rejected")[0])
        journal.append = append
        await scene.close(2)
        ours, theirs = scene.held()
        assert ours == theirs > 0
        assert scene.answers() == ["rejected", "accepted"]
        assert scene.trader.reasons() == {}

    play(tmp_path, act)


def test_disk_full(tmp_path):
    async def act(scene):
        await nothing_is_opened_and_all_may_be_closed(scene, full_disk(scene.house.journal), needs_renewal=False)

    play(tmp_path, act)


def test_database_locked_by_a_second_writer(tmp_path, monkeypatch):
    monkeypatch.setattr("triptych.live.journal.database.BUSY_MS", 50)

    class Locked:
        """Another program writes and does not come to an end."""

        def __enter__(self):
            self.connection = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
            self.connection.execute("BEGIN IMMEDIATE")

        def __exit__(self, *details):
            self.connection.execute("ROLLBACK")
            self.connection.close()

    async def act(scene):
        await nothing_is_opened_and_all_may_be_closed(scene, Locked())

    play(tmp_path, act)


def test_without_journal_and_lease_nothing_is_sent_at_all(tmp_path, monkeypatch):
    """A database that cannot even be asked: the lease may have gone to another, whose position it is."""
    monkeypatch.setattr("triptych.live.journal.database.BUSY_MS", 20)

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        held = scene.held()
        with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            scene.house.journal.lease._renewed_s -= 60.0  # as if the trouble had lasted for a minute
            scene.wish.says = -1
            await scene.close(2)
            assert scene.held() == held
            assert "nobody can tell who holds the lease: nothing is sent" in scene.told("journal")
            other.execute("ROLLBACK")
        await scene.close(4)
        ours, theirs = scene.held()
        assert ours == theirs < 0

    play(tmp_path, act)


def test_reading_the_journal_does_not_stop_the_writer(tmp_path):
    """WAL: whoever looks holds no lock that a decision would wait for."""

    async def act(scene):
        with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM triptych_journal").fetchone()
            scene.wish.says = 1
            await scene.close(3)
            assert scene.trader.reasons() == {}
            assert len(list(scene.house.journal.entries(kinds=(StepRecorded,)))) == 4

    play(tmp_path, act)


def can_mount():
    """Whether this machine lets us have a small file system of our own."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    test = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


PROGRAM = """
import sys
from pathlib import Path
from tests.live.test_faults_of_the_journal import nothing_is_opened_and_all_may_be_closed
from tests.live.wired import play

place = Path(sys.argv[1])

class Filled:
    def __enter__(self):
        self.path = place / "filler"
        with self.path.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def __exit__(self, *details):
        self.path.unlink()

async def act(scene):
    await nothing_is_opened_and_all_may_be_closed(scene, Filled())

play(place, act)
print("as promised")
"""


@pytest.mark.skipif(not can_mount(), reason="no private mounts on this machine; a full disk is imitated above")
def test_disk_full_on_a_small_file_system(tmp_path):
    """A tmpfs of 2 MB, filled to the last byte while the house holds a position."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    small = tmp_path / "small"
    small.mkdir()
    inside = f'mount -t tmpfs -o size=2m none "{small}" && exec "{sys.executable}" "{script}" "{small}"'
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside], capture_output=True, text=True,
        timeout=200, cwd=root, env=os.environ | {"PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.endswith("as promised\n")
    assert BTC == "BTCUSDT"
