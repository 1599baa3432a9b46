from __future__ import annotations

from typing import Literal

import pytest

from triptych.domain.errors import RecipeError
from triptych.models.xlstm import Config


def refusal_of(**options: object) -> str:
    with pytest.raises(RecipeError) as caught:
        Config(**options)  # type: ignore[arg-type]
    return str(caught.value)


def test_heads_that_do_not_divide_are_named_with_those_that_do() -> None:
    assert refusal_of(width=64, heads=3, slstm_at=(0, 1)) == (
        "xlstm: 3 heads do not divide the 64 features of an sLSTM block. Set heads to one of 1, 2, 4, 8, 16, 32."
    )
    assert refusal_of(width=64, heads=3) == (
        "xlstm: 3 heads do not divide the 128 features of an mLSTM block. Set heads to one of 1, 2, 4, 8, 16, 32, 64."
    )


def test_values_out_of_range_are_one_clear_error() -> None:
    assert refusal_of(heads=0, kernel=65) == (
        "xlstm: heads: Input should be greater than or equal to 1 (was 0); "
        "kernel: Input should be less than or equal to 64 (was 65). Its `Config` says what each may be."
    )


def test_heads_one_feature_wide_are_refused_before_they_make_nan() -> None:
    assert refusal_of(width=8, heads=8, slstm_at=(0, 1)) == (
        "xlstm: 8 heads leave each 1 of the 8 features of an sLSTM block, and a head needs at least 2. "
        "Set heads to one of 1, 2, 4."
    )


def test_heads_of_a_mixed_stack_divide_both_widths() -> None:
    # 80 wide, 192 inside: 5 divides the first only, 3 the second only.
    assert "do not divide the 192 features of an mLSTM block" in refusal_of(width=80, heads=5, slstm_at=(0,))
    assert "do not divide the 80 features of an sLSTM block" in refusal_of(width=80, heads=3, slstm_at=(0,))
    assert Config(width=80, heads=4, slstm_at=(0,)).inner == 192


def test_heads_of_large_blocks_divide_queries_and_values() -> None:
    assert refusal_of(kind="large", width=8, heads=4) == (
        "xlstm: 4 heads leave each 1 of the 4 features of queries and keys, and a head needs at least 2. "
        "Set heads to one of 1, 2."
    )


def test_blocks_of_maps_must_divide() -> None:
    assert refusal_of(width=64, block_size=5) == (
        "xlstm: blocks of 5 do not divide the 128 features of an mLSTM block. "
        "Set block_size to 1, 2, 4, 8, 16, 32 or 64, which always divide."
    )


def test_places_of_slstm_blocks_lie_in_the_stack_once() -> None:
    assert refusal_of(blocks=3, slstm_at=(3,)) == (
        "xlstm: slstm_at holds positions among 3 blocks, and 3 is none. Positions are 0 to 2, each at most once."
    )
    assert refusal_of(blocks=3, slstm_at=(1, 1)) == (
        "xlstm: slstm_at holds positions among 3 blocks, and [1, 1] names one twice. "
        "Positions are 0 to 2, each at most once."
    )
    assert refusal_of(slstm_at=(0,), ratio=(1, 1)) == (
        "xlstm: slstm_at and ratio both place the sLSTM blocks. Give only one of them."
    )
    assert refusal_of(ratio=(0, 0)) == (
        "xlstm: a ratio of 0:0 names no blocks. Give mLSTM blocks to sLSTM blocks, such as 7:1, 1:0 or 0:1."
    )


def test_large_blocks_have_no_slstm_and_always_a_feed_forward() -> None:
    assert refusal_of(kind="large", ratio=(1, 1)) == (
        "xlstm: large blocks are mLSTM blocks, and sLSTM blocks are asked for. "
        "Set kind to residual, or leave out slstm_at and ratio."
    )
    assert refusal_of(kind="large", feedforward_factor=0) == (
        "xlstm: a large block has a feed-forward. Set feedforward_factor above 0, or leave it out."
    )


def test_a_convolution_over_one_step_is_none() -> None:
    assert refusal_of(kernel=1) == (
        "xlstm: a convolution that sees 1 step is none. Set kernel to 0 to leave it out, or to 4."
    )


@pytest.mark.parametrize(
    ("ratio", "blocks", "places"),
    [
        ((7, 1), 8, (1,)),
        ((1, 1), 5, (1, 3)),
        ((1, 0), 4, ()),
        ((0, 1), 3, (0, 1, 2)),
        ((3, 2), 10, (1, 2, 6, 7)),
        ((7, 1), 1, ()),
    ],
)
def test_a_ratio_places_slstm_blocks_behind_the_first_mlstm_block(
    ratio: tuple[int, int], blocks: int, places: tuple[int, ...]
) -> None:
    assert Config(blocks=blocks, ratio=ratio).slstm_places == places


def test_inner_widths_are_rounded_up_to_64() -> None:
    assert Config(width=80).inner == 192
    assert Config(width=64).feedforward_width == 128
    assert Config(kind="large", width=96, heads=4).feedforward_width == 320


@pytest.mark.parametrize(
    ("blocks", "ratio", "order", "places"),
    [
        (4, (3, 1), "inner", (1,)),
        (4, (3, 1), "first", (0,)),
        (4, (3, 1), "last", (3,)),
        (2, (3, 1), "last", (1,)),
        (5, (1, 1), "last", (0, 2, 4)),
        (3, (1, 2), "last", (1, 2)),
        (2, (1, 0), "last", ()),
    ],
)
def test_the_order_says_where_a_ratio_puts_its_blocks(
    blocks: int, ratio: tuple[int, int], order: Literal["inner", "first", "last"], places: tuple[int, ...]
) -> None:
    assert Config(blocks=blocks, ratio=ratio, order=order).slstm_places == places
