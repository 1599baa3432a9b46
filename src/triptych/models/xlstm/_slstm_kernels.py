"""The sLSTM layer's gates and recurrence as compiled loops on the CPU: sixteen rows of a batch walk through time.

Formulas and letters stand in `slstm_cell.py`. Rows of the batch lie beside one another in vectors (K, 16), so whatever
the width of a head, gates are long loops and maps are products of small matrices. The maps of the inputs are part of
the product with the last output: gates never lie in main memory. Kernels are serial and release the interpreter's lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from triptych.models.xlstm._functions import exponential, logistic, one_plus_logarithm, tangent
from triptych.models.xlstm._tiles import _F, LANES, inline, kernel, multiply, padded, turn, widest

KEPT = 7
"""What a step leaves for the way back: what stays, what enters, proposal, opening, shutting, c and n."""


@inline
def _begin(x: Any, first: int, head: int, fill: Any, into: Any) -> None:
    """Rows of `x` (B, N, K) as columns; `fill` where the batch has ended."""
    into[:] = fill
    for lane in range(min(LANES, len(x) - first)):
        for k in range(x.shape[2]):
            into[k * LANES + lane] = x[first + lane, head, k]


@inline
def _end(source: Any, first: int, head: int, x: Any) -> None:
    for lane in range(min(LANES, len(x) - first)):
        for k in range(x.shape[2]):
            x[first + lane, head, k] = source[k * LANES + lane]


@kernel
def slstm_forward(
    u: Any, x: Any, first_maps: Any, second_maps: Any, bias: Any, y0: Any, c0: Any, n0: Any, m0: Any, fresh: Any,
    ys: Any, kept: Any, y1: Any, c1: Any, n1: Any, m1: Any,
) -> None:  # fmt: skip
    """Fill `ys` (B, S, N, K), the last state, and `kept` (groups of rows, N, S or 1, 7, 16 K): with 1, none is kept.

    `u` and `x` (B, S, N, K) are what input and forget gate and what proposal and output gate see. Maps are flat: for
    each head the matrix (inputs 2 K, gates 2 K) of u above y, then of y above x. `bias` (N, 4 K).
    """
    widest()
    batch, heads, width = y0.shape
    length = x.size // y0.size
    whole, row_step, step = LANES * width, x.size // batch, heads * width
    seen, raw, biases = np.zeros(3 * whole, _F), np.empty(4 * whole, _F), np.empty(4 * whole, _F)
    c, n, m = np.empty(whole, _F), np.empty(whole, _F), np.empty(whole, _F)
    i, f, z, o = raw[:whole], raw[whole : 2 * whole], raw[2 * whole : 3 * whole], raw[3 * whole :]
    y = seen[whole : 2 * whole]
    for group in range(len(kept)):
        first = group * LANES
        rows = min(LANES, batch - first)
        seen[:] = _F(0.0)
        for head in range(heads):
            for j in range(4 * width):
                biases[j * LANES : (j + 1) * LANES] = bias[head, j]
            _begin(y0, first, head, _F(0.0), y)
            _begin(c0, first, head, _F(0.0), c)
            _begin(n0, first, head, _F(0.0), n)
            _begin(m0, first, head, fresh, m)
            maps = 4 * width * width * head
            for t in range(length):
                here = first * row_step + t * step + head * width
                turn(u, here, row_step, rows, width, seen, 0, LANES)
                turn(x, here, row_step, rows, width, seen, 2 * whole, LANES)
                for e in range(4 * whole):
                    raw[e] = biases[e]
                multiply(
                    raw, 0, LANES, first_maps, maps, 1, 2 * width, seen, 0, LANES, 2 * width, LANES, 2 * width, True
                )
                multiply(
                    raw, 2 * whole, LANES, second_maps, maps, 1, 2 * width, seen, whole, LANES, 2 * width, LANES,
                    2 * width, True,
                )  # fmt: skip
                place = kept[group, head, t % kept.shape[2]]
                stays, enters, proposed, opened, shut = place[0], place[1], place[2], place[3], place[4]
                c_after, n_after = place[5], place[6]
                # Many loops over few arrays: the compiler makes vectors only of arrays that it can tell apart.
                for e in range(whole):
                    small = exponential(-abs(f[e]))
                    share = _F(1.0) / (_F(1.0) + small)
                    shut[e] = share if f[e] < _F(0.0) else small * share
                    stays[e] = min(f[e], _F(0.0)) - one_plus_logarithm(small) + m[e]
                for e in range(whole):
                    # The larger of both enters or stays whole.
                    less = exponential(-abs(i[e] - stays[e]))
                    m[e] = max(i[e], stays[e])
                    enters[e] = _F(1.0) if i[e] >= stays[e] else less
                    stays[e] = less if i[e] >= stays[e] else _F(1.0)
                for e in range(whole):
                    proposed[e] = tangent(z[e])
                for e in range(whole):
                    opened[e] = logistic(o[e])
                for e in range(whole):
                    c[e] = stays[e] * c[e] + enters[e] * proposed[e]
                    c_after[e] = c[e]
                for e in range(whole):
                    n[e] = stays[e] * n[e] + enters[e]
                    n_after[e] = n[e]
                for e in range(whole):
                    y[e] = opened[e] * c[e] / n[e]
                turn(y, 0, LANES, width, rows, ys, here, row_step)
            _end(y, first, head, y1)
            _end(c, first, head, c1)
            _end(n, first, head, n1)
            _end(m, first, head, m1)


@kernel
def slstm_backward(
    u: Any, x: Any, first_maps: Any, second_maps: Any, y0: Any, c0: Any, n0: Any, ys: Any, kept: Any, d_out: Any,
    d_y: Any, d_c: Any, d_n: Any, d_u: Any, d_x: Any, d_first: Any, d_second: Any, d_bias: Any,
) -> None:  # fmt: skip
    """Fill `d_u` and `d_x`, add to the gradients of maps and biases, which come in as zeros.

    Maps are those of `slstm_forward` transposed: (gates 2 K, inputs 2 K); their gradients (N, gates 2 K, twice K padded
    to a multiple of sixteen). `d_y`, `d_c`, `d_n` (B, N, K) come in for the last state and leave for the first.
    """
    widest()
    batch, heads, width = d_y.shape
    length = d_x.size // d_y.size
    whole, wide, row_step, step = LANES * width, padded(width), d_x.size // batch, heads * width
    d, d_seen, sums = np.empty(4 * whole, _F), np.empty(3 * whole, _F), np.empty(4 * whole, _F)
    part_first, part_second = np.empty(4 * width * wide, _F), np.empty(4 * width * wide, _F)
    di, df, dz, do = d[:whole], d[whole : 2 * whole], d[2 * whole : 3 * whole], d[3 * whole :]
    dy, given = d_seen[whole : 2 * whole], np.zeros(whole, _F)
    dc, dn, quotient = np.empty(whole, _F), np.empty(whole, _F), np.empty(whole, _F)
    c_first, n_first, share = np.empty(whole, _F), np.empty(whole, _F), np.empty(whole, _F)
    for group in range(len(kept)):
        first = group * LANES
        rows = min(LANES, batch - first)
        given[:] = _F(0.0)
        for head in range(heads):
            part_first[:], part_second[:], sums[:] = _F(0.0), _F(0.0), _F(0.0)
            _begin(d_y, first, head, _F(0.0), dy)
            _begin(d_c, first, head, _F(0.0), dc)
            _begin(d_n, first, head, _F(0.0), dn)
            _begin(c0, first, head, _F(0.0), c_first)
            _begin(n0, first, head, _F(0.0), n_first)
            maps = 4 * width * width * head
            for t in range(length - 1, -1, -1):
                place = kept[group, head, t]
                stays, enters, proposed, opened, shut = place[0], place[1], place[2], place[3], place[4]
                c, n = place[5], place[6]
                c_before, n_before = (
                    (kept[group, head, t - 1, 5], kept[group, head, t - 1, 6]) if t > 0 else (c_first, n_first)
                )
                here = first * row_step + t * step + head * width
                turn(d_out, here, row_step, rows, width, given, 0, LANES)
                for e in range(whole):
                    dy[e] = (dy[e] + given[e]) * opened[e]
                for e in range(whole):
                    inverse = _F(1.0) / n[e]
                    share[e] = dy[e] * inverse
                    quotient[e] = c[e] * inverse
                for e in range(whole):
                    do[e] = dy[e] * quotient[e] * (_F(1.0) - opened[e])
                for e in range(whole):
                    dc[e] += share[e]
                    dn[e] -= share[e] * quotient[e]
                for e in range(whole):
                    di[e] = enters[e] * (dc[e] * proposed[e] + dn[e])
                for e in range(whole):
                    dz[e] = enters[e] * dc[e] * (_F(1.0) - proposed[e] * proposed[e])
                for e in range(whole):
                    dc[e] *= stays[e]
                    dn[e] *= stays[e]
                for e in range(whole):
                    df[e] = dc[e] * c_before[e] + dn[e] * n_before[e]
                for e in range(whole):
                    df[e] *= shut[e]
                for e in range(4 * whole):
                    sums[e] += d[e]
                multiply(
                    d_seen, 0, LANES, first_maps, maps, 1, 2 * width, d, 0, LANES, 2 * width, LANES, 2 * width, False
                )
                multiply(
                    d_seen, 2 * whole, LANES, second_maps, maps + width, 1, 2 * width, d, 2 * whole, LANES, width,
                    LANES, 2 * width, False,
                )  # fmt: skip
                multiply(
                    d_seen, whole, LANES, second_maps, maps, 1, 2 * width, d, 2 * whole, LANES, width, LANES,
                    2 * width, True,
                )  # fmt: skip
                turn(d_seen, 0, LANES, width, rows, d_u, here, row_step)
                turn(d_seen, 2 * whole, LANES, width, rows, d_x, here, row_step)
                before, there, before_step = (
                    (ys, here - step, row_step) if t > 0 else (y0, (first * heads + head) * width, step)
                )
                multiply(part_first, 0, 2 * wide, d, 0, LANES, 1, u, here, row_step, 2 * width, width, rows, True)
                multiply(
                    part_first, wide, 2 * wide, d, 0, LANES, 1, before, there, before_step, 2 * width, width, rows, True
                )
                multiply(
                    part_second, 0, 2 * wide, d, 2 * whole, LANES, 1, before, there, before_step, 2 * width, width,
                    rows, True,
                )  # fmt: skip
                multiply(
                    part_second, wide, 2 * wide, d, 2 * whole, LANES, 1, x, here, row_step, 2 * width, width, rows,
                    True,
                )  # fmt: skip
            _end(dy, first, head, d_y)
            _end(dc, first, head, d_c)
            _end(dn, first, head, d_n)
            for j in range(2 * width):
                for k in range(2 * wide):
                    d_first[head, j, k] += part_first[j * 2 * wide + k]
                    d_second[head, j, k] += part_second[j * 2 * wide + k]
            for j in range(4 * width):
                total = _F(0.0)
                for lane in range(LANES):
                    total += sums[j * LANES + lane]
                d_bias[head, j] += total
