from types import SimpleNamespace

import polars as pl
import pytest
from tests.fakes.micro import micro_recipe

from triptych.bootstrap.figures import recorded_figures, require_figures, require_recorded_figures
from triptych.domain.errors import RecipeError, RunError
from triptych.settings.searching import candidate

TRADED = ('training.tasks.names=["size", "volatility"]', "sizing.method=volatility", "sizing.volatility=foretold")


def test_recorded_figures_are_found_by_their_columns(tmp_path):
    frame = pl.DataFrame({"time": [1, 2], "foretold_volatility": [0.1, 0.2]})
    assert {task: values.tolist() for task, values in recorded_figures(frame).items()} == {"volatility": [0.1, 0.2]}
    recipe = micro_recipe(tmp_path, *TRADED)
    require_recorded_figures(recipe, frame)
    with pytest.raises(RunError) as caught:
        require_recorded_figures(recipe, frame.select("time"))
    assert "trades by the foretold volatility, which was not recorded" in str(caught.value)


def test_a_model_that_is_asked_candle_by_candle_cannot_be_traded_by_its_figures(tmp_path):
    recipe = micro_recipe(tmp_path, *TRADED)
    require_figures(recipe, SimpleNamespace(horizon=4))
    require_figures(micro_recipe(tmp_path), SimpleNamespace(horizon=0))
    with pytest.raises(RecipeError) as caught:
        require_figures(recipe, SimpleNamespace(horizon=0))
    assert "asked candle by candle foretells none" in str(caught.value)


def test_fixed_sizing_looks_at_no_volatility_and_a_consensus_foretells_none(tmp_path):
    assert micro_recipe(tmp_path, "sizing.volatility=foretold").traded_figures == ()
    members = 'members=[{name="charts"}, {name="bars", changes={"encoding.name"="jkx"}}]'
    with pytest.raises(RecipeError) as caught:
        micro_recipe(tmp_path, members, *TRADED)
    assert "a consensus foretells no figures" in str(caught.value)


def test_a_search_does_not_trade_by_figures(tmp_path):
    recipe = micro_recipe(tmp_path, *TRADED)
    with pytest.raises(RecipeError) as caught:
        candidate(recipe, {"training.learning_rate": 0.001})
    assert "cannot trade by the foretold volatility" in str(caught.value)
