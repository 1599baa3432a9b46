"""The maps of queries, keys and values and the mLSTM cell as one operation, with a backward pass of its own.

    q[t] = Q u[t],    k[t] = K u[t],    v[t] = V x[t],    then the cell of `mlstm_cell.py`

where Q, K, V are block-diagonal with blocks of up to sixteen. Four features by four are too few for a processor's
vectors, so blocks go together as one of sixteen by sixteen, zeros and all; see `_mlstm_rows.py`. For single precision
on the CPU; elsewhere the layer maps first and calls `mlstm_cell.sequence`.
Letters: B batch, S length, N heads, K width of a head, D = N K, G blocks of M features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from triptych.models.xlstm import _mlstm_rows as kernels
from triptych.models.xlstm._dispatch import full_precision, takes_kernel
from triptych.models.xlstm._tiles import LANES
from triptych.models.xlstm.mlstm_cell import LIMITS, State, gradients_of_last

Maps = tuple[Tensor, Tensor, Tensor]
"""Of queries, keys and values, each (G, M outputs, M inputs)."""


def mapped_sequence(
    u_BSD: Tensor, x_BSD: Tensor, maps: Maps, i_BSN: Tensor, f_BSN: Tensor, state: State
) -> tuple[Tensor, State] | None:
    """The whole sequence; None where there is no compiled loop for it.

    Args:
        u_BSD: what queries and keys are mapped from.
        x_BSD: what values are mapped from.
        maps: of queries, keys and values.
        i_BSN, f_BSN: gate pre-activations.
        state: before the first step; left as it is.

    Returns:
        Outputs of shape (B, S, N, K) and the state after the last step. Gradients reach all inputs, and C and n of the
        state.
    """
    if LANES % maps[0].shape[1] or state[1].shape[2] % LANES:
        return None
    with full_precision(x_BSD):
        u, x, *rest = (one.to(state[0].dtype) for one in (u_BSD, x_BSD, *maps, i_BSN, f_BSN))
        if not takes_kernel(u, x, *rest, *state):
            return None
        gates = (one.transpose(1, 2) for one in rest[3:])
        h, memory, mass, m = _Mapped.apply(u, x, *rest[:3], *gates, *state)  # type: ignore[no-untyped-call]
    return torch.unflatten(h, -1, state[1].shape[1:]), (memory, mass, m)


class _Mapped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        u, x, query, key, value, i, f, *state = (one.detach().contiguous() for one in tensors)
        maps = [_together(one) for one in (query, key, value)]
        h, signs, divisors = torch.empty_like(x), torch.empty_like(i), torch.empty_like(i)
        memory, mass, m = (one.clone() for one in state)
        given = (u.view(-1), x.view(-1), *(one.view(-1) for one in maps), i, f, memory.flatten(2), mass, m)
        scale = np.float32(mass.shape[2] ** -0.5)
        filled = (h.view(-1), signs, divisors)
        run: Any = kernels.mapped_forward
        run(*(one.numpy() for one in given), scale, *LIMITS, *(one.numpy() for one in filled))
        ctx.block = query.shape[1]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(u, x, *maps, i, f, *state, h, signs, divisors, memory, mass)
        ctx.mark_non_differentiable(m)
        return h, memory, mass, m

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_h: Tensor | None, d_memory: Tensor | None, d_mass: Tensor | None, _: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        u, x, *maps, i, f, first, first_mass, m, h, signs, divisors, memory, mass = ctx.saved_tensors
        d_flow, d_first = gradients_of_last(d_memory, d_mass, memory, mass)
        d_h = torch.zeros_like(h) if d_h is None else d_h
        d_u, d_x, d_i, d_f = (torch.empty_like(one) for one in (u, x, i, f))
        d_maps = [torch.zeros_like(one) for one in maps]
        turned = (one.transpose(1, 2).contiguous() for one in maps)
        given = (*(one.view(-1) for one in (u, x, *maps, *turned)), i, f, first.flatten(2), first_mass, m)
        rest = (
            h.view(-1), signs, divisors, d_h.contiguous().view(-1), d_flow, d_first[0].flatten(2), d_first[1],
            d_u.view(-1), d_x.view(-1), *(one.view(-1) for one in d_maps), d_i, d_f,
        )  # fmt: skip
        scale = np.float32(mass.shape[2] ** -0.5)
        run: Any = kernels.mapped_backward
        run(*(one.numpy() for one in given), scale, LIMITS[1], *(one.numpy() for one in rest))
        return d_u, d_x, *(_apart(one, ctx.block) for one in d_maps), d_i, d_f, *d_first, None


def _together(map_GMM: Tensor) -> Tensor:
    """Blocks as diagonals of blocks of sixteen, inputs first: (D / 16, 16 inputs, 16 outputs)."""
    size = map_GMM.shape[1]
    count = LANES // size
    parts = map_GMM.transpose(1, 2).reshape(-1, count, size, 1, size)
    return (parts * torch.eye(count)[:, None, :, None]).reshape(-1, LANES, LANES).contiguous()


def _apart(wide: Tensor, size: int) -> Tensor:
    """What `_together` has joined."""
    count = LANES // size
    parts = wide.view(-1, count, size, count, size).diagonal(dim1=1, dim2=3)  # (D / 16, inputs, outputs, count)
    return parts.permute(0, 3, 2, 1).reshape(-1, size, size)
