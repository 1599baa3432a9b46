"""Steps of the layers that pass over the same memory, as one operation each.

    quads(x, W) = W[g] x[g] for each group of four features
    convolved(x, before, w, b) = silu(b + sum over lags of w[lag] x[t - lag])
    gated(h, w, s, u, g) = (norm(h) w + s u) silu(g), norm over each head
    bell_gated(x) = gelu(left half of x) times the right half

Tensor operations are the definition: they are exported and run on any device. On the CPU in single precision a compiled
loop (`_layer_kernels.py`) with a backward pass of its own takes their place.
Letters: B batch, S length, D width, G groups of four, N heads, K width of a head, J steps that the convolution sees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from triptych.models.xlstm import _layer_kernels as kernels
from triptych.models.xlstm._dispatch import takes_kernel

QUAD = 4


def quads(x: Tensor, weight_G44: Tensor) -> Tensor | None:
    """`x` of shape (..., 4 G) times a matrix for each four features; None where there is no compiled loop."""
    if not takes_kernel(x, weight_G44) or weight_G44.shape[1:] != (QUAD, QUAD):
        return None
    out: Tensor = _Quads.apply(x, weight_G44)  # type: ignore[no-untyped-call]
    return out


def convolved(x_BSD: Tensor, before_BJD: Tensor, weight_JD: Tensor, bias_D: Tensor) -> Tensor:
    """SiLU of the causal depthwise convolution; `before` are the J - 1 steps before the first."""
    seen = torch.cat([before_BJD, x_BSD], dim=1)
    if takes_kernel(seen, weight_JD, bias_D):
        out: Tensor = _Convolved.apply(seen, weight_JD, bias_D)  # type: ignore[no-untyped-call]
        return out
    filtered, length = bias_D, x_BSD.shape[1]
    for lag, factor in enumerate(weight_JD):
        filtered = torch.addcmul(filtered, seen[:, lag : lag + length], factor)
    return F.silu(filtered)


def gated(h_BSNK: Tensor, scale_D: Tensor, skip_D: Tensor, u_BSD: Tensor, gate_BSD: Tensor, epsilon: float) -> Tensor:
    """The normalised heads, what goes past the cell, and the gate over both: shape (B, S, D), D = N K."""
    if takes_kernel(h_BSNK, scale_D, skip_D, u_BSD, gate_BSD):
        out: Tensor = _Gated.apply(h_BSNK, scale_D, skip_D, u_BSD, gate_BSD, epsilon)  # type: ignore[no-untyped-call]
        return out
    normal = F.layer_norm(h_BSNK, h_BSNK.shape[-1:], None, None, epsilon).flatten(-2)
    return (normal * scale_D + skip_D * u_BSD) * F.silu(gate_BSD)


def bell_gated(x: Tensor) -> Tensor:
    """GELU of the first half of the features (..., 2 I) times the second half: shape (..., I)."""
    if takes_kernel(x):
        out: Tensor = _BellGated.apply(x)  # type: ignore[no-untyped-call]
        return out
    gate, value = x.chunk(2, dim=-1)
    return F.gelu(gate) * value


class _BellGated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.detach().contiguous()
        inner = x.shape[-1] // 2
        out = torch.empty(*x.shape[:-1], inner)
        kernels.bell_gate_forward(x.view(-1, 2 * inner).numpy(), out.view(-1, inner).numpy())
        ctx.save_for_backward(x)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        inner = x.shape[-1] // 2
        d_x = torch.empty_like(x)
        given = d_out.contiguous().view(-1, inner)
        kernels.bell_gate_backward(x.view(-1, 2 * inner).numpy(), given.numpy(), d_x.view(-1, 2 * inner).numpy())
        return d_x


class _Quads(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        x, weight = x.detach().contiguous(), weight.detach().contiguous()
        out = torch.empty_like(x)
        groups = (-1, len(weight), QUAD)
        kernels.quads_forward(
            x.view(groups).numpy(), weight.transpose(1, 2).contiguous().numpy(), out.view(groups).numpy()
        )
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        d_x, d_weight = torch.empty_like(x), torch.zeros_like(weight)
        groups = (-1, len(weight), QUAD)
        kernels.quads_backward(
            x.view(groups).numpy(), weight.numpy(), d_out.contiguous().view(groups).numpy(), d_x.view(groups).numpy(),
            d_weight.numpy(),
        )  # fmt: skip
        return d_x, d_weight


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, seen: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        seen, weight, bias = (one.detach().contiguous() for one in (seen, weight, bias))
        filtered = torch.empty(len(seen), seen.shape[1] - len(weight) + 1, seen.shape[2])
        out = torch.empty_like(filtered)
        kernels.convolution_forward(*(one.numpy() for one in (seen, weight, bias, filtered, out)))
        ctx.save_for_backward(seen, weight, filtered)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen, weight, filtered = ctx.saved_tensors
        grads = torch.zeros_like(seen), torch.zeros_like(weight), torch.zeros(weight.shape[1])
        kernels.convolution_backward(*(one.numpy() for one in (seen, weight, filtered, d_out.contiguous(), *grads)))
        return grads


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, scale: Tensor, skip: Tensor, u: Tensor, gate: Tensor, epsilon: float) -> Tensor:
        h, scale, skip, u, gate = (one.detach().contiguous() for one in (h, scale, skip, u, gate))
        heads = h.shape[2:]
        out, means = torch.empty_like(u), torch.empty(h.shape[:3])
        roots = torch.empty_like(means)
        h_, u_, gate_, out_ = (one.view(-1, *heads).numpy() for one in (h, u, gate, out))
        scale_, skip_ = (one.view(heads).numpy() for one in (scale, skip))
        means_, roots_ = (one.view(-1, heads[0]).numpy() for one in (means, roots))
        kernels.output_forward(h_, scale_, skip_, u_, gate_, np.float32(epsilon), out_, means_, roots_)
        ctx.save_for_backward(h, scale, skip, u, gate, means, roots)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        h, scale, skip, u, gate, means, roots = ctx.saved_tensors
        heads = h.shape[2:]
        d_h, d_u, d_gate = torch.empty_like(h), torch.empty_like(u), torch.empty_like(gate)
        d_scale, d_skip = torch.zeros_like(scale), torch.zeros_like(skip)
        steps = (h, u, gate, d_out.contiguous(), d_h, d_u, d_gate)
        h_, u_, gate_, given, by_h, by_u, by_gate = (one.view(-1, *heads).numpy() for one in steps)
        scale_, skip_, by_scale, by_skip = (one.view(heads).numpy() for one in (scale, skip, d_scale, d_skip))
        means_, roots_ = (one.view(-1, heads[0]).numpy() for one in (means, roots))
        kernels.output_backward(
            h_, scale_, skip_, u_, gate_, means_, roots_, given, by_h, by_scale, by_skip, by_u, by_gate
        )
        return d_h, d_scale, d_skip, d_u, d_gate, None
