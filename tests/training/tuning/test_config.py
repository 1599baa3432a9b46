import pytest
from pydantic import ValidationError

from triptych.domain.search import Choices, Divisors, Range, Subset
from triptych.training.tuning.config import Config


def test_a_space_is_read_by_the_keys_of_its_tables():
    config = Config(
        space={
            "model.width": [0.1, 0.2],
            "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "model.heads": {"divisors_of": "model.width", "quotient": 2},
            "features.names": {"subset_of": ["rsi14", "macd"]},
            "model.depth": {"choices": [0.1, 0.5], "grows": True, "when": {"model.name": ["efficientnet_b0"]}},
        }
    )
    assert config.space["model.width"] == Choices(choices=(0.1, 0.2))
    assert config.space["training.learning_rate"] == Range(low=1e-4, high=1e-2, log=True)
    assert config.space["model.heads"] == Divisors(divisors_of="model.width", quotient=2)
    assert config.space["features.names"] == Subset(subset_of=("rsi14", "macd"))
    assert config.space["model.depth"].when == {"model.name": ("efficientnet_b0",)}
    assert Config.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            3,
            "'model.width' must be a list of values, or a table with low and high, choices, divisors_of or subset_of, "
            "was 3",
        ),
        ({"low": 3, "high": 1}, "'model.width': low must be below high, was 3 and 1"),
        ({"low": 3, "hihg": 4}, "'model.width': high: Field required"),
        ([], "'model.width': choices: Tuple should have at least 1 item"),
    ],
)  # fmt: skip
def test_what_is_no_dimension_is_refused_by_name(value, words):
    with pytest.raises(ValidationError) as caught:
        Config(space={"model.width": value})
    assert words in str(caught.value)
