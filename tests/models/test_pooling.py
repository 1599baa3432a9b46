from __future__ import annotations

import pytest
import torch

from triptych.domain.errors import RecipeError
from triptych.models.pooling import GlobalPooling

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
