from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from triptych.images import create_encoding
from triptych.images._kept_memory import ALIGNMENT, LEAST_BYTES, KeptMemory

SHAPE = (4, 1, 128, 128)
N_BYTES = 4 * 128 * 128 * 4
MANY = 100 * N_BYTES


def place_of(tensor: torch.Tensor) -> int:
    return tensor.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tensor_is_what_was_asked_for(dtype):
    tensor = KeptMemory(MANY).empty(SHAPE, dtype)
    assert tensor.shape == SHAPE
    assert tensor.dtype == dtype
    assert tensor.is_contiguous()
    assert place_of(tensor) % ALIGNMENT == 0
    assert tensor.fill_(3).sum() == 3 * 4 * 128 * 128


def test_memory_is_used_again_once_its_tensor_is_gone():
    memory = KeptMemory(MANY)
    first = memory.empty(SHAPE, torch.float32)
    place = place_of(first)
    del first
    assert place_of(memory.empty(SHAPE, torch.float32)) == place


@pytest.mark.parametrize("view", [lambda x: x[2, 0, 5], lambda x: x.numpy()[1], lambda x: x.detach().flatten(), list])
def test_memory_is_left_alone_while_any_view_of_the_tensor_lives(view):
    memory = KeptMemory(MANY)
    tensor = memory.empty(SHAPE, torch.float32).fill_(1)
    held = view(tensor)
    del tensor
    gc.collect()
    memory.empty(SHAPE, torch.float32).fill_(2)
    assert all(np.all(np.asarray(part) == 1) for part in held)


def test_tensors_that_live_at_the_same_time_have_memory_of_their_own():
    memory = KeptMemory(MANY)
    tensors = [memory.empty(SHAPE, torch.float32).fill_(i) for i in range(5)]
    assert [float(tensor.mean()) for tensor in tensors] == [0, 1, 2, 3, 4]


def test_no_more_is_kept_than_was_said():
    memory = KeptMemory(2 * N_BYTES)
    held = [memory.empty(SHAPE, torch.float32) for _ in range(5)]
    del held
    assert [kept.n_bytes for kept in memory._free] == [N_BYTES, N_BYTES]


def test_memory_of_another_size_makes_room_for_what_is_asked_for_now():
    memory = KeptMemory(2 * N_BYTES)
    for shape in (SHAPE, (3, 1, 128, 128), (3, 1, 128, 128), (3, 1, 128, 128)):
        held = [memory.empty(shape, torch.float32) for _ in range(2)]
        del held
    assert [kept.n_bytes for kept in memory._free] == [3 * N_BYTES // 4, 3 * N_BYTES // 4]


@pytest.mark.parametrize("n", [LEAST_BYTES // 4 - 1, MANY // 8 + 1])
def test_the_small_and_the_huge_are_made_as_always(n):
    memory = KeptMemory(MANY)
    tensor = memory.empty((n,), torch.float32)
    del tensor
    assert memory._free == []


def test_several_threads_get_memory_of_their_own():
    memory = KeptMemory(MANY)

    def fill(value: int) -> bool:
        tensor = memory.empty(SHAPE, torch.float32).fill_(value)
        return bool((tensor == value).all())

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(fill, range(200)))


def test_images_that_are_held_are_not_drawn_over():
    encoding = create_encoding("gasf", 64)
    windows = torch.rand(3, 40, 64, 5, generator=torch.Generator().manual_seed(0)) + 1
    images = [encoding(window) for window in windows]
    del images[1]
    encoding(windows[1])
    assert torch.equal(images[0], encoding(windows[0]))
    assert torch.equal(images[1], encoding(windows[2]))
