from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from triptych.models.efficientnet.padding import Conv2dSame, convolution, same_padding


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (224, 3, 2, (0, 1)),  # even: the odd pixel goes behind
        (225, 3, 2, (1, 1)),
        (224, 5, 2, (1, 2)),
        (7, 5, 2, (2, 2)),
        (6, 5, 2, (1, 2)),
        (1, 3, 2, (1, 1)),
        (10, 3, 1, (1, 1)),
    ],
)
def test_same_padding_by_hand(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == expected


@given(size=st.integers(1, 600), kernel=st.sampled_from([3, 5, 7]), stride=st.sampled_from([1, 2, 3]))
def test_same_padding_agrees_with_tensorflows_definition(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    assert before + after == max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    assert after - before in (0, 1)
    assert (size + before + after - kernel) // stride + 1 == math.ceil(size / stride)


def test_same_convolution_on_odd_and_even_sides_by_hand() -> None:
    layer = Conv2dSame(1, 1, 3, stride=2)
    torch.nn.init.ones_(layer.weight)
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    # Rows are padded (1, 1), columns (0, 1): windows start at rows -1, 1 and columns 0, 2.
    expected = [[0 + 1 + 2 + 4 + 5 + 6, 2 + 3 + 6 + 7], [4 + 5 + 6 + 8 + 9 + 10, 6 + 7 + 10 + 11]]
    assert layer(image)[0, 0].tolist() == expected


def test_both_paddings_differ_on_even_images_and_agree_on_odd_ones() -> None:
    same = convolution(1, 1, 3, stride=2, groups=1, padding="same")
    symmetric = convolution(1, 1, 3, stride=2, groups=1, padding="symmetric")
    symmetric.load_state_dict(same.state_dict())
    generator = torch.Generator().manual_seed(0)
    even, odd = torch.randn(1, 1, 8, 8, generator=generator), torch.randn(1, 1, 9, 9, generator=generator)
    assert torch.allclose(same(odd), symmetric(odd))
    assert not torch.allclose(same(even), symmetric(even))
    assert same(even).shape == symmetric(even).shape == (1, 1, 4, 4)


def test_a_kernel_smaller_than_the_stride_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^SAME padding needs a kernel of at least the stride, was 1 < 2\.$"):
        Conv2dSame(1, 1, 1, stride=2)
