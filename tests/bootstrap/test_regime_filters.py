from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import REGIME_NETWORK, micro_recipe

from triptych import bootstrap
from triptych.bootstrap import train
from triptych.bootstrap.backtesting import backtest
from triptych.bootstrap.explaining_consensus import explain_consensus
from triptych.bootstrap.regime_filters import COLUMNS
from triptych.bootstrap.regimes import save_network, untaught_network
from triptych.domain import utc
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.inference import load_artifact, load_consensus, open_any_artifact, save_consensus
from triptych.inference.pattern_predictor import open_patterns
from triptych.inference.regime_predictor import RegimePredictor
from triptych.inference.soft_labels import SoftLabels

REGIMES = (
    "data.synthetic.n_candles=1500",
    "regimes.use=true",
    "regimes.memory=40",
    "strategy.enter=0.0",
    "strategy.exit=0.0",
    "regimes.on_switch.false_alarms=20",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regimes")
    return train(micro_recipe(folder, *REGIMES), folder=folder / "run")


def test_the_filter_is_fitted_on_the_training_segment_and_told_beside_the_predictions(run):
    frame = pl.read_parquet(run.folder / "predictions.parquet")
    told = frame.select(COLUMNS)
    assert told.sum_horizontal().to_list() == pytest.approx([1.0] * len(frame))
    card = load_artifact(run.fold(0) / "artifact").card
    assert card.regimes["memory"] == 40
    assert set(card.regimes["filter"]) == {
        "model", "densities", "centre", "scale", "forgetting", "power", "agreement", "left_out",
    }  # fmt: skip
    assert card.regimes["notes"] == []
    assert card.regimes["switches"]["asked"] == 20.0
    assert card.regimes["switches"]["in_nothing"] <= 20.0
    assert card.regimes["switches"]["rows"] >= 40_000
    assert frame["since_switch"].min() == -1
    assert frame["since_switch"].max() > 0


def test_a_regime_makes_the_wish_smaller_in_the_backtest(run):
    backtest(run)
    with_regimes = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    reasons = with_regimes["reason"].to_list()
    assert any("is the likeliest regime" in reason for reason in reasons)
    assert "the regime is not known" not in " ".join(reasons)
    backtest(run, overrides=["regimes.use=false"])
    without = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    assert with_regimes["target"].abs().sum() < without["target"].abs().sum()


def test_after_an_alarm_nothing_is_entered_for_as_long_as_asked(run):
    backtest(run, overrides=["regimes.on_switch.hold=15"])
    decided = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    told = pl.read_parquet(run.folder / "predictions.parquet").select("time", "since_switch")
    joined = decided.join(told, on="time").sort("time")
    target, young = joined["target"].to_numpy(), joined["since_switch"].is_between(0, 14).to_numpy()
    grown = (np.abs(target[1:]) > np.abs(target[:-1]) + 1e-9) | (target[1:] * target[:-1] < 0)
    assert young.sum() > 20
    assert not (grown & young[1:]).any()
    assert (grown & ~young[1:]).any()
    assert any("a switch of the market was told" in reason for reason in joined["reason"].to_list())


@pytest.fixture(scope="module", params=["agreement", "stacking"])
def joined(request, tmp_path_factory):
    """A consensus beside which regimes are told."""
    folder = tmp_path_factory.mktemp("joined")
    members = 'members=[{name="charts"}, {name="bars", changes={"encoding.name"="jkx"}}]'
    recipe = micro_recipe(
        folder, *REGIMES, members, f"consensus.method={request.param}", "consensus.regime_length=24",
        "consensus.minimum_samples=30", "split.kind=walk_forward", "split.folds=2", "training.epochs=1",
        "consensus.on_dissent=flat", 'model.name="lenet5_relu"', "model.width=1.0", "model.depth=1.0",
    )  # fmt: skip
    return train(recipe, folder=folder / "run")


def test_beside_a_consensus_the_regimes_are_told_once_and_stand_in_its_artifact(joined):
    frame = pl.read_parquet(joined.folder / "predictions.parquet")
    assert frame.select(COLUMNS).sum_horizontal().to_list() == pytest.approx([1.0] * len(frame))
    artifact = open_any_artifact(joined.artifact)
    assert artifact.card.regimes["memory"] == 40
    assert all(member.card.regimes == {} for member in artifact.members.values())
    assert isinstance(artifact.predictor(), RegimePredictor)
    assert not joined.recipe.members[0].changes
    series = bootstrap.load_candles(joined.recipe).series[0]
    last = frame.row(-1, named=True)
    end = int(np.searchsorted(series.close_time_ms, int(last["time"].timestamp() * 1000)))
    (now,) = artifact.predictor().predictions_over(series.head(end + 1), np.array([end]))
    assert now.regimes == pytest.approx([last[name] for name in COLUMNS])
    assert now.since_switch == last["since_switch"]
    assert [vote.model for vote in now.votes] == ["charts", "bars"]


def test_beside_a_consensus_a_regime_makes_every_wish_smaller(joined):
    judged = backtest(joined)
    assert set(judged["members"]) == {"charts", "bars"}
    with_regimes = pl.read_parquet(joined.folder / "backtest" / "decisions.parquet")
    reasons = with_regimes["reason"].to_list()
    assert any("is the likeliest regime" in reason for reason in reasons)
    assert "the regime is not known" not in " ".join(reasons)
    without = backtest(joined, overrides=["regimes.use=false"])
    plain = pl.read_parquet(joined.folder / "backtest" / "decisions.parquet")
    assert with_regimes["target"].abs().sum() < plain["target"].abs().sum()
    for name, alone in judged["members"].items():  # each member alone minds the regimes as well
        assert alone["total_return"] != without["members"][name]["total_return"]
    at = utc(int(plain["time"].cast(pl.Int64)[40]))
    backtest(joined)
    found = explain_consensus(joined, at=at)
    decided = pl.read_parquet(joined.folder / "backtest" / "decisions.parquet").filter(
        pl.col("time").cast(pl.Int64) == found.time_ms
    )
    assert decided["target"].to_list() == pytest.approx([found.target], abs=1e-6)


@pytest.mark.parametrize("joined", ["agreement"], indirect=True)
def test_a_consensus_carries_the_network_that_its_filter_hears(joined, tmp_path):
    artifact, config = open_any_artifact(joined.artifact), micro_recipe(tmp_path, *REGIME_NETWORK).regimes.network
    history = bootstrap.load_candles(joined.recipe).series[0]
    save_network(tmp_path / "network", untaught_network(config, seed=1), config, [history])
    soft = SoftLabels(
        reader=open_patterns(tmp_path / "network"), prior=np.full(5, 0.2), weight=0.5, folder=tmp_path / "network"
    )
    told = replace(artifact.regimes(), soft=soft)
    facts = ("name", "timeframe", "symbols", "period", "data_hash", "seed", "versions")
    card = {name: getattr(artifact.card, name) for name in facts}
    saved = save_consensus(tmp_path / "saved", artifact.members, artifact.combiner, told, **card)
    ends = np.array([400, 500])
    np.testing.assert_array_equal(saved.regimes().at(history, ends).probability, told.at(history, ends).probability)
    (tmp_path / "saved" / "regimes" / "model.onnx").write_bytes(b"another")
    with pytest.raises(ArtifactError, match=r"model\.onnx is damaged"):
        load_consensus(tmp_path / "saved")


def test_regimes_that_nobody_told_are_refused(run, tmp_path):
    with pytest.raises(RecipeError) as refused:
        backtest(run, overrides=["regimes.memory=41"])
    assert str(refused.value) == (
        "regimes.memory is 41, and the run tells regimes from 40 candles. Train again for another memory."
    )
    plain = train(micro_recipe(tmp_path, "data.synthetic.n_candles=600"), folder=tmp_path / "run")
    with pytest.raises(RecipeError) as refused:
        backtest(run, overrides=["regimes.on_switch.false_alarms=5"])
    assert str(refused.value) == (
        "regimes.on_switch.false_alarms is 5, and the run's alarms were set for 20. Train again for another number of "
        "false alarms."
    )
    with pytest.raises(RecipeError, match=r"regimes\.network is not the one that the run was trained with\."):
        backtest(run, overrides=["regimes.network.use=true"])
    with pytest.raises(RecipeError) as refused:
        backtest(plain, overrides=["regimes.use=true"])
    assert str(refused.value) == (
        "regimes.use asks for the regimes of the market, and the run tells none. Train again with regimes.use = true."
    )
