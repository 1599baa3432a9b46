import polars as pl
import pytest
from tests.fakes.micro import micro_recipe

from triptych.bootstrap import train
from triptych.bootstrap.backtesting import backtest
from triptych.bootstrap.regime_filters import COLUMNS
from triptych.domain.errors import RecipeError
from triptych.inference import load_artifact

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
