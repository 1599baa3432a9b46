import json

import numpy as np
import pytest

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.staking import base_rates, first_base_rates, with_known_stakes
from triptych.domain.errors import RunError
from triptych.settings import Recipe
from triptych.training.samples import Samples

KELLY = Recipe.model_validate(
    {
        "target": {"horizon": 5},
        "costs": {"maker_fee": 0.0001, "taker_fee": 0.0005, "half_spread_bp": 2.0, "slippage_bp": 3.0},
        "sizing": {"method": "kelly"},
    }
)
RATES = (0.2, 0.5, 0.3)


def changed(recipe, **sections):
    return Recipe.model_validate(recipe.model_dump() | sections)


def test_gaps_are_filled_from_target_costs_and_labels():
    kelly = with_known_stakes(KELLY, RATES).sizing.kelly
    assert (kelly.horizon, kelly.base_rates, kelly.missing) == (5, RATES, ())
    assert kelly.cost == pytest.approx(2 * (0.0005 + 0.0005))
    resting = with_known_stakes(changed(KELLY, execution={"entry": "limit"}), RATES).sizing.kelly
    assert resting.cost == pytest.approx(0.0001 + 0.001)


def test_what_is_set_stands():
    own = {"horizon": 3, "cost": 0.01, "base_rates": [0.1, 0.8, 0.1]}
    recipe = changed(KELLY, sizing={"method": "kelly", "kelly": own})
    assert with_known_stakes(recipe, RATES) is recipe
    part = changed(KELLY, sizing={"method": "kelly", "kelly": {"cost": 0.01}})
    kelly = with_known_stakes(part, RATES).sizing.kelly
    assert (kelly.horizon, kelly.cost, kelly.base_rates) == (5, 0.01, RATES)


def test_another_method_needs_none_of_it():
    plain = Recipe()
    assert with_known_stakes(plain, None) is plain


def test_a_model_that_tells_no_base_rates_is_refused():
    with pytest.raises(RunError) as caught:
        with_known_stakes(KELLY, None)
    assert str(caught.value) == (
        "The model does not say how frequent each class was in its training, which sizing.kelly needs. "
        "Train it again, or set sizing.kelly.base_rates."
    )


def test_labels_that_overlap_count_for_less():
    samples = Samples(
        instrument=np.zeros(4, np.int64), index=np.arange(4), label=np.array([0, 1, 1, 2]),
        time_ms=np.arange(4), end_ms=np.arange(4), uniqueness=np.array([1.0, 0.5, 0.5, 2.0]),
    )  # fmt: skip
    assert base_rates(samples) == (0.25, 0.25, 0.5)


def test_a_run_stakes_by_the_labels_it_learned_from(run_folder):
    run = open_run(run_folder)
    dataset = Dataset.of(run.recipe, load_candles(run.recipe))
    expected = base_rates(dataset.samples(dataset.folds[0].train))
    assert first_base_rates(run) == pytest.approx(expected)
    card = json.loads((run.fold(0) / "artifact" / "card.json").read_text())
    assert card["base_rates"] == pytest.approx(expected)
    plain = bootstrap.backtest(run, overrides=["sizing.method='kelly'", "sizing.kelly.shrinkage=0"])
    told = bootstrap.backtest(
        run,
        overrides=[
            "sizing.method='kelly'", "sizing.kelly.shrinkage=0", f"sizing.kelly.horizon={run.recipe.target.horizon}",
            f"sizing.kelly.base_rates={list(expected)}",
        ],
    )  # fmt: skip
    assert plain["performance"] == told["performance"]


def test_the_cost_of_an_expected_move_is_filled_where_it_is_asked_for():
    asks = changed(KELLY, sizing={}, strategy={"expected_move": "size"}, training={"tasks": {"names": ["size"]}})
    assert with_known_stakes(asks, None).strategy.cost == pytest.approx(0.002)
    own = changed(asks, strategy={"expected_move": "size", "cost": 0.01})
    assert with_known_stakes(own, None) is own
