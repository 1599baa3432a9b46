"""A PostgreSQL server that has stopped, with a real one: nobody waits for it longer than a moment."""

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fakes.postgres import postgres_binaries, postgres_server
from tests.live.journal.test_records import FILL

from triptych.domain.errors import JournalError
from triptych.live.journal import Journal

pytestmark = pytest.mark.skipif(postgres_binaries() is None, reason="no PostgreSQL server is installed")


def processes(home):
    """The server in this folder and its children."""
    root = int((Path(home) / "data" / "postmaster.pid").read_text().split()[0])
    told = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in told.splitlines()[1:]]
    return [root, *(int(pid) for pid, parent in rows if int(parent) == root)]


@contextmanager
def stopped(url):
    """The server stands still, as on a frozen machine: its connections stay, and nothing is answered."""
    pids = processes(url.split("host=")[1])
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def url():
    with postgres_server() as address:
        yield address.replace("postgresql://", "postgresql+psycopg://", 1)


def test_a_server_that_stands_still_is_given_up_and_works_again_afterwards(url, monkeypatch):
    monkeypatch.setattr("triptych.live.journal.bounded.REST_S", 60.0)
    journal = Journal.open(url, "house", owner="one", lease_ms=3_000)
    journal.lease.acquire()
    with stopped(url):
        started = time.monotonic()
        with pytest.raises(JournalError) as caught:
            journal.append(FILL)
        assert time.monotonic() - started < 10
        assert caught.value.message.startswith("The journal cannot be written: the server did not answer")
        started = time.monotonic()
        for _ in range(20):
            with pytest.raises(JournalError, match="is not asked for a few seconds"):
                journal.append(FILL)
            assert journal.lease.is_surely_ours() is (time.monotonic() - journal.lease._renewed_s < 3)
        assert time.monotonic() - started < 5
    monkeypatch.setattr("triptych.live.journal.bounded.time", Later())
    assert journal.append(FILL) == (True,)
    assert journal.append(FILL) == (False,)
    journal.close()


class Later:
    """A clock that is a day ahead."""

    def monotonic(self):
        return time.monotonic() + 86_400


def test_the_server_gives_up_what_takes_too_long_as_well(url):
    journal = Journal.open(url, "limits", owner="one", lease_ms=4_000)
    with journal._database.connect() as connection:
        for name, value in (
            ("statement_timeout", "1s"), ("lock_timeout", "1s"), ("idle_in_transaction_session_timeout", "3s"),
        ):  # fmt: skip
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == value
    journal.close()
