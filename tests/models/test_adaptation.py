from __future__ import annotations

import pytest
import torch

from triptych.domain.errors import ArtifactError
from triptych.models import adapt_input_conv

RGB = torch.tensor([1.0, 2.0, 4.0]).reshape(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("in_chans", "expected"),
    [
        (1, [7.0]),
        (2, [1.5, 3.0]),
        (3, [1.0, 2.0, 4.0]),
        (4, [0.75, 1.5, 3.0, 0.75]),
        (7, [3 / 7, 6 / 7, 12 / 7, 3 / 7, 6 / 7, 12 / 7, 3 / 7]),
    ],
)
def test_kernels_are_summed_or_repeated_and_scaled(in_chans: int, expected: list[float]) -> None:
    assert adapt_input_conv(in_chans, RGB).flatten().tolist() == pytest.approx(expected)


def test_dtype_is_kept_and_sums_are_formed_in_single_precision() -> None:
    kernels = torch.tensor([2048.0, 1.0, 1.0], dtype=torch.float16).reshape(1, 3, 1, 1)
    adapted = adapt_input_conv(1, kernels)
    assert adapted.dtype == torch.float16
    assert adapted.item() == 2050.0  # 2048 + 1 is 2048 in half precision, so a sum in steps would lose both


def test_kernels_that_are_not_for_rgb_are_refused() -> None:
    with pytest.raises(ArtifactError) as caught:
        adapt_input_conv(1, torch.zeros(8, 4, 3, 3))
    assert str(caught.value) == (
        "Only kernels for 3 channels can be adapted to 1, their shape was [8, 4, 3, 3]. "
        "Build the network with the number of channels the weights were trained with."
    )
