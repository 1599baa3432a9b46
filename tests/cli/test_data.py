import json

import polars as pl
import pytest

from triptych.market import read_candles


@pytest.fixture
def market(tmp_path, run_command):
    path = tmp_path / "market.parquet"
    said = run_command("data", "synth", "--out", path, "--candles", 200, "--instruments", 2, "--seed", 7)
    assert (said.status, said.err) == (0, "")
    assert said.out == f"400 candles of ALFA-USDT, BRAVO-USDT: {path}\n"
    return path


def test_invent_import_check_and_list(tmp_path, run_command, market):
    store = tmp_path / "store"
    first = run_command("data", "import", market, "--store", store, "--venue", "lab", "--json")
    rows = json.loads(first.out)["imported"]
    assert [(row["symbol"], row["new"], row["same"]) for row in rows] == [("ALFA-USDT", 200, 0), ("BRAVO-USDT", 200, 0)]
    assert (rows[0]["first"], rows[0]["last"]) == ("2024-01-01 00:00:00", "2024-01-03 01:45:00")
    files = {path: path.read_bytes() for path in store.rglob("*.parquet")}

    again = run_command("data", "import", market, "--store", store, "--venue", "lab", "--json")
    assert [(row["new"], row["changed"], row["same"]) for row in json.loads(again.out)["imported"]] == [(0, 0, 200)] * 2
    assert {path: path.read_bytes() for path in store.rglob("*.parquet")} == files

    checked = run_command("data", "check", market, "--json")
    assert checked.status == 0
    assert [one["symbol"] for one in json.loads(checked.out)["instruments"]] == ["ALFA-USDT", "BRAVO-USDT"]

    listed = json.loads(run_command("data", "list", "--store", store, "--json").out)
    assert [(row["venue"], row["symbol"], row["timeframe"], row["rows"]) for row in listed] == [
        ("lab", "ALFA-USDT", "15m", 200), ("lab", "BRAVO-USDT", "15m", 200),
    ]  # fmt: skip
    assert listed[0]["first"] == "2024-01-01 00:00:00"


def test_the_same_for_people(tmp_path, run_command, market):
    store = tmp_path / "store"
    said = run_command("data", "import", market, "--store", store)
    assert said.out.splitlines()[0] == (
        "local ALFA-USDT 15m: 200 candles, 2024-01-01 00:00:00 to 2024-01-03 01:45:00 UTC; 200 new, 0 replaced, "
        "0 the same, 0 kept as stored."
    )
    listed = run_command("data", "list", "--store", store)
    assert "ALFA-USDT" in listed.out
    assert "BRAVO-USDT" in listed.out
    checked = run_command("data", "check", market)
    assert (checked.status, checked.err) == (0, "")
    assert "ALFA-USDT 15m, 200 candles: good." in checked.out


def test_an_empty_store_says_how_to_fill_it(tmp_path, run_command):
    said = run_command("data", "list", "--store", tmp_path / "none")
    assert said.out == f"The store {tmp_path / 'none'} is empty. Fill it with: triptych data import FILE\n"
    assert json.loads(run_command("data", "list", "--store", tmp_path / "none", "--json").out) == []


def test_the_same_seed_invents_the_same_market(tmp_path, run_command):
    for name in ("a.csv", "b.csv"):
        run_command("data", "synth", "--out", tmp_path / name, "--candles", 50, "--instruments", 1)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert len(read_candles(tmp_path / "a.csv").one()) == 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "a.xlsx"), "Cannot write candles to a.xlsx. What to do: Choose a name ending in .parquet or .csv."),
        (("--out", "a.csv", "--timeframe", "abc"), "The market cannot be made: Unknown timeframe 'abc'."),
    ],
)
def test_a_market_that_cannot_be_made_leaves_nothing(tmp_path, run_command, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    said = run_command("data", "synth", *arguments)
    assert (said.status, said.out) == (2, "")
    assert said.error.startswith(f"Error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_a_stored_candle_stays_unless_it_is_to_be_replaced(tmp_path, run_command, market):
    store, changed = tmp_path / "store", tmp_path / "changed.parquet"
    run_command("data", "import", market, "--store", store)
    pl.read_parquet(market).with_columns(volume=pl.lit(5.0)).write_parquet(changed)
    kept = run_command("data", "import", changed, "--store", store, "--symbol", "ALFA-USDT", "--json")
    assert [(row["changed"], row["kept"]) for row in json.loads(kept.out)["imported"]] == [(0, 200)]
    replaced = run_command("data", "import", changed, "--store", store, "--symbol", "ALFA-USDT", "--replace", "--json")
    assert [(row["changed"], row["kept"]) for row in json.loads(replaced.out)["imported"]] == [(200, 0)]


def test_check_ends_with_status_1_when_an_import_would_refuse_the_file(tmp_path, run_command):
    path = tmp_path / "bad_15m.csv"
    path.write_text(
        "timestamp,open,high,low,close,volume\n"
        + "".join(f"2024-01-01 {i // 4:02d}:{15 * (i % 4):02d},10,12,9,11,5\n" for i in range(30))
        + "2024-01-01 07:30,10,8,9,11,5\n"
    )
    said = run_command("data", "check", path, "--json", "--out", tmp_path / "report.json")
    content = json.loads(said.out)
    assert said.status == 1
    assert content == json.loads((tmp_path / "report.json").read_text())
    assert content["instruments"][0]["severity"] == "error"
    assert run_command("data", "check", path).status == 1
    refused = run_command("data", "import", path, "--store", tmp_path / "store")
    assert refused.status == 2
    assert not (tmp_path / "store").exists()


def test_columns_can_be_named(tmp_path, run_command, market):
    path = tmp_path / "odd.csv"
    pl.read_parquet(market).filter(symbol="ALFA-USDT").rename({"close": "letzter"}).write_csv(path)
    assert run_command("data", "check", path).status == 2
    assert run_command("data", "check", path, "--column", "close=letzter").status == 0
    said = run_command("data", "check", path, "--column", "close")
    assert said.status == 2
    assert said.error == "Error: Cannot read --column 'close'. What to do: Write it as role=name: close=Last."


def test_check_says_why_a_timeframe_cannot_be_told(tmp_path, run_command):
    path = tmp_path / "months.csv"
    months = [f"2021-{month:02}-01,1,2,1,2,5" for month in range(1, 13)]
    path.write_text("time,open,high,low,close,volume\n" + "\n".join(months) + "\n", encoding="utf-8")
    checked = run_command("data", "check", path)
    assert checked.status != 0
    assert " ".join(checked.err.split()) == (
        "Error: months.csv: the candles are 31 days apart; months and quarters have no fixed length. "
        "What to do: Bring weekly candles or shorter ones."
    )


def test_a_file_without_candles_does_not_pass_the_check(tmp_path, run_command):
    path = tmp_path / "none.csv"
    path.write_text("time,open,high,low,close,volume\n", encoding="utf-8")
    checked = run_command("data", "check", path)
    assert checked.status == 2
    assert "none.csv: there are no candles in it." in " ".join(checked.err.split())
