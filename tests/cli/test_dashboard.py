import os
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.cli.opening import control_of, metrics_of
from triptych.domain.errors import RecipeError

RUNS = Path("runs")
TOKEN = "sixteen-letters-or-more"


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    for name in ("TRIPTYCH_TOKEN", "TRIPTYCH_METRICS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--listen", "0.0.0.0:8080"), "0.0.0.0 can be reached from other machines, and there is no token."),
        (("--session", "http://127.0.0.1:9100"), "A session is asked with its token, and there is none."),
        (("--session", "http://127.0.0.1:9100", "--journal", "x.db"), "A session brings its own journal."),
        (("--journal", "nowhere.db"), "There is no journal nowhere.db."),
        (("--listen", "here"), "'here' is no address to listen on."),
    ],
)
def test_mistakes_are_named_before_anything_is_served(triptych, arguments, words):
    said = triptych("dashboard", *arguments)
    assert said.status == 2
    assert words in said.error


def test_a_token_that_would_travel_readable_is_not_sent(triptych, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_TOKEN", TOKEN)
    said = triptych("dashboard", "--session", "http://house.example:9100")
    assert said.status == 2
    assert "http://house.example:9100 would carry the token readable over a network." in said.error
    assert TOKEN not in said.error


def test_a_session_is_not_opened_unless_it_is_asked_for():
    assert control_of(None, None, runs=RUNS) is None


def test_a_session_makes_a_token_of_its_own_and_tells_it_to_whoever_started_it(capsys):
    control = control_of(None, "0", runs=RUNS)
    assert (control.host, control.port, len(control.token)) == ("127.0.0.1", 0, 24)
    assert capsys.readouterr().err.strip() == f"Token of this session: {control.token}"
    assert control.token not in repr(control)


def test_a_token_that_was_given_is_not_told(monkeypatch, capsys):
    monkeypatch.setenv("TRIPTYCH_TOKEN", TOKEN)
    control = control_of("0.0.0.0:9100", None, runs=RUNS)
    assert (control.host, control.port, control.token) == ("0.0.0.0", 9100, TOKEN)
    assert TOKEN not in "".join(capsys.readouterr())


@pytest.mark.parametrize(("control", "dashboard"), [("0.0.0.0:9100", None), (None, "0.0.0.0:8080")])
def test_others_are_let_in_only_by_a_token_that_somebody_chose(control, dashboard):
    with pytest.raises(RecipeError, match="can be reached from other machines, and there is no token"):
        control_of(control, dashboard, runs=RUNS)


def test_metrics_that_others_can_reach_take_a_token_which_is_not_that_of_the_kill_switch(triptych, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_TOKEN", TOKEN)
    words = "there is no token. What to do: Set TRIPTYCH_METRICS_TOKEN to 16 characters or more,"
    for command in (("live", "runs/none", "--tape", "t.csv"), ("data", "record", "BTCUSDT", "--to", "tape")):
        said = triptych(*command, "--metrics", "0.0.0.0:9000")
        assert said.status == 2
        assert words in said.error
    assert (metrics_of(None), metrics_of("9000")) == (None, ("127.0.0.1", 9000))
    monkeypatch.setenv("TRIPTYCH_METRICS_TOKEN", "another-one-for-metrics")
    assert metrics_of("0.0.0.0:9000") == ("0.0.0.0", 9000)


def test_a_dashboard_ends_with_the_process_that_started_it(tmp_path):
    """Its standard input closes when that process dies, however it dies."""
    program = "from triptych.cli import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", program, "dashboard", "--listen", "0", "--runs", str(tmp_path),
         "--until-stdin-closes"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
    )  # fmt: skip
    assert child.stdout.readline().startswith("Dashboard: http://127.0.0.1:")
    said, trouble = child.communicate(timeout=200)
    assert (child.returncode, said, trouble) == (0, "", "")
