from __future__ import annotations

import pytest

from triptych.models.efficientnet.scaling import NetworkPlan, plan_network
from triptych.models.efficientnet.stages import V1, V2_BASE
from triptych.models.efficientnet.variants import VARIANTS


def plan_of(name: str, **options: float) -> NetworkPlan:
    variant = VARIANTS[name]
    return plan_network(variant.family, width=variant.width, depth=variant.depth, **options)


@pytest.mark.parametrize(
    ("name", "stem", "head", "repeats", "channels"),
    [
        ("b0", 32, 1280, (1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320)),
        ("b1", 32, 1280, (2, 3, 3, 4, 4, 5, 2), (16, 24, 40, 80, 112, 192, 320)),
        ("b2", 32, 1408, (2, 3, 3, 4, 4, 5, 2), (16, 24, 48, 88, 120, 208, 352)),
        ("b3", 40, 1536, (2, 3, 3, 5, 5, 6, 2), (24, 32, 48, 96, 136, 232, 384)),
        ("b4", 48, 1792, (2, 4, 4, 6, 6, 8, 2), (24, 32, 56, 112, 160, 272, 448)),
        ("b5", 48, 2048, (3, 5, 5, 7, 7, 9, 3), (24, 40, 64, 128, 176, 304, 512)),
        ("b6", 56, 2304, (3, 6, 6, 8, 8, 11, 3), (32, 40, 72, 144, 200, 344, 576)),
        ("b7", 64, 2560, (4, 7, 7, 10, 10, 13, 4), (32, 48, 80, 160, 224, 384, 640)),
    ],
)
def test_compound_scaling_gives_the_published_sizes(
    name: str, stem: int, head: int, repeats: tuple[int, ...], channels: tuple[int, ...]
) -> None:
    plan = plan_of(f"efficientnet_{name}")
    assert plan.stem_channels == stem
    assert plan.head_channels == head
    assert tuple(len(stage) for stage in plan.stages) == repeats
    assert tuple(stage[-1].out_channels for stage in plan.stages) == channels


def test_drop_path_grows_linearly_and_never_reaches_its_rate() -> None:
    blocks = [block for stage in plan_of("efficientnet_b0", drop_path_rate=0.2).stages for block in stage]
    assert len(blocks) == 16
    assert [block.drop_path_rate for block in blocks] == pytest.approx([0.0125 * index for index in range(16)])
    assert blocks[-1].drop_path_rate == pytest.approx(0.1875)


def test_squeeze_is_a_quarter_of_the_block_input_not_of_its_expansion() -> None:
    stages = plan_of("efficientnet_b0").stages
    first_of_each = [stage[0] for stage in stages]
    assert [block.squeeze_channels for block in first_of_each] == [8, 4, 6, 10, 20, 28, 48]
    assert [block.expanded_channels for block in first_of_each] == [32, 96, 144, 240, 480, 672, 1152]


def test_only_blocks_that_keep_shape_have_a_skip() -> None:
    stages = plan_of("efficientnet_b0").stages
    assert all(block.has_skip == (position > 0) for stage in stages for position, block in enumerate(stage))
    assert sum(block.has_skip for stage in stages for block in stage) == 9
    # B1's stem has 32 channels and its first stage two blocks of 16: only the second keeps its shape.
    assert [block.has_skip for block in plan_of("efficientnet_b1").stages[0]] == [False, True]
    # V2-S keeps 24 channels from the stem into its first stage.
    assert [block.has_skip for block in plan_of("efficientnetv2_s").stages[0]] == [True, True]


def test_only_the_first_block_of_a_stage_strides() -> None:
    assert [[block.stride for block in stage] for stage in plan_of("tf_efficientnetv2_b0").stages] == [
        [1],
        [2, 1],
        [2, 1],
        [2, 1, 1],
        [1, 1, 1, 1, 1],
        [2, 1, 1, 1, 1, 1, 1, 1],
    ]


def test_half_width_and_depth_follow_the_same_rounding() -> None:
    plan = plan_network(V1, width=0.5, depth=0.5)
    assert plan.stem_channels == 16
    assert plan.head_channels == 640
    assert tuple(stage[-1].out_channels for stage in plan.stages) == (8, 16, 24, 40, 56, 96, 160)
    assert tuple(len(stage) for stage in plan.stages) == (1, 1, 1, 2, 2, 2, 1)


def test_no_stage_disappears_however_shallow_the_network() -> None:
    assert all(len(stage) == 1 for stage in plan_network(V2_BASE, depth=0.01).stages)
