"""What was trained in other ways trades on paper as in its backtest, from the first decision on."""

import numpy as np
import polars as pl
import pytest
from tests.bootstrap.test_living_models import decisions_in, fills_in, rows, tape_of, trade
from tests.fakes.micro import COLLAPSED, LIKENESS, REGIME_NETWORK, micro_recipe
from tests.fakes.pattern_networks import saved_candle_network

from triptych import bootstrap
from triptych.bootstrap.candles import load_candles
from triptych.inference import load_consensus
from triptych.live.journal import StepRecorded

MEMBERS = 'members=[{name="charts"}, {name="bars", changes={"encoding.name"="jkx"}}]'
WAYS = {
    "regimes over a consensus": (
        MEMBERS,
        "consensus.method=vote",
        "consensus.regime_length=24",
        "regimes.use=true",
        "regimes.memory=40",
        "regimes.keep.sideways=0.25",
        "data.synthetic.n_candles=1500",
    ),
    "recent skill": (
        MEMBERS,
        "consensus.method=skill",
        "consensus.regime_length=24",
        "consensus.window=120",
        "consensus.half_life_days=1",
        "consensus.minimum_samples=30",
        "split.kind=walk_forward",
        "split.train=0.5",
        "split.validation=0.2",
        "split.test=0.3",
        "split.folds=2",
        "model.name=lenet5_relu",
        "model.width=1.0",
        "model.depth=1.0",
        "target.volatility_span=16",
        "data.synthetic.n_candles=1100",
    ),
    "regimes": (
        "regimes.use=true",
        "regimes.memory=40",
        "regimes.keep.sideways=0.75",
        "regimes.on_switch={hold=20, keep=0.5, false_alarms=20}",
        *REGIME_NETWORK,
        "data.synthetic.n_candles=1500",
    ),
    "boosted": ("boosting.engine=histogram", "boosting.components=4", "boosting.rounds=12", "boosting.leaf_samples=10"),
    "multi_task": ('training.tasks.names=["size", "volatility"]',),
    "multi_task traded by what it foretells": (
        'training.tasks.names=["size", "volatility"]',
        "sizing.method=volatility",
        "sizing.volatility=foretold",
        "sizing.half_life=4",
        "strategy.expected_move=volatility",
        "strategy.cost_multiple=0.001",
    ),
    "siamese": COLLAPSED,
    "siamese over factors": LIKENESS,
}


PATTERNS = (
    'features.names=["return_1"]', "features.window=20", "encoding.name=sequence", "encoding.factors=7",
    "model.name=gru", "model.sequence.width=8", "model.sequence.labels_per_parameter=0",
)  # fmt: skip
"""Of a recipe whose network reads what a network of candle patterns says."""


@pytest.mark.parametrize("way", [*WAYS, "patterns"])
def test_paper_decides_what_the_backtest_has_decided(way, tmp_path):
    changes = WAYS.get(way, PATTERNS)
    if way == "patterns":
        changes += (f"features.pattern_networks.folders=['{saved_candle_network(tmp_path / 'net')}']",)
    recipe = micro_recipe(tmp_path, "training.epochs=1", "strategy.enter=0.0", "strategy.exit=0.0", *changes)
    run = bootstrap.train(recipe, folder=tmp_path / "run", progress_bar=False)
    bootstrap.backtest(run)
    _, journal = trade(run, tmp_path, tape_of(run, tmp_path))
    backtest = run.folder / "backtest"
    expected = rows(pl.read_parquet(backtest / "decisions.parquet"), "symbol", "target")
    end = expected[-1][0]  # a live house still decides on the last candle, with which a backtest ends
    found = [one for one in decisions_in(journal) if one[0] <= end]
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    assert [one[2] for one in found] == pytest.approx([one[2] for one in expected], abs=1e-6)
    assert sum(1 for one in found if one[2]) > len(found) // 4
    fills = rows(pl.read_parquet(backtest / "fills.parquet"), "symbol", "side", "price")
    assert fills_in(journal) == fills
    if way.startswith("multi_task traded"):
        told = pl.read_parquet(backtest / "decisions.parquet")["reason"].to_list()
        steps = [entry.record for entry in journal.entries(kinds=(StepRecorded,))]
        live = [d.reason for step in steps for d in step.decisions][: len(told)]
        sized = [
            (one.split("; sized by")[0], other.split("; sized by")[0]) for one, other in zip(live, told, strict=True)
        ]
        assert all(one == other for one, other in sized)  # how it was entered, with the expected move and its figures
        assert sum("sized by the foretold volatility" in one for one in live) > len(live) // 4
        assert ["sized by" in one for one in live] == ["sized by" in one for one in told]
    if way == "recent skill":
        _weights_move_alike_in_training_and_in_the_artifact(run)
    if way.startswith("regimes"):
        steps = [entry.record for entry in journal.entries(kinds=(StepRecorded,))]
        told = [d.prediction for step in steps for d in step.decisions]
        assert all(sum(one.regimes) == pytest.approx(1.0) for one in told)
    if way == "regimes":
        recorded = pl.read_parquet(run.folder / "predictions.parquet")
        ages = dict(zip(recorded["time"].cast(pl.Int64), recorded["since_switch"], strict=True))
        assert [one.since_switch for one in told] == [ages[one.time_ms] for one in told]
        assert "a switch of the market was told" in " ".join(pl.read_parquet(backtest / "decisions.parquet")["reason"])


def _weights_move_alike_in_training_and_in_the_artifact(run):
    """What the backtest trades was joined by weights that the saved artifact finds again from the candles alone."""
    said = pl.read_parquet(run.folder / "predictions.parquet")
    (series,) = load_candles(run.recipe).series
    predictor = load_consensus(run.artifact).joined()
    ends = np.searchsorted(series.close_time_ms, said["time"].cast(pl.Int64).to_numpy())
    ends = ends[ends >= predictor.length - 1]
    weights = predictor.weights_over(series, ends)
    assert len(ends) > 100
    assert weights.std(axis=0).min() > 1e-4
    joint = np.array([(p.probability_sell, p.probability_buy) for p in predictor.predictions_over(series, ends)])
    expected = said.select("probability_sell", "probability_buy").to_numpy()[-len(ends) :]
    np.testing.assert_allclose(joint, expected, atol=1e-6)
    assert len(ends) == len(said)  # the first decision already has its whole window
