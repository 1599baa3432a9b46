"""What surrounds the mLSTM cell as compiled loops on the CPU: one pass over memory where tensor operations take many.

Formulas stand in `fused.py`. All arrays are contiguous and of single precision; kernels are serial and release the
interpreter's lock. Gradients of weights are summed row by row of the batch, so that long sums keep their digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from triptych.models.xlstm._functions import exponential, logistic, normal_tail
from triptych.models.xlstm._tiles import _F, kernel, widest


@kernel
def quads_forward(x: Any, transposed: Any, y: Any) -> None:
    """Fill `y` (T, G, 4) from `x` (T, G, 4) and matrices (G, inputs 4, outputs 4)."""
    steps, groups, _ = x.shape
    for t in range(steps):
        for g in range(groups):
            a, b, c, d = x[t, g, 0], x[t, g, 1], x[t, g, 2], x[t, g, 3]
            for o in range(4):
                y[t, g, o] = (
                    a * transposed[g, 0, o]
                    + b * transposed[g, 1, o]
                    + c * transposed[g, 2, o]
                    + d * transposed[g, 3, o]
                )


@kernel
def quads_backward(x: Any, weight: Any, d_y: Any, d_x: Any, d_weight: Any) -> None:
    """Fill `d_x` (T, G, 4), and add to `d_weight` (G, outputs 4, inputs 4)."""
    steps, groups, _ = x.shape
    part = np.zeros_like(d_weight)
    for t in range(steps):
        for g in range(groups):
            a, b, c, d = d_y[t, g, 0], d_y[t, g, 1], d_y[t, g, 2], d_y[t, g, 3]
            for i in range(4):
                seen = x[t, g, i]
                d_x[t, g, i] = a * weight[g, 0, i] + b * weight[g, 1, i] + c * weight[g, 2, i] + d * weight[g, 3, i]
                part[g, 0, i] += a * seen
                part[g, 1, i] += b * seen
                part[g, 2, i] += c * seen
                part[g, 3, i] += d * seen
        if t % 256 == 255 or t == steps - 1:
            d_weight += part
            part[:] = _F(0.0)


@kernel
def convolution_forward(seen: Any, weight: Any, bias: Any, filtered: Any, opened: Any) -> None:
    """Fill `filtered` and its SiLU `opened` (B, S, D) from `seen` (B, S + kernel - 1, D), `weight` (kernel, D)."""
    batch, length, width = filtered.shape
    lags = len(weight)
    for row in range(batch):
        for t in range(length):
            out, active = filtered[row, t], opened[row, t]
            for d in range(width):  # an assignment to the whole line takes longer than the filter
                out[d] = bias[d]
            for lag in range(lags):
                line, factor = seen[row, t + lag], weight[lag]
                for d in range(width):
                    out[d] += line[d] * factor[d]
            for d in range(width):
                active[d] = out[d] * logistic(out[d])


@kernel
def convolution_backward(
    seen: Any, weight: Any, filtered: Any, d_opened: Any, d_seen: Any, d_weight: Any, d_bias: Any
) -> None:
    """Add to `d_seen`, `d_weight` and `d_bias`, which come in as zeros."""
    widest()
    batch, length, width = filtered.shape
    lags = len(weight)
    slope = np.empty(width, _F)
    part, part_bias = np.zeros_like(d_weight), np.zeros_like(d_bias)
    for row in range(batch):
        part[:], part_bias[:] = _F(0.0), _F(0.0)
        for t in range(length):
            out, given = filtered[row, t], d_opened[row, t]
            for d in range(width):
                share = logistic(out[d])
                slope[d] = given[d] * share * (_F(1.0) + out[d] * (_F(1.0) - share))
                part_bias[d] += slope[d]
            for lag in range(lags):
                line, factor, into, sums = seen[row, t + lag], weight[lag], d_seen[row, t + lag], part[lag]
                for d in range(width):
                    into[d] += slope[d] * factor[d]
                    sums[d] += slope[d] * line[d]
        d_weight += part
        d_bias += part_bias


@kernel
def output_forward(
    h: Any, scale: Any, skip: Any, u: Any, gate: Any, epsilon: Any, out: Any, means: Any, roots: Any
) -> None:
    """Fill `out` (T, N, K); `means` and `roots` (T, N) are each head's mean and inverse deviation."""
    steps, heads, width = h.shape
    for t in range(steps):
        for n in range(heads):
            x = h[t, n]
            total = _F(0.0)
            for k in range(width):
                total += x[k]
            mean = total / _F(width)
            squares = _F(0.0)
            for k in range(width):
                squares += (x[k] - mean) * (x[k] - mean)
            root = _F(1.0) / np.sqrt(squares / _F(width) + epsilon)
            means[t, n], roots[t, n] = mean, root
            g, passed, found, factor, past = gate[t, n], u[t, n], out[t, n], scale[n], skip[n]
            for k in range(width):
                mixed = (x[k] - mean) * root * factor[k] + past[k] * passed[k]
                found[k] = mixed * g[k] * logistic(g[k])


@kernel
def output_backward(
    h: Any, scale: Any, skip: Any, u: Any, gate: Any, means: Any, roots: Any, d_out: Any, d_h: Any, d_scale: Any,
    d_skip: Any, d_u: Any, d_gate: Any,
) -> None:  # fmt: skip
    """Fill `d_h`, `d_u`, `d_gate` (T, N, K); add to `d_scale` and `d_skip` (N, K)."""
    steps, heads, width = h.shape
    normal, inner = np.empty(width, _F), np.empty(width, _F)
    part_scale, part_skip = np.zeros_like(d_scale), np.zeros_like(d_skip)
    for t in range(steps):
        for n in range(heads):
            x, g, passed, given = h[t, n], gate[t, n], u[t, n], d_out[t, n]
            factor, past, sums_scale, sums_skip = scale[n], skip[n], part_scale[n], part_skip[n]
            by_gate, by_u, by_h = d_gate[t, n], d_u[t, n], d_h[t, n]
            mean, root = means[t, n], roots[t, n]
            total, product = _F(0.0), _F(0.0)
            for k in range(width):
                share = logistic(g[k])
                normal[k] = (x[k] - mean) * root
                mixed = normal[k] * factor[k] + past[k] * passed[k]
                by_gate[k] = given[k] * mixed * share * (_F(1.0) + g[k] * (_F(1.0) - share))
                through = given[k] * g[k] * share
                by_u[k] = through * past[k]
                sums_skip[k] += through * passed[k]
                sums_scale[k] += through * normal[k]
                inner[k] = through * factor[k]
                total += inner[k]
                product += inner[k] * normal[k]
            total, product = total / _F(width), product / _F(width)
            for k in range(width):
                by_h[k] = root * (inner[k] - total - normal[k] * product)
        if t % 256 == 255 or t == steps - 1:
            d_scale += part_scale
            d_skip += part_skip
            part_scale[:] = _F(0.0)
            part_skip[:] = _F(0.0)


@kernel
def bell_gate_forward(x: Any, y: Any) -> None:
    """Fill `y` (T, I) with GELU of the left half of `x` (T, 2 I) times the right half."""
    widest()
    steps, inner = y.shape
    for t in range(steps):
        gate, value, out = x[t, :inner], x[t, inner:], y[t]
        for e in range(inner):
            a = gate[e]
            tail = normal_tail(a, exponential(_F(-0.5) * a * a))
            share = tail if a < _F(0.0) else _F(1.0) - tail
            out[e] = a * share * value[e]


@kernel
def bell_gate_backward(x: Any, d_y: Any, d_x: Any) -> None:
    """Fill `d_x` (T, 2 I)."""
    widest()
    steps, inner = d_y.shape
    for t in range(steps):
        gate, value, given = x[t, :inner], x[t, inner:], d_y[t]
        d_gate, d_value = d_x[t, :inner], d_x[t, inner:]
        for e in range(inner):
            a = gate[e]
            bell = exponential(_F(-0.5) * a * a)
            tail = normal_tail(a, bell)
            share = tail if a < _F(0.0) else _F(1.0) - tail
            d_value[e] = given[e] * a * share
            d_gate[e] = given[e] * value[e] * (share + a * bell * _F(0.3989422804014327))
