from __future__ import annotations

import pytest
import torch

from triptych.domain.errors import RecipeError
from triptych.models import create_model, parameter_cap
from triptych.models.sequence import PRESETS, Config, stack_config


@pytest.mark.parametrize(
    ("name", "width", "blocks", "slstm"),
    [
        ("xlstm_small", 64, 3, (1,)),
        ("xlstm_medium", 128, 5, (1,)),
        ("xlstm_large", 256, 8, (1,)),
        ("xlstm_minutes", 64, 2, (0, 1)),
        ("xlstm_intraday", 128, 4, (1, 3)),
        ("xlstm_hours", 256, 6, (1,)),
        ("xlstm_days", 512, 8, ()),
    ],
)
def test_presets_are_the_usual_starting_points(name: str, width: int, blocks: int, slstm: tuple[int, ...]) -> None:
    config = stack_config(PRESETS[name])
    assert (config.width, config.blocks, config.slstm_places) == (width, blocks, slstm)


def test_parameters_of_the_presets_by_plain_sizes() -> None:
    def millions(name: str) -> float:
        with torch.device("meta"):
            network = create_model(name, in_chans=22, num_classes=3)
        return sum(one.numel() for one in network.parameters()) / 1e6

    assert round(millions("xlstm_small"), 2) == 0.10
    assert round(millions("xlstm_medium"), 2) == 0.55
    assert round(millions("xlstm_days"), 1) == 13.1


def test_wishes_replace_and_factors_multiply() -> None:
    small = PRESETS["xlstm_small"]
    assert small.with_wishes(Config(width=32, dropout=0.4)).width == 32
    assert small.with_wishes(Config(), width=0.3).width == 20  # 19.2, to a multiple of twice the heads
    assert small.with_wishes(Config(), depth=2.0).blocks == 6
    assert small.with_wishes(Config(), depth=0.01).blocks == 1
    assert small.with_wishes(Config(slstm_at=(0,))).ratio is None
    assert PRESETS["xlstm_small"].with_wishes(Config(kind="large")).ratio is None
    assert small.with_wishes(Config()) == small


def test_independent_labels_cap_the_parameters() -> None:
    assert parameter_cap(5_000) == 50_000
    assert parameter_cap(5_000, 1.0) == 5_000
    assert parameter_cap(3) == 1_000
    with pytest.raises(RecipeError) as caught:
        parameter_cap(0)
    assert str(caught.value) == "n_independent_labels must be above 0, was 0."
