import json

import numpy as np
import polars as pl
import pytest
from tests.fakes.books import leaning_file

from triptych.market.books import read_books, read_trades, write_tape
from triptych.market.books.walls import Config as WallsConfig
from triptych.market.books.walls import find_walls
from triptych.market.synthetic.spoofing import Config, simulate_spoofing

TINY = [
    "data.levels=3", "length=20", "target.horizon=10", "data.stride=4", "encoding.levels=3", "model.levels=3",
    "model.width=0.125", "training.epochs=1", "training.batch_size=32", "training.num_threads=1",
    "scoring.resamples=100",
]  # fmt: skip


@pytest.fixture
def books(tmp_path):
    return leaning_file(tmp_path, n=900)


def test_a_network_is_trained_and_reported(run_command, books, tmp_path):
    sets = [part for one in TINY for part in ("--set", one)]
    said = run_command("books", "train", "deeplob", "--data", books, "--out", tmp_path / "run", "--quiet", *sets)
    assert said.status == 0, said.err
    assert "queue imbalance" in said.out
    assert "majority" in said.out
    report = json.loads(run_command("books", "report", tmp_path / "run", "--json").out)
    assert report["scores"]["only_class"]["majority"] + " only" in " ".join(said.out.split())
    assert "averaged by their rows" in " ".join(said.out.split())
    assert report["verdict"] in " ".join(said.out.split())
    assert run_command("books", "report", tmp_path / "run", "--out", tmp_path / "scores.png").status == 0
    assert (tmp_path / "scores.png").exists()
    assert set(report["scores"]["metrics"]) == {"network", "queue imbalance", "majority"}


def test_a_run_that_an_earlier_version_judged_over_all_folds_is_told_of(run_command, tmp_path):
    scores = {"samples": 9, "independent": 3, "metrics": {}, "lift": {}}
    result = {"fingerprint": "x", "scores": scores, "verdict": "None.", "data": [{"symbol": "A"}], "splits": [{}, {}]}
    for folds, warned in (([{}, {}], True), ([{}], False)):
        (tmp_path / "books.json").write_text(json.dumps({**result, "splits": folds}))
        said = run_command("books", "report", tmp_path)
        assert said.status == 0, said.err
        assert ("An earlier version judged this run" in said.err) is warned


def test_invented_books_are_written_by_their_seed(run_command, tmp_path):
    files = [tmp_path / name for name in ("a.parquet", "b.parquet", "c.parquet")]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        said = run_command("books", "invent", "--out", file, "--rows", 300, "--levels", 4, "--seed", seed)
        assert said.status == 0, said.err
    tapes = [read_books(file) for file in files]
    assert (len(tapes[0]), tapes[0].levels) == (300, 4)
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def test_recipes_are_listed_and_printed(run_command):
    assert run_command("books", "recipe").out.split() == ["deeplob", "fi2010", "heatmap"]
    assert 'name = "deeplob"' in run_command("books", "recipe", "deeplob").out


def test_a_folder_without_a_run_ends_with_status_2(run_command, tmp_path):
    assert run_command("books", "report", tmp_path).status == 2


def test_walls_and_alarms_of_a_file(run_command, tmp_path):
    made = simulate_spoofing(Config(episodes=6, seed=2, large=12.0, lure=6.0))
    file = write_tape(tmp_path / "books.parquet", made.tape)
    walls = run_command("books", "walls", file, "--multiple", "4", "--rows", "5", "--json")
    rows = json.loads(walls.out)
    assert rows
    assert {"price", "side", "size", "rows_stood", "ending", "seen_at"} <= set(rows[0])
    drawn = run_command("books", "walls", file, "--multiple", "4", "--out", tmp_path / "walls.png")
    assert drawn.status == 0
    assert (tmp_path / "walls.png").exists()
    said = run_command("books", "spoofing", file)
    assert said.status == 2
    assert "Spoofing cannot be told without trades." in said.err


def test_a_longer_step_is_taken_of_a_sampled_file_and_a_finer_one_refused(run_command, books):
    rows = len(read_books(books))
    for command in (("walls",), ("impact", "--rows", "2")):
        said = run_command("books", command[0], books, "--every-ms", "200", *command[1:])
        assert said.status == 0, said.err
        assert f"{rows // 2} books" in said.out
        refused = run_command("books", command[0], books, "--every-ms", "150", *command[1:])
        assert refused.status == 2
        assert "the books are 100 ms apart already and cannot be taken every 150 ms." in " ".join(refused.err.split())


def test_impact_of_a_file(run_command, books):
    found = json.loads(run_command("books", "impact", books, "--rows", "5", "--json").out)
    assert [one["name"] for one in found["walk"]] == ["free power", "square root", "line"]
    assert len(found["flow"]) == 3
    assert "R2 out of sample" in run_command("books", "impact", books, "--rows", "5").out


def test_impact_with_trades_says_what_to_set(run_command, tmp_path):
    made = simulate_spoofing(Config(episodes=6, seed=2))
    file = write_tape(tmp_path / "SPOOF.parquet", made.tape)
    pl.DataFrame(
        {
            "timestamp": pl.Series(made.trades.time_ms).cast(pl.Datetime("ms")), "price": made.trades.price,
            "size": made.trades.size, "side": made.trades.side.astype(np.int64),
        }
    ).write_parquet(tmp_path / "trades.parquet")  # fmt: skip
    asked = ("books", "impact", file, "--trades", tmp_path / "trades.parquet", "--symbol", "SPOOF", "--timeframe", "5s")
    said = run_command(*asked)
    assert said.status == 0, said.err
    costs = json.loads(run_command(*asked, "--json").out)["costs"]
    words = " ".join(said.out.split())
    half, impact = costs["half_spread_bp"]["value"], costs["impact"]["value"]
    assert f"--set costs.half_spread_bp={half:.3g} --set costs.impact={impact:.3g}" in words
    assert f"From {costs['candles']} candles of 5s, 95 %" in words
    assert f"costs.slippage_bp comes on top: 1 bp unless a recipe says otherwise, {1 / half:,.0f} times" in words
    # Candles too long for the recording cost the line of costs, and nothing that needs no candles.
    long = run_command(*asked[:-1], "15m")
    assert long.status == 0
    assert "What to set costs to is not told. " in " ".join(long.err.split())
    assert "R2 out of sample" in long.out
    assert "For the simulated exchange" not in long.out
    content = json.loads(run_command(*asked[:-1], "15m", "--json").out)
    assert content["costs"] is None
    assert len(content["walk"]) == len(content["flow"]) == 3
    assert run_command(*asked[:-1], "5 bananas").status == 2


def test_the_rule_is_tried_on_simulated_books(run_command):
    trials = json.loads(run_command("books", "spoofing", "--json", "--seed", "4", "--streams", "1").out)
    assert [one["threshold"] for one in trials] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    for one in trials:
        assert 0 <= one["recall"]["low"] <= one["recall"]["value"] <= one["recall"]["high"] <= 1
    seen = json.loads(run_command("books", "spoofing", "--json", "--seed", "4", "--streams", "1", "--own", "0").out)
    assert [one["planted"] for one in seen] == [one["planted"] for one in trials]
    assert seen != trials


def parquet_trades(path, made, *, start=0, stop=None, price=1.0):
    """The trades of a simulated stream, or a part of them, as a file."""
    one = made.trades
    columns = {"price": one.price * price, "size": one.size, "side": one.side.astype(np.int64), "time_ms": one.time_ms}
    pl.DataFrame({name: values[start:stop] for name, values in columns.items()}).write_parquet(path)
    return path


@pytest.mark.parametrize("command", ["walls", "spoofing"])
def test_trades_of_another_instrument_or_time_are_refused(run_command, tmp_path, command):
    made = simulate_spoofing(Config(episodes=6, seed=2))
    books = write_tape(tmp_path / "books.parquet", made.tape)
    foreign = parquet_trades(tmp_path / "binance_ETHUSDT_trades.parquet", made)
    said = run_command("books", command, books, "--trades", foreign)
    assert said.status == 2
    assert "The order books are of SPOOF, and the trades of ETHUSDT." in " ".join(said.err.split())
    dear = parquet_trades(tmp_path / "SPOOF_trades.parquet", made, price=18.0)
    said = run_command("books", command, books, "--trades", dear)
    assert said.status == 2
    assert "SPOOF: the mid of the order books lies 94% from the price of the trades" in " ".join(said.err.split())
    late = made.trades.time_ms + 86_400_000
    pl.read_parquet(parquet_trades(tmp_path / "a.parquet", made)).with_columns(time_ms=late).write_parquet(dear)
    said = run_command("books", command, books, "--trades", dear)
    assert said.status == 2
    assert "SPOOF: no trade falls into the time of the order books" in " ".join(said.err.split())


def test_what_both_files_are_of_may_be_said_and_books_without_trades_are_left_out(run_command, tmp_path):
    made = simulate_spoofing(Config(episodes=6, seed=2))
    books = write_tape(tmp_path / "books.parquet", made.tape)
    half = parquet_trades(tmp_path / "half.parquet", made, stop=len(made.trades) // 2)
    assert run_command("books", "walls", books, "--trades", half).status == 2  # "half" is no instrument
    said = run_command("books", "walls", books, "--trades", half, "--symbol", "SPOOF", "--multiple", "4", "--json")
    assert said.status == 0
    kept = int(np.searchsorted(made.tape.time_ms, made.trades.time_ms[len(made.trades) // 2 - 1], side="right"))
    words = f"of the {len(made.tape):,} books, the {len(made.tape) - kept:,} of which no trade is told are left out."
    assert words in " ".join(said.err.split())
    wanted = find_walls(made.tape.between(0, kept), WallsConfig(multiple=4.0), trades=read_trades(half, symbol="SPOOF"))
    found = [(one["price"], one["first"], one["ending"]) for one in json.loads(said.out)]
    assert found == [(one.price, one.first, one.ending) for one in wanted if one.rows >= 10]
    assert found
