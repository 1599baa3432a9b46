"""What people read."""

import subprocess
import sys

import pytest
from tests.fakes.micro import MICRO

from triptych.bootstrap import probing
from triptych.market import synthetic, to_panel


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "micro.toml").write_text(MICRO)
    return tmp_path / "micro.toml"


def test_train_ends_with_metrics_the_run_and_the_next_command(run_command, run_folder, recipe):
    said = run_command("train", recipe, "--out", run_folder)
    assert said.status == 0
    assert "is complete already" in said.error
    assert "Out of sample: 131 windows" in said.out
    assert said.out.endswith(f"Run: {run_folder}\nNext: triptych backtest {run_folder}\n")


def test_quiet_says_nothing_on_the_way(run_command, run_folder, recipe):
    said = run_command("train", recipe, "--out", run_folder, "--quiet")
    assert said.err == ""
    assert "Out of sample" in said.out


def test_evaluate_shows_the_baselines_beside_the_model(run_command, trained):
    said = run_command("evaluate", trained)
    assert (said.status, said.err) == (0, "")
    for word in ("MCC", "majority", "persistence", "logistic", "95 % interval"):
        assert word in said.out


def test_backtest_shows_figures_and_verdict(run_command, run_folder):
    said = run_command("backtest", run_folder)
    for words in ("after all costs", "buy and hold", "Deflated Sharpe", "Trials on these candles"):
        assert words in said.out
    assert said.out.endswith(f"Next: triptych report {run_folder}\n")


def test_report_says_where_it_is(run_command, run_folder):
    said = run_command("report", run_folder)
    assert said.out.endswith(f"Report: {run_folder / 'report.html'}\n")


def test_predict_shows_the_last_predictions_and_can_write_them(run_command, trained, tmp_path):
    to_panel(synthetic.synthesise(synthetic.Config(n_candles=60, instruments=1)).series).write_parquet(
        tmp_path / "d.pq"
    )
    shown = run_command("predict", trained, "--data", tmp_path / "d.pq")
    assert "45 predictions, the last 20" in shown.out
    written = run_command("predict", trained, "--data", tmp_path / "d.pq", "--out", tmp_path / "p.csv")
    where, note = written.out.splitlines()
    assert where == f"45 predictions: {tmp_path / 'p.csv'}"
    assert note.startswith("Note: The model has learned from candles of this time: all of the 45 predictions, until ")
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 46


def test_leak_probe_ends_with_status_1_when_something_peeks(run_command, recipe, monkeypatch):
    honest = run_command("leak-probe", recipe, "--cuts", 2, "-q")
    assert (honest.status, honest.err) == (0, "")
    assert honest.out.endswith("No peeking found: 5 probes agree at 2 cuts of each history.\n")
    monkeypatch.setattr(probing, "thresholds", lambda series, _: (series.close * len(series),) * 2)
    peeking = run_command("leak-probe", recipe, "--cuts", 2, "-q")
    assert peeking.status == 1
    assert "PEEKS" in peeking.out
    assert "label thresholds of ALFA-USDT changed when the future was taken away." in " ".join(peeking.out.split())


INTERRUPTED = """
import os, signal, time
import triptych.market
from triptych.cli import main

def wait(_):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)

triptych.market.CandleStore = wait
main(["data", "list"])
"""


def test_ctrl_c_says_that_nothing_is_lost():
    said = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=240)
    assert said.returncode == 130
    assert said.stdout == ""
    assert (
        said.stderr
        == "\nStopped. The same command goes on: a training from its last checkpoint, a session from its journal.\n"
    )


@pytest.mark.parametrize("name", ["micro[bold]", "run[1]*"])
def test_names_with_brackets_are_shown_as_they_are(run_command, run_folder, name):
    odd = run_folder.rename(run_folder.with_name(name))
    said = run_command("report", odd)
    assert said.status == 0
    assert said.out.endswith(f"Report: {odd / 'report.html'}\n")
    assert "holds no run" not in said.err
    missing = run_command("backtest", f"{odd}x")
    assert missing.error.startswith(f"Error: {odd}x holds no run.")
