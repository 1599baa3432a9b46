"""The mLSTM cell: matrix memory with exponential gates and no recurrence between steps, in three forms that agree.

    lf[t] = logsigmoid(f[t])
    m[t] = max(lf[t] + m[t-1], i[t])                                              stabiliser
    C[t] = exp(lf[t] + m[t-1] - m[t]) C[t-1] + exp(i[t] - m[t]) k[t] v[t]^T      memory, K x K
    n[t] = exp(lf[t] + m[t-1] - m[t]) n[t-1] + exp(i[t] - m[t]) k[t]             normaliser
    h[t] = q[t]^T C[t] / (max(abs(q[t]^T n[t]), exp(-m[t])) + 1e-6)

with k divided by sqrt(K). `recurrent` walks through it. With F the running sum of lf, b[s] = i[s] - F[s] and
M[t] = max over s <= t of b[s], the same output is a product of matrices (`parallel`):

    P[t,s] = (q[t] k[s]) exp(b[s] - M[t]) for s <= t,    h = P V / (max(abs(sum of P over s), exp(-F - M)) + 1e-6)

and `chunkwise` joins the two: products inside chunks, the memory handed from chunk to chunk, so that time and memory
grow with the length and not with its square. Written with b and M no matrix of gate sums is ever formed, and the
exponent is never above 0. On the CPU in single precision `sequence` takes a compiled loop (`_mlstm_kernels.py`), which
goes by chunks too, each row and head by itself with its memory in the processor's cache; `mlstm_mapped.py` takes the
maps of queries, keys and values along, so that these never go to main memory.

The loop's backward pass keeps no memory either. It makes those before each chunk once more, then goes backwards with
the gradient G of the memory. The gates need no C: with dh the gradient of h, those of i and of lf are

    di[t] = k[t] dk[t],    dlf[t] = dlf[t+1] + q[t] dq[t] - k[t] dk[t],    dlf[S+1] = <G[S], C[S]> + <dn[S], n[S]>,

because each exponent F[t] - F[s] + i[s] enters through one product q[t] k[s] only.

The stabiliser cancels in h (but for 1e-6), so it needs no gradient. exp(-m) is cut at exp(80): below gates of -80 an
output is nothing in single precision anyway, and the overflow would turn gradients into NaN.

Source: Beck et al. 2024, arXiv 2405.04517, section 2.3 and appendix A; Beck et al. 2025, "Tiled Flash Linear
Attention", arXiv 2503.14376, section 2 (chunkwise form).
Letters: B batch, N heads, S length, L length of a chunk, K width of a head's queries and keys, V of its values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from triptych.models.xlstm import _mlstm_rows as kernels
from triptych.models.xlstm._dispatch import full_precision, takes_kernel
from triptych.models.xlstm._tiles import LANES

FRESH = -1e30
"""Stabiliser of a row that has seen nothing."""
LOWEST = -80.0
EPSILON = 1e-6
LIMITS = np.float32(LOWEST), np.float32(EPSILON)
CHUNK = 64

State = tuple[Tensor, Tensor, Tensor]
"""C (B, N, K, V), n (B, N, K), m (B, N)."""


def fresh_state(batch: int, heads: int, width: int, values: int, like: Tensor) -> State:
    """The state of rows that have seen nothing, on the device and with the dtype of `like`."""
    memory = like.new_zeros(batch, heads, width, values)
    return memory, like.new_zeros(batch, heads, width), like.new_full((batch, heads), FRESH)


def sequence(
    q_BSNK: Tensor, k_BSNK: Tensor, v_BSNV: Tensor, i_BSN: Tensor, f_BSN: Tensor, state: State, chunk: int = CHUNK
) -> tuple[Tensor, State]:
    """The whole sequence, by the fastest form for the device.

    Args:
        q_BSNK, k_BSNK, v_BSNV: queries, keys and values.
        i_BSN, f_BSN: gate pre-activations.
        state: before the first step; left as it is.
        chunk: steps in a chunk of the chunkwise form.

    Mixed precision does not reach inside: inputs are taken in the dtype of the state.

    Returns:
        Outputs of shape (B, S, N, V) and the state after the last step. Gradients reach all inputs, and C and n of the
        state.
    """
    with full_precision(q_BSNK):
        tensors = tuple(one.to(state[0].dtype) for one in (q_BSNK, k_BSNK, v_BSNV, i_BSN, f_BSN))
        return _sequence(tensors, state, chunk)


def _sequence(tensors: tuple[Tensor, ...], state: State, chunk: int) -> tuple[Tensor, State]:
    if takes_kernel(*tensors, *state):
        return _compiled(tensors, state)
    q, k, v, i, f = (one.transpose(1, 2) for one in tensors)
    h, after = chunkwise(q, k, v, i, f, state, chunk)
    return h.transpose(1, 2), after


def _compiled(tensors: tuple[Tensor, ...], state: State) -> tuple[Tensor, State]:
    """Through the compiled loop, heads filled up to the width of its tiles."""
    width, values = state[0].shape[2:]
    more_k, more_v = -width % LANES, -values % LANES
    memory, mass, m = state
    vectors, gates = list(tensors[:3]), [one.transpose(1, 2) for one in tensors[3:]]
    if more_k or more_v:
        vectors = [F.pad(one, (0, more)) for one, more in zip(vectors, (more_k, more_k, more_v), strict=True)]
        memory, mass = F.pad(memory, (0, more_v, 0, more_k)), F.pad(mass, (0, more_k))
    h, memory, mass, m = _CompiledSequence.apply(width**-0.5, *vectors, *gates, memory, mass, m)  # type: ignore[no-untyped-call]
    if more_k or more_v:
        h, memory, mass = h[..., :values], memory[:, :, :width, :values], mass[..., :width]
    return h, (memory, mass, m)


def step(q_BNK: Tensor, k_BNK: Tensor, v_BNK: Tensor, i_BN: Tensor, f_BN: Tensor, state: State) -> tuple[Tensor, State]:
    """One step: output of shape (B, N, K) and the state after it; the given state stays as it is."""
    memory, mass, m = state
    kept = F.logsigmoid(f_BN) + m
    top = torch.maximum(kept, i_BN)
    enters, stays = torch.exp(i_BN - top)[..., None], torch.exp(kept - top)[..., None]
    k = k_BNK / math.sqrt(k_BNK.shape[-1]) * enters
    memory = stays[..., None] * memory + k[..., :, None] * v_BNK[..., None, :]
    mass = stays * mass + k
    numerator = torch.matmul(q_BNK[..., None, :], memory)[..., 0, :]
    denominator = (q_BNK * mass).sum(dim=-1, keepdim=True).abs()
    floor = torch.exp(-top.clamp(min=LOWEST))[..., None]
    return numerator / (torch.maximum(denominator, floor) + EPSILON), (memory, mass, top)


def recurrent(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, state: State) -> tuple[Tensor, State]:
    """Step by step through q, k, v of shape (B, N, S, K) and i, f of shape (B, N, S)."""
    outputs = []
    for t in range(q.shape[2]):
        h, state = step(q[:, :, t], k[:, :, t], v[:, :, t], i[:, :, t], f[:, :, t], state)
        outputs.append(h)
    return torch.stack(outputs, dim=2), state


def parallel(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor) -> Tensor:
    """The whole sequence at once from a fresh state: shapes as in `recurrent`; memory grows with S squared."""
    return chunkwise(q, k, v, i, f, fresh_state(q.shape[0], q.shape[1], q.shape[3], v.shape[3], q), q.shape[2])[0]


def chunkwise(
    q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, state: State, chunk: int = CHUNK
) -> tuple[Tensor, State]:
    """Chunk by chunk; any length, also one that is no multiple of `chunk`.

    Args:
        q, k, v: queries, keys and values, shape (B, N, S, K), values (B, N, S, V).
        i, f: gate pre-activations, shape (B, N, S).
        state: before the first step; left as it is.
        chunk: steps in a chunk.

    Returns:
        Outputs of shape (B, N, S, V) and the state after the last step.
    """
    length = q.shape[2]
    chunk = min(chunk, length)
    k = k / math.sqrt(k.shape[-1])
    missing = -length % chunk
    if missing:  # steps that keep everything and let nothing in
        q, k, v = (F.pad(one, (0, 0, 0, missing)) for one in (q, k, v))
        i, f = F.pad(i, (0, missing), value=FRESH), F.pad(f, (0, missing), value=-FRESH)
    q, k, v = (torch.unflatten(one, 2, (-1, chunk)) for one in (q, k, v))
    i, f = (torch.unflatten(one, 2, (-1, chunk)) for one in (i, f))
    total_BNcL = F.logsigmoid(f).cumsum(dim=-1)
    inflow = i - total_BNcL
    seen = inflow[..., None, :].masked_fill(_above(chunk, q.device), -torch.inf)
    highest = seen.detach().amax(dim=-1)  # a running maximum; ONNX has no other
    befores, state = _handed_over(k, v, total_BNcL[..., -1], inflow, highest[..., -1], state)
    memory, mass, m = (torch.stack(one, dim=2) for one in zip(*befores, strict=True))
    top = torch.maximum(highest, m[..., None])
    carried = torch.exp(m[..., None] - top)[..., None]
    decay = torch.exp(seen - top[..., None])
    weights = torch.matmul(q, k.transpose(-1, -2)) * decay
    numerator = torch.matmul(weights, v) + carried * torch.matmul(q, memory)
    denominator = weights.sum(dim=-1, keepdim=True) + carried * torch.matmul(q, mass[..., None])
    floor = torch.exp(-(total_BNcL.detach() + top).clamp(min=LOWEST))[..., None]
    moved = _one_with_gradient_of(total_BNcL)[..., None]
    h = numerator * moved / (torch.maximum((denominator * moved).abs(), floor) + EPSILON)
    return h.flatten(2, 3)[:, :, :length], state


def _handed_over(
    k: Tensor, v: Tensor, total: Tensor, inflow: Tensor, highest: Tensor, state: State
) -> tuple[list[State], State]:
    """The states before each chunk, and the one after the last."""
    memory, mass, m = state
    befores = []
    for c in range(k.shape[2]):
        befores.append((memory, mass, m))
        top = torch.maximum(m, highest[:, :, c])
        moved = _one_with_gradient_of(total[:, :, c])[..., None]
        stays = moved * torch.exp(m - top)[..., None]
        enters = k[:, :, c] * (moved * torch.exp(inflow[:, :, c] - top[..., None]))[..., None]
        memory = stays[..., None] * memory + torch.matmul(enters.transpose(-1, -2), v[:, :, c])
        mass = stays * mass + enters.sum(dim=2)
        m = (top + total[:, :, c]).detach()
    return befores, (memory, mass, m)


def _one_with_gradient_of(exponent: Tensor) -> Tensor:
    """exp(x) / exp(x) with the numerator's gradient only: a factor that the stabiliser has taken out of the value."""
    return torch.exp(exponent - exponent.detach())


def _above(chunk: int, device: torch.device) -> Tensor:
    """What a step may not see of its chunk: True above the diagonal."""
    return torch.ones(chunk, chunk, dtype=torch.bool, device=device).triu(1)


def gradients_of_last(
    d_memory: Tensor | None, d_mass: Tensor | None, memory: Tensor, mass: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """What a backward pass begins with: <G, C> + <dn, n> of the last state, shape (B, N), and G and dn to write into.

    None stands for a last state that nothing was made of, as in most training: its zeros need no products.
    """
    if d_memory is None and d_mass is None:
        return mass.new_zeros(mass.shape[:2]), [torch.zeros_like(memory), torch.zeros_like(mass)]
    pairs = ((d_memory, memory), (d_mass, mass))
    given = [
        torch.zeros_like(like) if one is None else one.clone(memory_format=torch.contiguous_format)
        for one, like in pairs
    ]
    return (given[0] * memory).sum(dim=(2, 3)) + (given[1] * mass).sum(dim=2), given


class _CompiledSequence(torch.autograd.Function):
    """Both passes as loops over rows, heads and chunks. Gates come as (B, N, S), widths are multiples of sixteen."""

    @staticmethod
    def forward(ctx: Any, scale: float, *tensors: Tensor) -> tuple[Tensor, ...]:
        q, k, v, i, f, *state = (one.detach().contiguous() for one in tensors)
        h, signs, divisors = torch.empty_like(v), torch.empty_like(i), torch.empty_like(i)
        memory, mass, m = (one.clone() for one in state)
        flat = (q.view(-1), k.view(-1), v.view(-1), i, f, memory.flatten(2), mass, m)
        run: Any = kernels.cells_forward
        run(
            *(one.numpy() for one in flat), np.float32(scale), *LIMITS, h.view(-1).numpy(), signs.numpy(),
            divisors.numpy(),
        )  # fmt: skip
        ctx.scale = scale
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(q, k, v, i, f, *state, h, signs, divisors, memory, mass)
        ctx.mark_non_differentiable(m)
        return h, memory, mass, m

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_h: Tensor | None, d_memory: Tensor | None, d_mass: Tensor | None, _: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        q, k, v, i, f, first, first_mass, m, h, signs, divisors, memory, mass = ctx.saved_tensors
        d_flow, d_first = gradients_of_last(d_memory, d_mass, memory, mass)
        d_h = torch.zeros_like(h) if d_h is None else d_h
        d_inputs = [torch.empty_like(one) for one in (q, k, v, i, f)]
        given = (q.view(-1), k.view(-1), v.view(-1), i, f, first.flatten(2), first_mass, m)
        d_q, d_k, d_v, *d_gates = d_inputs
        rest = (
            h.view(-1), signs, divisors, d_h.contiguous().view(-1), d_flow, d_first[0].flatten(2), d_first[1],
            d_q.view(-1), d_k.view(-1), d_v.view(-1), *d_gates,
        )  # fmt: skip
        run: Any = kernels.cells_backward
        run(*(one.numpy() for one in given), np.float32(ctx.scale), LIMITS[1], *(one.numpy() for one in rest))
        return None, *d_inputs, *d_first, None
