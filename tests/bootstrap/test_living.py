import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import nullcontext

import polars as pl
import pytest
from tests.fakes.postgres import postgres_binaries, postgres_server

from triptych import bootstrap
from triptych.domain import OrderFilled
from triptych.domain.errors import ArtifactError, DataError, JournalError, LeaseError, RecipeError
from triptych.live.journal import Journal, StepRecorded
from triptych.settings.live import load_live_settings


def start_of(trained):
    """The first decision of the run's backtest, UTC ms."""
    return int(pl.read_parquet(trained / "predictions.parquet")["time"].cast(pl.Int64).min())


def fills_of(journal):
    return [entry.record for entry in Journal.read(journal, "micro").entries(kinds=(OrderFilled,))]


def trade(trained, tape, journal, settings, **options):
    return bootstrap.trade_on_paper(
        [trained], tape, settings=settings, journal=journal, start_ms=start_of(trained) - 1, **options
    )


def test_paper_trades_what_the_backtest_has_traded(trained, tape, tmp_path, settings):
    said = []
    outcome = trade(trained, tape, tmp_path / "j.db", settings, tell=said.append)
    assert f"Journal: {tmp_path / 'j.db'}, which holds no decision yet." in said
    expected = pl.read_parquet(trained / "backtest" / "fills.parquet").with_columns(pl.col("time").dt.epoch("ms"))
    found = fills_of(tmp_path / "j.db")
    assert [(f.time_ms, str(f.side), float(f.price)) for f in found] == list(
        expected.select("time", "side", "price").iter_rows()
    )
    # A file does not tell the quantity step of 0.01 that the embedded market's instruments have.
    assert [float(f.quantity) for f in found] == pytest.approx(expected["quantity"].to_list(), abs=0.05)
    assert len(found) > 5
    assert outcome.fills == len(found)
    equity = pl.read_parquet(trained / "backtest" / "equity.parquet")["equity"][-1]
    assert outcome.equity == pytest.approx(equity, rel=1e-4)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_a_database_that_is_new_takes_a_journal_and_goes_on_with_it(trained, tape, tmp_path, settings, kind):
    if kind == "postgresql" and postgres_binaries() is None:
        pytest.skip("no PostgreSQL server is installed")
    with postgres_server() if kind == "postgresql" else nullcontext(f"sqlite:///{tmp_path / 'new.db'}") as address:
        url = address.replace("postgresql://", "postgresql+psycopg://", 1)
        assert trade(trained, tape, url, settings).decisions > 0
        said = []
        assert trade(trained, tape, url, settings, tell=said.append).decisions == 0  # the tape has ended there
        assert any("gone on with from the close of" in one for one in said)
        assert any("has decided on this tape to its end" in one for one in said)


def test_a_beginning_after_the_end_of_the_tape_is_refused(trained, tape, tmp_path, settings):
    end = int(bootstrap.load_candles(bootstrap.open_run(trained).recipe).series[0].close_time_ms[-1])
    with pytest.raises(DataError) as refused:
        bootstrap.trade_on_paper([trained], tape, settings=settings, journal=tmp_path / "j.db", start_ms=end + 1)
    assert "the last candle closed at" in str(refused.value)
    assert not (tmp_path / "j.db").exists()


def test_a_session_that_is_killed_goes_on_and_ends_as_one_that_was_not(trained, tape, tmp_path, settings):
    program = session_at(20_000, trained, tape, tmp_path)
    child = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (tmp_path / "j.db").exists() and len(fills_of_a_living(tmp_path / "j.db")) >= 3:
            break
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before, said = len(fills_of(tmp_path / "j.db")), []
    trade(trained, tape, tmp_path / "j.db", settings, tell=said.append)
    assert any(one.startswith(f"Journal: {tmp_path / 'j.db'}, gone on with from the close of ") for one in said)
    trade(trained, tape, tmp_path / "whole.db", settings)
    killed, whole = fills_of(tmp_path / "j.db"), fills_of(tmp_path / "whole.db")
    assert 3 <= before < len(whole)
    # An order under way when the process died is gone with the paper venue; it is asked for again a close later.
    assert abs(len(killed) - len(whole)) <= 2
    held = [sum(float(f.quantity) * f.side.sign for f in fills) for fills in (killed, whole)]
    assert held[0] == pytest.approx(held[1], rel=0.05)
    tokens = [entry.token for entry in Journal.read(tmp_path / "j.db", "micro").entries(kinds=(StepRecorded,))]
    assert sorted(set(tokens)) == [1, 2]


def session_at(speed, trained, tape, tmp_path):
    """A program that trades the tape into j.db."""
    return textwrap.dedent(f"""
        from pathlib import Path
        from triptych import bootstrap
        from triptych.settings.live import load_live_settings
        bootstrap.trade_on_paper(
            [Path({str(trained)!r})], Path({str(tape)!r}), journal=Path({str(tmp_path / "j.db")!r}),
            settings=load_live_settings(overrides=["name=micro", "capital=10000", "model_deadline_seconds=60"]),
            start_ms={start_of(trained) - 1}, speed={speed},
        )
    """)


def test_a_second_process_on_the_same_journal_is_told_who_trades_however_fast_the_tape_plays(
    trained, tape, tmp_path, settings
):
    child = subprocess.Popen([sys.executable, "-c", session_at(3_600, trained, tape, tmp_path)])
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and child.poll() is None:
            if (tmp_path / "j.db").exists() and len(fills_of_a_living(tmp_path / "j.db")) >= 1:
                break
            time.sleep(0.05)
        with pytest.raises(LeaseError, match=f"micro is being traded by triptych on .* .process {child.pid} on "):
            trade(trained, tape, tmp_path / "j.db", settings)
        assert child.poll() is None
        time.sleep(0.2)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def fills_of_a_living(journal):
    try:
        return fills_of(journal)
    except JournalError:  # its tables are being made
        return []


def test_a_stand_in_of_another_timeframe_is_refused(trained, run_folder, tape, tmp_path, settings):
    card = next(run_folder.rglob("card.json"))
    card.write_text(card.read_text().replace('"timeframe": "15m"', '"timeframe": "1h"'))
    with pytest.raises(ArtifactError, match="have different timeframes: 15m, 1h"):
        bootstrap.trade_on_paper([trained, run_folder], tape, settings=settings, journal=tmp_path / "j.db")


def test_a_stand_in_takes_over_when_the_model_fails(trained, tape, tmp_path, settings, monkeypatch):
    from triptych.inference.predictor import OnnxPredictor

    asked = OnnxPredictor.probabilities
    made = []

    def fails(self, windows):
        if self not in made:
            made.append(self)
        if self is made[0]:
            raise RuntimeError("device lost")
        return asked(self, windows)

    shutil.copytree(trained, tmp_path / "small" / "run")
    monkeypatch.setattr(OnnxPredictor, "probabilities", fails)
    bootstrap.trade_on_paper(
        [trained, tmp_path / "small" / "run"], tape, settings=settings, journal=tmp_path / "j.db",
        start_ms=start_of(trained) - 1,
    )  # fmt: skip
    expected = pl.read_parquet(trained / "backtest" / "fills.parquet")
    assert [float(f.price) for f in fills_of(tmp_path / "j.db")] == expected["price"].to_list()


def test_candles_coarser_than_the_model_are_refused(trained, tape, tmp_path, settings):
    coarse = pl.read_parquet(tape).gather_every(8)
    coarse.write_parquet(tmp_path / "coarse.parquet")
    with pytest.raises(DataError, match="candles of 2h are coarser than the model's 15m"):
        bootstrap.trade_on_paper([trained], tmp_path / "coarse.parquet", settings=settings, journal=tmp_path / "j.db")


def test_the_journal_as_a_table(trained, tape, tmp_path, settings):
    trade(trained, tape, tmp_path / "j.db", settings)
    frame = bootstrap.journal_frame(tmp_path / "j.db")
    assert frame["seq"].is_sorted()
    assert {"StepRecorded", "OrderAnswered", "OrderFilled"} <= set(frame["kind"])
    fill = frame.filter(kind="OrderFilled").row(0, named=True)
    told = bootstrap.journal_frame(tmp_path / "j.db", order_id=fill["order_id"])
    assert told["kind"].to_list()[:3] == ["StepRecorded", "OrderAnswered", "OrderFilled"]
    assert " at " in fill["what"]
    newest = bootstrap.journal_frame(tmp_path / "j.db", kinds=("OrderFilled", "OrderAnswered"), last=3)
    assert newest.equals(frame.filter(pl.col("kind").is_in(["OrderFilled", "OrderAnswered"])).tail(3))
    assert bootstrap.journal_frame(tmp_path / "j.db", order_id=fill["order_id"], last=1).equals(told.tail(1))
    for ending in ("csv", "parquet", "json"):
        assert bootstrap.write_journal(told, tmp_path / f"j.{ending}").exists()
    assert pl.read_parquet(tmp_path / "j.parquet").equals(told)
    with pytest.raises(DataError, match="Cannot write a journal to"):
        bootstrap.write_journal(told, tmp_path / "j.txt")


def test_live_settings_are_read_and_mistakes_are_named(tmp_path):
    path = tmp_path / "live.toml"
    path.write_text('name = "house"\n[gate]\nmax_order_quote = 200\n')
    settings = load_live_settings(path, ["gate.max_orders_per_minute=3"])
    assert (settings.name, settings.gate.max_order_quote, settings.gate.max_orders_per_minute) == ("house", 200, 3)
    with pytest.raises(RecipeError) as caught:
        load_live_settings(path, ["gate.max_order=3"])
    assert str(caught.value) == (
        f"{path}: Unknown key 'gate.max_order'. Did you mean 'max_order_quote'? "
        "See the reference of live settings in the documentation for every key."
    )
    path.write_text("name = ")
    with pytest.raises(RecipeError, match="cannot be read as live settings"):
        load_live_settings(path)
