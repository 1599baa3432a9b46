"""The maps of the gates' inputs and the sLSTM cell as one operation, with a backward pass of its own.

    raw[t] = W u[t] | V x[t] + R y[t-1] + b,    then the cell of `slstm_cell.py`

where the input and forget gate see u and the proposal and the output gate see x. Each head is a recurrence by itself,
so its maps are small enough to be multiplied again at every step together with R, and gates need no place in main
memory. For single precision on the CPU; elsewhere the layer maps first and lets `slstm_cell.sequence` walk.
Letters: B batch, S length, N heads, K width of a head.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from triptych.models.xlstm import _slstm_kernels as kernels
from triptych.models.xlstm._dispatch import full_precision, takes_kernel
from triptych.models.xlstm._tiles import LANES
from triptych.models.xlstm.slstm_cell import FRESH, State


def mapped_sequence(
    u_BSNK: Tensor, x_BSNK: Tensor, first_NJK: Tensor, second_NJK: Tensor, bias_NH: Tensor, recurrent_NKH: Tensor,
    state: State,
) -> tuple[Tensor, State] | None:  # fmt: skip
    """The whole sequence; None where there is no compiled loop for it.

    Args:
        u_BSNK, x_BSNK: what input and forget gate see, and what proposal and output gate see.
        first_NJK, second_NJK: their maps, shape (heads, 2 * width, width).
        bias_NH: shape (heads, 4 * width).
        recurrent_NKH: recurrent matrix, shape (heads, width, 4 * width).
        state: before the first step; left as it is.

    Returns:
        Outputs of shape (B, S, N, K) and the state after the last step. Gradients reach all inputs and y, c, n of the
        state.
    """
    with full_precision(x_BSNK):
        given = (u_BSNK, x_BSNK, first_NJK, second_NJK, bias_NH, recurrent_NKH)
        tensors = (*(one.to(state[0].dtype) for one in given), *state)
        if not takes_kernel(*tensors):
            return None
        y_BSNK, y, c, n, m = _Mapped.apply(*tensors, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return y_BSNK, (y, c, n, m)


class _Mapped(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, u: Tensor, x: Tensor, first: Tensor, second: Tensor, bias: Tensor, recurrent: Tensor, y: Tensor,
        c: Tensor, n: Tensor, m: Tensor, is_kept: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        u, x, first, second, bias, recurrent = (
            one.detach().contiguous() for one in (u, x, first, second, bias, recurrent)
        )
        state = [one.detach().contiguous() for one in (y, c, n, m)]
        batch, length, heads, width = x.shape
        maps = _stacked(first, second, recurrent)
        ys, after = torch.empty_like(x), [torch.empty_like(one) for one in state]
        groups = -(-batch // LANES)
        kept = torch.empty((groups, heads, length if is_kept else 1, kernels.KEPT, LANES * width))
        flat = (one.view(-1) for one in (u, x, *maps))
        before, behind = (*flat, bias, *state), (ys.view(-1), kept, *after)
        run: Any = kernels.slstm_forward
        run(*(one.numpy() for one in before), np.float32(FRESH), *(one.numpy() for one in behind))
        ctx.save_for_backward(u, x, *maps, *state[:3], ys, kept)
        ctx.mark_non_differentiable(after[3])
        return ys, *after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor, d_y: Tensor, d_c: Tensor, d_n: Tensor, _: Tensor) -> tuple[Any, ...]:
        u, x, *maps, y, c, n, ys, kept = ctx.saved_tensors
        heads, width = x.shape[2:]
        wide = -(-width // LANES) * LANES
        d_state = [one.clone(memory_format=torch.contiguous_format) for one in (d_y, d_c, d_n)]
        d_u, d_x = torch.empty_like(u), torch.empty_like(x)
        d_maps = [torch.zeros(heads, 2 * width, 2 * wide) for _ in range(2)]
        d_bias = torch.zeros(heads, 4 * width)
        # Vectors are read whole, so there must be something behind the last row.
        u_, x_, y_, ys_ = (F.pad(one.view(-1), (0, -width % LANES)) for one in (u, x, y, ys))
        maps_ = (one.transpose(1, 2).contiguous().view(-1) for one in maps)
        flat = (kept, d_out.contiguous().view(-1), *d_state, d_u.view(-1), d_x.view(-1), *d_maps, d_bias)
        run: Any = kernels.slstm_backward
        run(*(one.numpy() for one in (u_, x_, *maps_, y_, c, n, ys_, *flat)))
        by_u, by_y_first, by_y_second, by_x = (one[..., start : start + width] for one in d_maps for start in (0, wide))
        d_recurrent = torch.cat([by_y_first, by_y_second], dim=1).transpose(1, 2)
        return d_u, d_x, by_u, by_x, d_bias, d_recurrent, *d_state, None, None


def _stacked(first: Tensor, second: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    """Of u above y to the first two gates, and of y above x to the others, (N, 2 K, 2 K) each."""
    by_first, by_second = recurrent.chunk(2, dim=2)
    return (
        torch.cat([first.transpose(1, 2), by_first], dim=1),
        torch.cat([by_second, second.transpose(1, 2)], dim=1),
    )
