import os
import signal

import pytest


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
