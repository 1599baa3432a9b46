from __future__ import annotations

import pytest

from triptych.domain.errors import RecipeError
from triptych.models.feature_info import FeaturePoint, choose_features

POINTS = tuple(
    FeaturePoint(module=f"blocks.{index}", stage=index + 1, num_chs=8 * (index + 1), reduction=2 ** (index + 1))
    for index in range(3)
)


@pytest.mark.parametrize(
    ("wanted", "indices"),
    [(None, (0, 1, 2)), (2, (1, 2)), (3, (0, 1, 2)), ((0, 2), (0, 2)), ((-1,), (2,)), ([2, 0, 2], (0, 2))],
)
def test_indices_are_read_as_timm_reads_them(wanted: object, indices: tuple[int, ...]) -> None:
    assert choose_features(POINTS, wanted).out_indices == indices


def test_chosen_maps_name_channels_and_strides() -> None:
    info = choose_features(POINTS, (0, -1))
    assert info.channels() == [8, 24]
    assert info.reduction() == [2, 8]
    assert info.module_name() == ["blocks.0", "blocks.2"]


@pytest.mark.parametrize("wanted", [0, 4, (3,), (-4,), ()])
def test_impossible_indices_are_refused(wanted: object) -> None:
    with pytest.raises(RecipeError) as caught:
        choose_features(POINTS, wanted)
    assert str(caught.value) == (
        f"out_indices={wanted!r} does not fit a network of 3 feature maps. "
        "Choose indices from 0 to 2, or how many of the last maps from 1 to 3."
    )
