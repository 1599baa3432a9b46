from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.domain.errors import RecipeError
from triptych.models.pooling import GlobalPooling, GridPooling

MAP = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, -1.0], [0.0, -3.0]]]])


@pytest.mark.parametrize(("name", "expected"), [("avg", [3.0, -1.0]), ("max", [6.0, 0.0]), ("avgmax", [4.5, -0.5])])
def test_pooling_by_hand(name: str, expected: list[float]) -> None:
    assert GlobalPooling(name)(MAP).tolist() == [expected]


def test_the_empty_name_keeps_the_map() -> None:
    assert GlobalPooling("")(MAP) is MAP
    assert repr(GlobalPooling("")) == "GlobalPooling('')"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        RecipeError, match=r"^Unknown global_pool 'median'\. Choose one of 'avg', 'max', 'avgmax', ''\.$"
    ):
        GlobalPooling("median")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("avg", [[2.5, 4.5], [10.5, 12.5]]),
        ("max", [[5.0, 7.0], [13.0, 15.0]]),
        ("avgmax", [[3.75, 5.75], [11.75, 13.75]]),
    ],
)
def test_a_map_is_pooled_to_a_grid_by_hand(name: str, expected: list[list[float]]) -> None:
    assert GridPooling(name, 2)(torch.arange(16.0).reshape(1, 1, 4, 4))[0, 0].tolist() == expected


def test_a_map_of_the_grids_size_and_an_empty_name_change_nothing() -> None:
    map_ = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(GridPooling("avg", 5)(map_), map_)
    assert GridPooling("", 2)(map_) is map_


def test_a_small_map_is_repeated_to_fill_the_grid() -> None:
    assert GridPooling("avg", 3)(torch.full((1, 1, 1, 1), 2.0)).tolist() == [[[[2.0] * 3] * 3]]


def test_a_grid_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^Unknown global_pool 'median'\."):
        GridPooling("median", 2)


@pytest.mark.parametrize("side", [1, 2, 4, 5, 7, 14, 33])
def test_cells_are_those_of_torchs_adaptive_pooling(side: int) -> None:
    map_ = torch.randn(2, 3, side, 11, generator=torch.Generator().manual_seed(side))
    torch.testing.assert_close(GridPooling("avg", 4)(map_), nn.functional.adaptive_avg_pool2d(map_, 4))
    assert torch.equal(GridPooling("max", 5)(map_), nn.functional.adaptive_max_pool2d(map_, 5))
