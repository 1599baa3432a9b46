from __future__ import annotations

import numpy as np
import pytest
import torch

from triptych.domain.errors import DataError
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


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_value_that_is_no_number_is_refused_by_its_place(dtype, value):
    image = torch.zeros(3, 2, 5, 7, dtype=dtype)
    image[1, 0, 3, 6] = value
    image[2, 1, 0, 0] = value
    with pytest.raises(DataError) as caught:
        to_pixels(image)
    assert str(caught.value) == (
        f"Image 1 of the batch, channel 0, row 3, column 6 is {value}. "
        "Leave out what is not finite before it becomes bytes: the image was not made by an encoding."
    )


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("a text", "str"),
        (torch.zeros(3, 5, 7), "float32 of shape (3, 5, 7)"),
        (torch.zeros(1, 3, 5, 7, dtype=torch.uint8), "uint8 of shape (1, 3, 5, 7)"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(image, found):
    with pytest.raises(DataError) as caught:
        to_pixels(image)
    assert str(caught.value) == (
        "Expected images as a floating tensor of shape (batch, channels, height, width), was "
        f"{found}. Give what an encoding returns; of a single image, image[None]."
    )


@pytest.mark.parametrize(
    "out",
    [np.zeros((1, 5, 7, 3)), np.zeros((1, 3, 5, 7), np.uint8), np.zeros((1, 5, 7, 6), np.uint8)[..., ::2], "a text"],
)
def test_an_output_of_another_form_is_refused(out):
    with pytest.raises(DataError, match=r"^Expected a C-contiguous output of uint8 of shape \(1, 5, 7, 3\), was "):
        to_pixels(torch.zeros(1, 3, 5, 7), out)
