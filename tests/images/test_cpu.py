from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

from triptych.images import create_encoding
from triptych.images._cpu import CORES, Draws, as_array, kernel, kernel_threads, run_shared, takes_kernel

WINDOW = torch.ones(2, 4, 5)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@kernel
def add_one(first: int, end: int, values: np.ndarray) -> None:
    for i in range(first, end):
        values[i] += 1


def test_a_kernel_that_cannot_be_kept_on_disk_works_all_the_same():
    names: dict[str, Any] = {}
    exec(compile("def double(values):\n    values *= 2", "<nowhere>", "exec"), names)
    values = np.ones(3)
    kernel(names["double"])(values)
    assert values.tolist() == [2, 2, 2]


class Chooses(torch.nn.Module):
    """Adds where a kernel would be taken, multiplies where operations are watched."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if takes_kernel(x) else x * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_kernel_is_taken_for_values_on_the_cpu(dtype):
    assert takes_kernel(WINDOW.to(dtype))
    with torch.inference_mode():
        assert takes_kernel(WINDOW.to(dtype) * 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_no_kernel_is_taken_for_other_dtypes(dtype):
    assert not takes_kernel(WINDOW.to(dtype))


def test_no_kernel_is_taken_for_a_tensor_without_values():
    assert not takes_kernel(torch.empty(2, 4, 5, device="meta"))


def test_no_kernel_is_taken_where_a_gradient_is_wanted():
    x = WINDOW.clone().requires_grad_()
    assert not takes_kernel(x)
    with torch.no_grad():
        assert takes_kernel(x)


def test_no_kernel_is_taken_for_forward_mode_derivatives():
    with forward_ad.dual_level():
        assert takes_kernel(WINDOW)
        dual = forward_ad.make_dual(WINDOW, torch.ones_like(WINDOW))
        assert not takes_kernel(dual)
        assert torch.equal(forward_ad.unpack_dual(Chooses()(dual)).tangent, torch.full_like(WINDOW, 3))


def test_forward_mode_derivatives_of_an_encoding_are_right(walk):
    x = walk(1, 8).requires_grad_()
    assert torch.autograd.gradcheck(create_encoding("gasf", 8), (x,), check_forward_ad=True)


def test_no_kernel_is_taken_while_a_graph_is_exported_or_traced():
    dynamic = ({0: torch.export.Dim("batch", min=1)},)
    assert torch.equal(torch.export.export(Chooses(), (WINDOW,), dynamic_shapes=dynamic).module()(WINDOW), WINDOW * 3)
    assert torch.equal(make_fx(Chooses())(WINDOW)(WINDOW), WINDOW * 3)
    assert torch.equal(torch.jit.trace(Chooses(), WINDOW, check_trace=False)(WINDOW), WINDOW * 3)


def test_no_kernel_is_taken_inside_function_transforms():
    assert torch.equal(torch.func.vmap(Chooses())(WINDOW), WINDOW * 3)
    assert torch.equal(torch.func.grad(lambda x: Chooses()(x).sum())(WINDOW), torch.full_like(WINDOW, 3))


def test_an_array_shares_the_memory_of_a_contiguous_tensor_and_copies_any_other():
    x = torch.arange(6.0).reshape(2, 3)
    as_array(x)[0, 0] = 7
    assert x[0, 0] == 7
    turned = as_array(x.T)
    assert turned.flags.c_contiguous
    assert turned.tolist() == x.T.tolist()


@pytest.mark.parametrize(("count", "grain"), [(1, 1), (2, 1), (7, 1), (100, 30), (100, 60), (0, 1)])
def test_shares_cover_every_item_once_and_are_no_smaller_than_the_grain(two_threads, count, grain):
    ranges = []
    run_shared(lambda first, end: ranges.append((first, end)), count, grain=grain)
    covered = [i for first, end in sorted(ranges) for i in range(first, end)]
    assert covered == list(range(count))
    assert len(ranges) <= max(1, min(2, count // grain))
    if len(ranges) > 1:
        assert min(end - first for first, end in ranges) >= grain


def test_one_thread_of_torch_means_the_calling_thread_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        callers = []
        run_shared(lambda first, end: callers.append((first, end, threading.get_ident())), 100)
        assert kernel_threads() == 1
        assert callers == [(0, 100, threading.get_ident())]
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(CORES == 1, reason="needs two cores")
def test_two_threads_of_torch_mean_two_shares(two_threads):
    ranges = []
    run_shared(lambda first, end: ranges.append((first, end)), 10)
    assert sorted(ranges) == [(0, 5), (5, 10)]


@pytest.mark.parametrize("failing", [0, 5])
def test_an_error_in_any_share_reaches_the_caller(two_threads, failing):
    def fail(first: int, end: int) -> None:
        if first <= failing < end:
            raise ValueError("no ink")

    with pytest.raises(ValueError, match=r"^no ink$"):
        run_shared(fail, 10)


def test_many_threads_may_share_out_kernels_at_once(two_threads):
    values = [np.zeros(10_000) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: [run_shared(add_one, len(one), one) for _ in range(50)], values))
    assert [np.unique(one).tolist() for one in values] == [[50.0]] * 8


def test_many_threads_may_draw_with_one_encoding_at_once(two_threads, walk):
    encodings = [create_encoding(name, 20) for name in ("candlestick", "jkx", "gasf")]
    batches = [walk(64, 20, seed=i).float() for i in range(4)]
    jobs = [(encoding, batch) for encoding in encodings for batch in batches] * 3
    alone = [encoding(batch) for encoding, batch in jobs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda job: job[0](job[1]), jobs))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_draws_although_it_inherits_no_threads():
    code = """
import os, sys
import torch
from triptych.images import create_encoding
torch.set_num_threads(2)
chart = create_encoding("candlestick", 20)
windows = torch.rand(200, 20, 5)
expected = chart(windows)
child = os.fork()
if child == 0:
    os._exit(0 if torch.equal(chart(windows), expected) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["volume_profile", "gasf"])  # works in scratch memory; draws into kept memory
def test_children_draw_that_were_forked_while_other_threads_were_drawing(name):
    code = f"""
import faulthandler, os, sys, threading
import torch
from triptych.images import create_encoding
torch.set_num_threads(1)
sys.setswitchinterval(1e-6)
chart = create_encoding({name!r}, 64)
windows = 1 + torch.rand(16, 64, 5)
windows[..., 1] += 1
windows[..., 2] -= 1
expected = chart(windows)
stops = threading.Event()
def draw():
    while not stops.is_set():
        chart(windows)
threads = [threading.Thread(target=draw) for _ in range(3)]
for thread in threads:
    thread.start()
failed = 0
for _ in range(60):
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(20, exit=True)
        os._exit(0 if torch.equal(chart(windows), expected) else 1)
    if os.waitpid(child, 0)[1]:
        failed = 1
        break
stops.set()
for thread in threads:
    thread.join()
sys.exit(failed)
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120).returncode == 0


@pytest.mark.parametrize("name", ["candlestick", "jkx", "gasf", "gadf"])
def test_charts_and_gramian_fields_draw_with_a_kernel(name):
    assert isinstance(create_encoding(name, 20), Draws)
