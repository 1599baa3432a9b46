import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap import train
from triptych.bootstrap.backtesting import backtest
from triptych.bootstrap.explaining_consensus import explain_consensus
from triptych.bootstrap.regime_filters import COLUMNS
from triptych.domain import utc
from triptych.domain.errors import RecipeError
from triptych.inference import load_artifact, open_any_artifact
from triptych.inference.regime_predictor import RegimePredictor

REGIMES = (
    "data.synthetic.n_candles=1500",
    "regimes.use=true",
    "regimes.memory=40",
    "strategy.enter=0.0",
    "strategy.exit=0.0",
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
    assert set(card.regimes["filter"]) == {"model", "centre", "scale", "forgetting", "power", "agreement"}
    assert card.regimes["notes"] == []


def test_a_regime_makes_the_wish_smaller_in_the_backtest(run):
    backtest(run)
    with_regimes = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    reasons = with_regimes["reason"].to_list()
    assert any("is the likeliest regime" in reason for reason in reasons)
    assert "the regime is not known" not in " ".join(reasons)
    backtest(run, overrides=["regimes.use=false"])
    without = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    assert with_regimes["target"].abs().sum() < without["target"].abs().sum()


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


def test_regimes_that_nobody_told_are_refused(run, tmp_path):
    with pytest.raises(RecipeError) as refused:
        backtest(run, overrides=["regimes.memory=41"])
    assert str(refused.value) == (
        "regimes.memory is 41, and the run tells regimes from 40 candles. Train again for another memory."
    )
    plain = train(micro_recipe(tmp_path, "data.synthetic.n_candles=600"), folder=tmp_path / "run")
    with pytest.raises(RecipeError) as refused:
        backtest(plain, overrides=["regimes.use=true"])
    assert str(refused.value) == (
        "regimes.use asks for the regimes of the market, and the run tells none. Train again with regimes.use = true."
    )
