"""The sLSTM recurrence as a compiled loop on the CPU: each row of the batch and each head runs through time by itself.

Formulas and letters: `slstm_cell.py`, to which this is an equal and faster form in single precision.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from triptych.models.xlstm._vector_math import OPTIONS, exponential, hyperbolic_tangent, log_logistic, logistic

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": OPTIONS["fastmath"], "error_model": "numpy"}
_F = np.float32


@numba.njit(**_JIT)  # type: ignore[untyped-decorator]
def forward(
    x_RSNH: Any, recurrent: Any, y0: Any, c0: Any, n0: Any, m0: Any, raw: Any, ys: Any, cs: Any, ns: Any, ms: Any
) -> None:
    """Fill `raw` (R, S, N, 4K) and `ys`, `cs`, `ns`, `ms` (R, S, N, K) for rows R of the batch."""
    rows, length, heads, gates = x_RSNH.shape
    width = gates // 4
    # The running state lies in small arrays of its own: with fewer arrays in the loop the compiler can prove it parallel.
    y, c, n, m = np.empty(width, _F), np.empty(width, _F), np.empty(width, _F), np.empty(width, _F)
    for row in range(rows):
        for head in range(heads):
            y[:], c[:], n[:], m[:] = y0[row, head], c0[row, head], n0[row, head], m0[row, head]
            for t in range(length):
                a = raw[row, t, head]
                a[:] = x_RSNH[row, t, head]
                for k in range(width):
                    factor, line = y[k], recurrent[head, k]
                    for j in range(gates):
                        a[j] += factor * line[j]
                for k in range(width):
                    kept = log_logistic(a[width + k]) + m[k]
                    m[k] = max(a[k], kept)
                    enters, stays = exponential(a[k] - m[k]), exponential(kept - m[k])
                    c[k] = stays * c[k] + enters * hyperbolic_tangent(a[2 * width + k])
                    n[k] = stays * n[k] + enters
                    y[k] = logistic(a[3 * width + k]) * c[k] / n[k]
                ys[row, t, head, :] = y
                cs[row, t, head, :] = c
                ns[row, t, head, :] = n
                ms[row, t, head, :] = m


@numba.njit(**_JIT)  # type: ignore[untyped-decorator]
def backward(
    raw: Any, transposed: Any, c0: Any, n0: Any, m0: Any, cs: Any, ns: Any, ms: Any, d_out: Any, d_y: Any, d_c: Any,
    d_n: Any, d_raw: Any,
) -> None:  # fmt: skip
    """Fill `d_raw` (R, S, N, 4K); `d_y`, `d_c`, `d_n` (R, N, K) come in for the last state and leave for the first."""
    rows, length, heads, gates = raw.shape
    width = gates // 4
    for row in range(rows):
        for head in range(heads):
            dy, dc, dn = d_y[row, head], d_c[row, head], d_n[row, head]
            for t in range(length - 1, -1, -1):
                a, d, given = raw[row, t, head], d_raw[row, t, head], d_out[row, t, head]
                c1, n1, m1 = cs[row, t, head], ns[row, t, head], ms[row, t, head]
                if t > 0:
                    c, n, m = cs[row, t - 1, head], ns[row, t - 1, head], ms[row, t - 1, head]
                else:
                    c, n, m = c0[row, head], n0[row, head], m0[row, head]
                for k in range(width):
                    forget = a[width + k]
                    enters = exponential(a[k] - m1[k])
                    stays = exponential(log_logistic(forget) + m[k] - m1[k])
                    proposed, opened = hyperbolic_tangent(a[2 * width + k]), logistic(a[3 * width + k])
                    quotient = c1[k] / n1[k]
                    g = dy[k] + given[k]
                    share = g * opened / n1[k]
                    memory, mass = dc[k] + share, dn[k] - share * quotient
                    slope = stays * logistic(-forget)
                    d[k] = memory * enters * proposed + mass * enters
                    d[width + k] = slope * (memory * c[k] + mass * n[k])
                    d[2 * width + k] = memory * enters * (_F(1.0) - proposed * proposed)
                    d[3 * width + k] = g * quotient * opened * (_F(1.0) - opened)
                    dc[k], dn[k] = memory * stays, mass * stays
                dy[:] = _F(0.0)
                for j in range(gates):
                    factor, line = d[j], transposed[head, j]
                    for k in range(width):
                        dy[k] += factor * line[k]
