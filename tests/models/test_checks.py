from __future__ import annotations

import pytest
import torch

from triptych.domain.errors import RecipeError
from triptych.models.checks import require_image_size, require_one_depth, require_positive, require_share


def test_a_number_must_be_above_zero() -> None:
    require_positive(width=0.1, in_chans=1)
    with pytest.raises(RecipeError, match=r"^in_chans must be above 0, was 0\.$"):
        require_positive(width=1.0, in_chans=0)
    with pytest.raises(RecipeError, match=r"^width must be above 0, was nan\.$"):
        require_positive(width=float("nan"))


def test_a_share_must_be_below_one() -> None:
    require_share(drop_rate=0.0, drop_path_rate=0.99)
    with pytest.raises(RecipeError, match=r"^drop_rate must be at least 0 and below 1, was 1\.0\.$"):
        require_share(drop_rate=1.0)


def test_a_network_of_one_depth_refuses_others() -> None:
    require_one_depth("googlenet", 1)
    with pytest.raises(RecipeError) as caught:
        require_one_depth("googlenet", 0.5)
    assert str(caught.value) == (
        "googlenet has one depth only: depth must be 1, was 0.5. Leave depth out; width makes the network smaller."
    )


def test_an_image_must_have_enough_pixels_both_ways() -> None:
    require_image_size("lenet5", torch.zeros(1, 1, 13, 14), 13)
    with pytest.raises(RecipeError) as caught:
        require_image_size("lenet5", torch.zeros(1, 1, 32, 12), 13)
    assert str(caught.value) == (
        "lenet5 reads images of at least 13 x 13 pixels, was 32 x 12. "
        "Draw larger images, or choose an efficientnet, which takes any size."
    )
