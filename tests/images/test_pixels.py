from __future__ import annotations

import numpy as np
import pytest
import torch

from triptych.images import create_encoding, to_pixels


def test_values_are_rounded_to_the_nearest_of_256_and_cut_off_outside_the_range():
    values = torch.tensor([0.0, 0.49 / 255, 0.51 / 255, 127.4 / 255, 127.6 / 255, 254.6 / 255, 1.0, 1.2, -0.3])
    pixels = to_pixels(values.double().reshape(1, 1, 1, 9))
    assert pixels.dtype == np.uint8
    assert pixels.ravel().tolist() == [0, 0, 1, 127, 128, 255, 255, 255, 0]


def test_every_whole_number_survives():
    values = torch.arange(256.0).reshape(1, 1, 16, 16) / 255
    assert to_pixels(values).ravel().tolist() == list(range(256))


def test_channels_come_last():
    image = torch.arange(24.0).reshape(1, 3, 2, 4) / 255
    assert to_pixels(image)[0].tolist() == image[0].mul(255).round().permute(1, 2, 0).int().tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_any_floating_dtype_gives_the_same_bytes(dtype):
    image = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=dtype).reshape(1, 1, 2, 2)
    assert to_pixels(image).ravel().tolist() == [0, 64, 128, 255]


def test_the_bytes_of_a_tensor_with_gradient_or_in_another_memory_order_are_the_same(walk):
    image = create_encoding("candlestick", 20)(walk(2, 20))
    pixels = to_pixels(image)
    assert np.array_equal(to_pixels(image.clone().requires_grad_()), pixels)
    assert np.array_equal(to_pixels(image.contiguous(memory_format=torch.channels_last)), pixels)


def test_bytes_are_written_into_memory_that_is_there():
    image = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    out = np.zeros((2, 5, 7, 3), dtype=np.uint8)
    assert to_pixels(image, out) is out
    assert np.array_equal(out, to_pixels(image))
