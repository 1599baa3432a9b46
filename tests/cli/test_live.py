import os
import signal
from pathlib import Path

import pytest
from rich.console import Console

from triptych.cli import console


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_reload_asked_for_before_the_session_runs_ends_nothing(run_command, tmp_path):
    """The documented ExecReload, sent to a house that is starting or standing by."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        said = run_command("live", tmp_path / "run", "--venue", "paper")
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert said.status == 2
    assert "Paper trading needs a tape." in said.err


def test_an_error_stream_that_cannot_be_written_stops_no_work(monkeypatch):
    with Path("/dev/full").open("wb", buffering=0) as full:
        stream = open(full.fileno(), "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        monkeypatch.setattr(console, "progress", Console(file=stream))
        console.Narrator()("the venue answers again")
        with pytest.raises(OSError, match="No space left"):
            stream.close()
