"""The sLSTM cell: scalar memory with exponential gates, mixed inside each head by a recurrent matrix.

    i, f, z, o = x[t] + y[t-1] R                              per head; x holds input maps and biases of all gates
    m[t] = max(i, m[t-1] + logsigmoid(f))                     stabiliser: nothing above 0 is ever exponentiated
    c[t] = exp(m[t-1] + logsigmoid(f) - m[t]) c[t-1] + exp(i - m[t]) tanh(z)
    n[t] = exp(m[t-1] + logsigmoid(f) - m[t]) n[t-1] + exp(i - m[t])
    y[t] = sigmoid(o) c[t] / n[t]

A fresh row has m = -1e30: the first m is then i and the first n is 1, without a branch, so that rows may start and be
reset one by one. Wherever m rises n becomes at least 1, so the quotient needs no guard.

c and n carry the common factor exp(-m), which the quotient cancels. So m needs no gradient, and the backward pass is
written out by hand: all that does not depend on the step after is computed for the whole sequence at once, and a dozen
operations a step remain. On the CPU in single precision a compiled loop takes the maps along: `slstm_mapped.py`.

Source: Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory", arXiv 2405.04517, section 2.2 and appendix A.
Letters: B batch, S length, N heads, K width of a head, H = 4 K the gates of a head in the order i, f, z, o.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from triptych.models.xlstm._dispatch import full_precision, is_eager

FRESH = -1e30
"""Stabiliser of a row that has seen nothing; finite, so that no difference of infinities can arise."""

State = tuple[Tensor, Tensor, Tensor, Tensor]
"""y, c, n, m, each of shape (B, N, K)."""


def fresh_state(batch: int, heads: int, width: int, like: Tensor) -> State:
    """The state of rows that have seen nothing, on the device and with the dtype of `like`."""
    zeros = like.new_zeros(batch, heads, width)
    return zeros, zeros.clone(), zeros.clone(), torch.full_like(zeros, FRESH)


def step(x_BNH: Tensor, recurrent_NKH: Tensor, state: State) -> tuple[Tensor, State]:
    """One step.

    Args:
        x_BNH: input maps plus biases of the gates, shape (batch, heads, 4 * width).
        recurrent_NKH: recurrent matrix, shape (heads, width, 4 * width).
        state: before the step; left as it is.

    Returns:
        Output of shape (batch, heads, width) and the state after the step.
    """
    y, c, n, m = state
    mixed = torch.matmul(y[:, :, None], recurrent_NKH)[:, :, 0]
    i, f, z, o = (x_BNH + mixed).chunk(4, dim=-1)
    kept = m + F.logsigmoid(f)
    m = torch.maximum(i, kept)
    enters, stays = torch.exp(i - m), torch.exp(kept - m)
    c = stays * c + enters * torch.tanh(z)
    n = stays * n + enters
    y = torch.sigmoid(o) * (c / n)
    return y, (y, c, n, m)


def unrolled(x_BSNH: Tensor, recurrent_NKH: Tensor, state: State) -> tuple[Tensor, State]:
    """The whole sequence step by step: what `sequence` must equal, and what is exported."""
    outputs = []
    for x_BNH in x_BSNH.unbind(1):
        y, state = step(x_BNH, recurrent_NKH, state)
        outputs.append(y)
    return torch.stack(outputs, dim=1), state


def scanned(x_BSNH: Tensor, recurrent_NKH: Tensor, state: State) -> tuple[Tensor, State]:
    """As `unrolled`, with the loop as one operation of the graph, so that a graph does not grow with the length.

    It has no gradient: torch can export a scan only where nothing asks for one, also when gradients are on.
    """
    x_BSNH, recurrent_NKH, state = x_BSNH.detach(), recurrent_NKH.detach(), _detached(state)

    def one(before: State, x_BNH: Tensor) -> tuple[State, Tensor]:
        y, after = step(x_BNH, recurrent_NKH, before)
        # What goes around and what comes out must not be one tensor.
        return after, y.clone()

    with torch.no_grad():
        after, outputs = scan(one, state, x_BSNH.transpose(0, 1))
    return outputs.transpose(0, 1), after


def _detached(state: State) -> State:
    y, c, n, m = state
    return y.detach(), c.detach(), n.detach(), m.detach()


def sequence(x_BSNH: Tensor, recurrent_NKH: Tensor, state: State) -> tuple[Tensor, State]:
    """The whole sequence.

    Args:
        x_BSNH: input maps plus biases, shape (batch, length, heads, 4 * width).
        recurrent_NKH: recurrent matrix, shape (heads, width, 4 * width).
        state: before the first step; left as it is.

    Returns:
        Outputs of shape (batch, length, heads, width) and the state after the last step. Gradients reach the inputs,
        the recurrent matrix and y, c, n of the state.
    """
    with full_precision(x_BSNH):
        x_BSNH, recurrent_NKH = x_BSNH.to(state[0].dtype), recurrent_NKH.to(state[0].dtype)
        if torch.compiler.is_exporting():
            return scanned(x_BSNH, recurrent_NKH, state)
        if not is_eager(x_BSNH):
            return unrolled(x_BSNH, recurrent_NKH, state)
        y_BSNK, y, c, n, m = _TensorSequence.apply(x_BSNH, recurrent_NKH, *state)  # type: ignore[no-untyped-call]
    return y_BSNK, (y, c, n, m)


class _TensorSequence(torch.autograd.Function):
    """Both passes with tensor operations, for any device and precision."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, recurrent: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        length, heads, width = x.shape[1], *recurrent.shape[:2]
        # Gates first, so that each is one block of memory; one small matrix a gate and a head.
        x_SGBK = (
            torch.unflatten(x, -1, (4, width)).permute(1, 3, 2, 0, 4).reshape(length, 4 * heads, -1, width).contiguous()
        )
        matrices = (
            torch.unflatten(recurrent, -1, (4, width)).permute(2, 0, 1, 3).reshape(4 * heads, width, width).contiguous()
        )
        raw = torch.empty_like(x_SGBK)
        ys, cs, ns, ms = (x.new_empty((length + 1, heads, x.shape[0], width)) for _ in range(4))
        for place, first in zip((ys, cs, ns, ms), state, strict=True):
            place[0] = first.transpose(0, 1)
        for t in range(length):
            torch.baddbmm(x_SGBK[t], ys[t].repeat(4, 1, 1), matrices, out=raw[t])
            i, f, z, o = raw[t].chunk(4)
            kept = F.logsigmoid(f) + ms[t]
            after = torch.maximum(i, kept, out=ms[t + 1])
            enters, stays = torch.sub(i, after).exp_(), kept.sub_(after).exp_()
            torch.mul(stays, cs[t], out=cs[t + 1]).addcmul_(enters, torch.tanh(z))
            torch.addcmul(enters, stays, ns[t], out=ns[t + 1])
            torch.div(cs[t + 1], ns[t + 1], out=ys[t + 1]).mul_(torch.sigmoid(o))
        ctx.save_for_backward(raw, recurrent, matrices, ys, cs, ns, ms)
        last = [one[-1].transpose(0, 1).contiguous() for one in (ys, cs, ns, ms)]
        ctx.mark_non_differentiable(last[3])
        return ys[1:].permute(2, 0, 1, 3).contiguous(), *last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor, d_y: Tensor, d_c: Tensor, d_n: Tensor, _: Tensor) -> tuple[Any, ...]:
        raw, recurrent, matrices, ys, cs, ns, ms = ctx.saved_tensors
        i, f, z, o = raw.chunk(4, dim=1)
        enters, stays = torch.exp(i - ms[1:]), torch.exp(F.logsigmoid(f) + ms[:-1] - ms[1:])
        opened, proposed, quotient = torch.sigmoid(o), torch.tanh(z), cs[1:] / ns[1:]
        by_output, by_memory = opened * (1 - opened) * quotient, opened / ns[1:]
        entered, by_proposal = enters * proposed, enters * (1 - proposed * proposed)
        slope = stays * torch.sigmoid(-f)
        by_forgetting_c, by_forgetting_n = slope * cs[:-1], slope * ns[:-1]
        d_raw = torch.empty_like(raw)
        transposed = matrices.transpose(1, 2).contiguous()
        d_y, d_c, d_n = (one.transpose(0, 1).contiguous() for one in (d_y, d_c, d_n))
        given = d_out.permute(1, 2, 0, 3).contiguous()
        for t in range(len(raw) - 1, -1, -1):
            d_y = d_y + given[t]
            d_i, d_f, d_z, d_o = d_raw[t].chunk(4)
            share = d_y * by_memory[t]
            d_c, d_n = d_c + share, d_n - share * quotient[t]
            torch.mul(d_y, by_output[t], out=d_o)
            torch.mul(d_c, by_proposal[t], out=d_z)
            torch.mul(d_c, entered[t], out=d_i).addcmul_(d_n, enters[t])
            torch.mul(d_c, by_forgetting_c[t], out=d_f).addcmul_(d_n, by_forgetting_n[t])
            d_c, d_n = d_c * stays[t], d_n * stays[t]
            d_y = torch.unflatten(torch.bmm(d_raw[t], transposed), 0, (4, -1)).sum(dim=0)
        heads = len(recurrent)
        d_x = torch.unflatten(d_raw, 1, (4, heads)).permute(3, 0, 2, 1, 4).flatten(-2).contiguous()
        outputs = ys[1:].permute(2, 0, 1, 3)
        d_first = (one.transpose(0, 1).contiguous() for one in (d_y, d_c, d_n))
        return d_x, _for_recurrent(ys[0].transpose(0, 1), outputs, d_x), *d_first, None


def _for_recurrent(y_BNK: Tensor, ys_BSNK: Tensor, d_raw_BSNH: Tensor) -> Tensor:
    """Gradient of the recurrent matrix: outputs before each step times the gradients of the step, a product a head."""
    before = torch.cat([y_BNK[:, None], ys_BSNK[:, :-1]], dim=1)
    heads, width = before.shape[2:]
    left = before.permute(2, 3, 0, 1).reshape(heads, width, -1)
    return torch.bmm(left, d_raw_BSNH.permute(2, 0, 1, 3).reshape(heads, left.shape[2], -1))
