import json
import shutil

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.domain.errors import ArtifactError, DataError, RecipeError, RunError
from triptych.domain.files import write_text


def test_the_backtest_is_written_beside_the_run(trained):
    judged = json.loads((trained / "backtest" / "backtest.json").read_text())
    assert set(judged) == {"performance", "luck", "verdict", "overrides", "trials", "counted", "held_back"}
    assert judged["performance"]["trades"]["count"] == len(pl.read_parquet(trained / "backtest" / "trades.parquet"))
    equity = pl.read_parquet(trained / "backtest" / "equity.parquet")
    predictions = pl.read_parquet(trained / "predictions.parquet")
    assert equity["time"].equals(predictions["time"])
    total = equity["equity"][-1] / 10_000 - 1
    assert judged["performance"]["strategy"]["total_return"] == pytest.approx(total)


def test_decisions_follow_the_recorded_predictions_by_the_thresholds_of_the_recipe(trained):
    decisions = pl.read_parquet(trained / "backtest" / "decisions.parquet")
    predictions = pl.read_parquet(trained / "predictions.parquet")[:-1]  # at the last close nothing is decided
    np.testing.assert_array_equal(decisions["probability_buy"], predictions["probability_buy"])
    target = 0.0
    for sell, buy, wanted in decisions.select("probability_sell", "probability_buy", "target").iter_rows():
        if max(sell, buy) >= 0.34 and sell != buy:
            target = 1.0 if buy > sell else -1.0
        elif (buy if target > 0 else sell) < 0.3:
            target = 0.0
        assert wanted == target


def test_the_same_backtest_again_is_the_same_and_no_new_trial(run_folder):
    before = {path.name: path.read_bytes() for path in (run_folder / "backtest").iterdir()}
    bootstrap.backtest(open_run(run_folder))
    assert {path.name: path.read_bytes() for path in (run_folder / "backtest").iterdir()} == before


def test_overrides_count_as_trials_once_each(run_folder):
    run = open_run(run_folder)
    judged = bootstrap.backtest(run, overrides=["strategy.enter=0.4"])
    assert (judged["trials"], judged["overrides"]) == (2, ["strategy.enter=0.4"])
    assert bootstrap.backtest(run, overrides=["costs.taker_fee=0.001"])["trials"] == 3
    assert bootstrap.backtest(run, overrides=["strategy.enter = 0.40"])["trials"] == 3  # the same, written otherwise
    assert bootstrap.backtest(run, overrides=["strategy.enter=0.34"])["trials"] == 3  # what the recipe says anyway
    assert bootstrap.backtest(run)["trials"] == 3  # the first knows of the later ones
    assert bootstrap.backtest(run, overrides=["backtest.luck.trials=50"])["trials"] == 50
    assert bootstrap.backtest(run)["trials"] == 3  # to be judged more strictly is no trial


def test_a_run_that_is_moved_keeps_its_count(run_folder, tmp_path):
    bootstrap.backtest(open_run(run_folder), overrides=["strategy.enter=0.4"])
    moved = tmp_path / "elsewhere" / "run"
    shutil.copytree(run_folder, moved)
    told = []
    judged = bootstrap.backtest(open_run(moved), overrides=["backtest.luck.trials=9"], tell=told.append)
    ledger = moved.parent / "trials.json"
    assert told[-1] == (
        f"The ledger {ledger} knows of 1 trials on these candles, the run of 2: one of them was moved. 2 count."
    )
    assert (judged["counted"], judged["trials"]) == (2, 9)
    assert bootstrap.backtest(open_run(moved))["trials"] == 2


def test_a_backtest_without_trades_says_how_far_away_they_were(run_folder):
    judged = bootstrap.backtest(open_run(run_folder), overrides=["strategy.enter=1", "strategy.exit=1"])
    sell, hold, buy = (
        pl.read_parquet(run_folder / "backtest" / "decisions.parquet")[f"probability_{name}"].to_numpy()
        for name in ("sell", "hold", "buy")
    )
    largest, holds = max(sell.max(), buy.max()), np.mean((hold >= sell) & (hold >= buy))
    assert judged["verdict"]["reasons"][0] == (
        f"It made no trade. The largest probability of a direction was {largest:.3f}, to enter it takes 1; "
        f"hold was the likeliest class in {holds:.0%} of {len(buy):,} decisions."
    )


def test_a_backtest_whose_every_order_was_held_back_says_so_first(run_folder):
    judged = bootstrap.backtest(open_run(run_folder), overrides=["risk.max_exposure=1e-13"])
    verdict = judged["verdict"]
    assert verdict["sentence"] == "Nothing was traded: every order was held back."
    assert judged["held_back"] == (
        "It wanted a position at 134 of 134 closes, and not one order was filled. Most often (134 times): cut from "
        "0.99 to 1e-13 by max_exposure 1e-13; no order: quantity 0.00 is below the minimum 0.01."
    )
    assert verdict["reasons"][0] == f"It made no trade. {judged['held_back']}"


def test_costs_of_an_override_are_paid(run_folder):
    run = open_run(run_folder)
    plain = bootstrap.backtest(run)["performance"]
    dear = bootstrap.backtest(run, overrides=["costs.taker_fee=0.01"])["performance"]
    assert dear["costs"]["fees"] > 10 * plain["costs"]["fees"]
    assert dear["strategy"]["total_return"] < plain["strategy"]["total_return"]


@pytest.mark.parametrize("override", ["target.horizon=9", "seed=4", "training.epochs=1", "name=x", "data.symbols=[]"])
def test_an_override_of_what_was_trained_is_refused(run_folder, override):
    with pytest.raises(RecipeError) as caught:
        bootstrap.backtest(open_run(run_folder), overrides=[override])
    assert caught.value.message == f"--set {override!r} would change what was trained."
    assert caught.value.remedy == (
        "A backtest may change: strategy, regimes, sizing, execution, risk, guard, costs, backtest. "
        "Train again for anything else."
    )


def test_a_wrong_override_names_the_key_and_leaves_the_old_backtest(run_folder):
    before = (run_folder / "backtest" / "backtest.json").read_bytes()
    with pytest.raises(RecipeError, match=r"Unknown key 'strategy.entr'\. Did you mean 'enter'\?"):
        bootstrap.backtest(open_run(run_folder), overrides=["strategy.entr=0.4"])
    assert (run_folder / "backtest" / "backtest.json").read_bytes() == before


def test_leverage_can_be_asked_for(run_folder):
    overrides = ["costs.leverage=3", "sizing.capital_fraction=2", "sizing.max_leverage=2", "risk.max_leverage=2",
                 "risk.max_exposure=2"]  # fmt: skip
    judged = bootstrap.backtest(open_run(run_folder), overrides=overrides)
    exposure = pl.read_parquet(run_folder / "backtest" / "equity.parquet")["exposure"].abs().max()
    assert exposure == pytest.approx(2, abs=0.1)
    assert judged["performance"]["trades"]["count"] > 0


def test_candles_that_changed_since_the_training_are_refused(run_folder, monkeypatch):
    run = open_run(run_folder)
    path = run_folder / "run.json"
    record = json.loads(path.read_text())
    write_text(path, json.dumps({**record, "data_hash": "0" * 64}))
    with pytest.raises(RunError) as caught:
        bootstrap.backtest(run)
    assert caught.value.message == f"The candles of {run_folder} have changed since it was trained."
    assert caught.value.remedy == "Bring the old file back, or train again on the new one."


def test_candles_that_are_gone_are_named(tmp_path, run_folder):
    recipe = micro_recipe(tmp_path / "recipe", source="file", path=str(tmp_path / "gone.csv"))
    run = open_run(run_folder)
    with pytest.raises(DataError, match=rf"^There is no file {tmp_path}/gone\.csv\."):
        bootstrap.backtest(type(run)(folder=run.folder, recipe=recipe))


def test_a_damaged_part_of_the_run_is_named(run_folder):
    run = open_run(run_folder)
    good = (run_folder / "predictions.parquet").read_bytes()
    (run_folder / "predictions.parquet").write_bytes(good[:-40])
    with pytest.raises(RunError, match=r"predictions\.parquet is damaged: .* `triptych train` mends a damaged run"):
        bootstrap.backtest(run)
    (run_folder / "predictions.parquet").write_bytes(good)
    graph = run_folder / "folds" / "0" / "artifact" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ArtifactError) as caught:
        bootstrap.backtest(run)
    assert caught.value.message == f"{graph} is damaged: it is not the file its card was written for."


def test_a_run_that_is_not_trained_cannot_be_backtested_or_shown(run_folder):
    run = open_run(run_folder)
    run.update(status="training")
    for command in (bootstrap.backtest, bootstrap.report, bootstrap.evaluate):
        with pytest.raises(RunError, match="is not trained to its end"):
            command(run)
