from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from triptych.domain.errors import DataError
from triptych.images import BufferPool, available, create_encoding, encode_into


def windows_of(encoding, batch=3, dtype=torch.float32):
    """Candles that rise and fall, or positive numbers where the columns are others."""
    numbers = torch.rand(batch, encoding.length, len(encoding.columns), generator=torch.Generator().manual_seed(0))
    asks = torch.tensor([column.startswith("ask_price") for column in encoding.columns])
    return (numbers + 1 + asks).to(dtype)  # no bid above an ask


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", available())
def test_encoding_into_a_buffer_gives_the_image(name, dtype):
    encoding = create_encoding(name, 20)
    x = windows_of(encoding, dtype=dtype)
    out = torch.full((3, encoding.channels, encoding.height, encoding.width), torch.nan, dtype=dtype)
    assert encode_into(encoding, x, out) is out
    assert torch.equal(out, encoding(x))


def test_encoding_into_a_buffer_records_no_gradient():
    encoding = create_encoding("candlestick", 20)
    x = windows_of(encoding).requires_grad_()
    out = encode_into(encoding, x, torch.empty(3, 3, 64, 64))
    assert not out.requires_grad
    assert torch.equal(out, encoding(x.detach()))


def refused(*, batch=2, out) -> str:
    encoding = create_encoding("jkx", 5)
    with pytest.raises(DataError) as caught:
        encode_into(encoding, windows_of(encoding, batch), out)
    return str(caught.value)


def test_an_output_of_another_shape_is_refused():
    assert refused(out=torch.empty(3, 1, 32, 15)) == (
        "Expected an output of shape (2, 1, 32, 15), was (3, 1, 32, 15). "
        "Its shape is (batch, channels, height, width) of the encoding."
    )


def test_an_output_of_another_dtype_is_refused():
    assert refused(out=torch.empty(2, 1, 32, 15, dtype=torch.float64)) == (
        "The windows are torch.float32 on cpu, the output is torch.float64 on cpu. "
        "Make the output of the dtype and on the device of the windows."
    )


def test_an_output_that_is_not_contiguous_is_refused():
    assert refused(out=torch.empty(2, 1, 15, 32).transpose(2, 3)) == (
        "The output is not contiguous or requires a gradient. Make it with torch.empty, or borrow it from a BufferPool."
    )


def test_an_output_that_is_no_tensor_is_refused():
    assert refused(out="a text") == (
        "Expected the output as a tensor, was str. Make it with torch.empty, or borrow it from a BufferPool."
    )


def test_a_window_of_another_shape_is_refused():
    with pytest.raises(DataError, match=r"^Expected windows of shape \(batch, 5, 5\), was \(2, 6, 5\)\."):
        encode_into(create_encoding("jkx", 5), torch.ones(2, 6, 5), torch.empty(2, 1, 32, 15))


def test_a_buffer_that_came_back_is_lent_again():
    pool = BufferPool(2, 1, 8, 8)
    with pool.borrow() as first:
        assert first.shape == (2, 1, 8, 8)
        assert first.dtype == torch.float32
    for _ in range(5):
        with pool.borrow() as again:
            assert again.data_ptr() == first.data_ptr()
    assert pool.n_buffers == 1


def test_what_a_borrower_does_to_the_shape_of_a_buffer_stays_with_the_borrower():
    pool = BufferPool(2, 3)
    for misuse in (
        lambda buffer: buffer.resize_(4, 5),
        lambda buffer: buffer.unsqueeze_(0),
        lambda buffer: buffer.requires_grad_(),
        lambda buffer: buffer.t_(),
    ):
        with pool.borrow() as buffer:
            misuse(buffer)
        with pool.borrow() as again:
            assert again.shape == (2, 3)
            assert again.is_contiguous()
            assert not again.requires_grad
    assert pool.n_buffers == 1


@pytest.mark.parametrize("shape", [(-1, 3), (2.5,), ((2, 3),), ("2",)])
def test_a_shape_that_is_none_is_refused(shape):
    with pytest.raises(DataError) as caught:
        BufferPool(*shape)
    assert str(caught.value) == (
        f"Expected the sides of a buffer as whole numbers of at least 0, was {shape}. "
        "Give them one by one: BufferPool(batch, channels, height, width)."
    )


def test_a_dtype_that_is_none_is_refused():
    with pytest.raises(DataError) as caught:
        BufferPool(2, dtype="float32")
    assert str(caught.value) == "Expected a dtype of torch, was 'float32'. Give torch.float32 or torch.float64."


def test_buffers_lent_at_the_same_time_are_different():
    pool = BufferPool(4, dtype=torch.float64)
    with pool.borrow() as one, pool.borrow() as other:
        assert one.data_ptr() != other.data_ptr()
    with pool.borrow(), pool.borrow():
        assert pool.n_buffers == 2


def test_a_buffer_comes_back_when_its_user_fails():
    pool = BufferPool(4)
    with pytest.raises(ValueError, match="broken"), pool.borrow():
        raise ValueError("broken")
    with pool.borrow():
        assert pool.n_buffers == 1


def test_no_two_threads_hold_the_same_buffer():
    pool = BufferPool(1)
    meeting = threading.Barrier(4)

    def work(number: int) -> bool:
        unchanged = True
        for _ in range(200):
            with pool.borrow() as buffer:
                buffer.fill_(number)
                unchanged &= buffer.item() == number
        with pool.borrow() as buffer:
            buffer.fill_(number)
            meeting.wait(timeout=30)
            return unchanged and buffer.item() == number

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
    assert pool.n_buffers == 4
