"""The recurrences of both cells as compiled loops on the CPU: each row and each head runs through time alone.

Formulas and letters stand in `slstm_cell.py` and `mlstm_cell.py`, to which these are equal and faster forms in single
precision. Kernels are serial and release the interpreter's lock; `first` and `end` bound the rows of the batch that a
call works on, so that threads can share a batch. They are compiled on their first call and kept on disk; their helpers
stand in this file because the store does not see a change of another one.

The exponential and its kin are written out so that the compiler makes vectors of them: the scalar library functions
cost five times as much in a loop, because each is a call. Relative errors are below 2e-7 in the range that gates use;
arguments beyond -87 and 88, where single precision ends, are cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np

_F = np.float32
# No assumption that infinities and NaN do not occur: a diverged training must show.
_MATH: Final = {"contract", "reassoc", "nsz", "arcp"}

Function = TypeVar("Function", bound=Callable[..., Any])


def _kernel(function: Function) -> Function:
    options: dict[str, Any] = {"nogil": True, "fastmath": _MATH, "error_model": "numpy"}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: no folder that can be written to, no file that it came from
        compiled = numba.njit(**options)(function)
    return cast(Function, compiled)


def _inline(function: Function) -> Function:
    return cast(Function, numba.njit(fastmath=_MATH, inline="always", error_model="numpy")(function))


@_inline
def _exponential(x: Any) -> Any:
    """2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]; NaN stays NaN."""
    # The comparison alone would make -87 of a NaN.
    cut = min(max(x, _F(-87.0)), _F(88.0)) + _F(0.0) * x
    n = np.floor(cut * _F(1.44269504088896341) + _F(0.5))
    r = cut - n * _F(0.693359375) + n * _F(2.12194440e-4)
    p = _F(1.9875691500e-4)
    p = p * r + _F(1.3981999507e-3)
    p = p * r + _F(8.3334519073e-3)
    p = p * r + _F(4.1665795894e-2)
    p = p * r + _F(1.6666665459e-1)
    p = p * r + _F(5.0000001201e-1)
    p = p * r * r + r + _F(1.0)
    bits = np.int32((np.int32(n) + np.int32(127)) << np.int32(23))
    return p * bits.view(np.float32)


@_inline
def _logistic(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return _F(1.0) / (_F(1.0) + _exponential(-x))


@_inline
def _tangent(x: Any) -> Any:
    """The hyperbolic tangent; absolute error below 2e-7."""
    return _F(1.0) - _F(2.0) / (_exponential(_F(2.0) * x) + _F(1.0))


@_inline
def _log_logistic(x: Any) -> Any:
    """ln(1 / (1 + exp(-x))) = min(x, 0) - ln(1 + exp(-abs(x))).

    ln(1 + u) for u in [0, 1] by the area tangent: s = u / (2 + u) is at most 1/3, and 2 artanh(s) converges quickly.
    """
    u = _exponential(-abs(x))
    s = u / (_F(2.0) + u)
    q = s * s
    p = _F(1.0 / 13.0)
    p = p * q + _F(1.0 / 11.0)
    p = p * q + _F(1.0 / 9.0)
    p = p * q + _F(1.0 / 7.0)
    p = p * q + _F(1.0 / 5.0)
    p = p * q + _F(1.0 / 3.0)
    p = p * q + _F(1.0)
    return min(x, _F(0.0)) - _F(2.0) * s * p


@_kernel
def slstm_forward(
    first: int, end: int, x: Any, recurrent: Any, y0: Any, c0: Any, n0: Any, m0: Any, raw: Any, ys: Any, cs: Any,
    ns: Any, ms: Any,
) -> None:  # fmt: skip
    """Fill `raw` (B, S, N, 4K) and `ys`, `cs`, `ns`, `ms` (B, S, N, K) from `x` (B, S, N, 4K) and the first state."""
    _, length, heads, gates = x.shape
    width = gates // 4
    # The running state lies in small arrays of its own: with few arrays in a loop the compiler can prove it parallel.
    y, c, n, m = np.empty(width, _F), np.empty(width, _F), np.empty(width, _F), np.empty(width, _F)
    whole = width // 4 * 4  # four lines of the matrix at a time: a quarter of the passes over the gates
    for row in range(first, end):
        for head in range(heads):
            y[:], c[:], n[:], m[:] = y0[row, head], c0[row, head], n0[row, head], m0[row, head]
            matrix = recurrent[head]
            for t in range(length):
                a = raw[row, t, head]
                a[:] = x[row, t, head]
                for k in range(0, whole, 4):
                    b0, b1, b2, b3 = y[k], y[k + 1], y[k + 2], y[k + 3]
                    r0, r1, r2, r3 = matrix[k], matrix[k + 1], matrix[k + 2], matrix[k + 3]
                    for j in range(gates):
                        a[j] += b0 * r0[j] + b1 * r1[j] + b2 * r2[j] + b3 * r3[j]
                for k in range(whole, width):
                    factor, line = y[k], matrix[k]
                    for j in range(gates):
                        a[j] += factor * line[j]
                for k in range(width):
                    kept = _log_logistic(a[width + k]) + m[k]
                    m[k] = max(a[k], kept)
                    enters, stays = _exponential(a[k] - m[k]), _exponential(kept - m[k])
                    c[k] = stays * c[k] + enters * _tangent(a[2 * width + k])
                    n[k] = stays * n[k] + enters
                    y[k] = _logistic(a[3 * width + k]) * c[k] / n[k]
                ys[row, t, head, :] = y
                cs[row, t, head, :] = c
                ns[row, t, head, :] = n
                ms[row, t, head, :] = m


@_kernel
def slstm_backward(
    first: int, end: int, raw: Any, transposed: Any, c0: Any, n0: Any, m0: Any, cs: Any, ns: Any, ms: Any, d_out: Any,
    d_y: Any, d_c: Any, d_n: Any, d_raw: Any,
) -> None:  # fmt: skip
    """Fill `d_raw` (B, S, N, 4K); `d_y`, `d_c`, `d_n` (B, N, K) come in for the last state and leave for the first."""
    _, length, heads, gates = raw.shape
    width = gates // 4
    # Many short loops over few arrays: the compiler makes vectors only of loops whose arrays it can tell apart.
    enters, stays, proposed, opened = np.empty(width, _F), np.empty(width, _F), np.empty(width, _F), np.empty(width, _F)
    quotient, given, memory, mass = np.empty(width, _F), np.empty(width, _F), np.empty(width, _F), np.empty(width, _F)
    dy, dc, dn = np.empty(width, _F), np.empty(width, _F), np.empty(width, _F)
    for row in range(first, end):
        for head in range(heads):
            matrix = transposed[head]
            dy[:], dc[:], dn[:] = d_y[row, head], d_c[row, head], d_n[row, head]
            for t in range(length - 1, -1, -1):
                i, f = raw[row, t, head, :width], raw[row, t, head, width : 2 * width]
                z, o = raw[row, t, head, 2 * width : 3 * width], raw[row, t, head, 3 * width :]
                d, out = d_raw[row, t, head], d_out[row, t, head]
                c1, n1, m1 = cs[row, t, head], ns[row, t, head], ms[row, t, head]
                if t > 0:
                    c, n, m = cs[row, t - 1, head], ns[row, t - 1, head], ms[row, t - 1, head]
                else:
                    c, n, m = c0[row, head], n0[row, head], m0[row, head]
                for k in range(width):
                    enters[k] = _exponential(i[k] - m1[k])
                for k in range(width):
                    stays[k] = _exponential(_log_logistic(f[k]) + m[k] - m1[k])
                for k in range(width):
                    proposed[k] = _tangent(z[k])
                for k in range(width):
                    opened[k] = _logistic(o[k])
                for k in range(width):
                    quotient[k] = c1[k] / n1[k]
                for k in range(width):
                    given[k] = (dy[k] + out[k]) * opened[k]
                for k in range(width):
                    d[3 * width + k] = given[k] * quotient[k] * (_F(1.0) - opened[k])
                for k in range(width):
                    given[k] /= n1[k]
                for k in range(width):
                    memory[k] = dc[k] + given[k]
                for k in range(width):
                    mass[k] = dn[k] - given[k] * quotient[k]
                for k in range(width):
                    dc[k] = memory[k] * stays[k]
                for k in range(width):
                    dn[k] = mass[k] * stays[k]
                for k in range(width):
                    given[k] = dc[k] * c[k] + dn[k] * n[k]
                for k in range(width):
                    d[width + k] = given[k] * _logistic(-f[k])
                for k in range(width):
                    memory[k] *= enters[k]
                for k in range(width):
                    d[k] = memory[k] * proposed[k] + mass[k] * enters[k]
                for k in range(width):
                    d[2 * width + k] = memory[k] * (_F(1.0) - proposed[k] * proposed[k])
                dy[:] = _F(0.0)
                for j in range(0, gates, 4):
                    b0, b1, b2, b3 = d[j], d[j + 1], d[j + 2], d[j + 3]
                    r0, r1, r2, r3 = matrix[j], matrix[j + 1], matrix[j + 2], matrix[j + 3]
                    for k in range(width):
                        dy[k] += b0 * r0[k] + b1 * r1[k] + b2 * r2[k] + b3 * r3[k]
            d_y[row, head], d_c[row, head], d_n[row, head] = dy, dc, dn


@_inline
def _weights(i: Any, f: Any, m: Any, scale: Any, enters: Any, stays: Any, ms: Any) -> None:
    """Gates of a head (S) to what enters and what stays of the memory, and the stabilisers; `m` is the one before."""
    length = len(enters)
    for t in range(length):
        stays[t] = _log_logistic(f[t])
    top = m
    for t in range(length):
        top = max(i[t], stays[t] + top)
        ms[t] = top
    for t in range(length):
        enters[t] = scale * _exponential(i[t] - ms[t])
    for t in range(length - 1, 0, -1):
        stays[t] = _exponential(stays[t] + ms[t - 1] - ms[t])
    stays[0] = _exponential(stays[0] + m - ms[0])


@_kernel
def mlstm_forward(
    first: int, end: int, q: Any, k: Any, v: Any, i: Any, f: Any, memory: Any, mass: Any, m: Any, lowest: Any,
    epsilon: Any, h: Any, signs: Any, divisors: Any,
) -> None:  # fmt: skip
    """Fill `h` (B, S, N, V), `signs` and `divisors` (B, N, S); `memory`, `mass`, `m` become the last state.

    Gates `i` and `f` are (B, N, S). A sign is that of q n where q n divides, and 0 where the floor exp(-m) does.
    """
    _, length, heads, width = q.shape
    values = v.shape[3]
    scale = _F(1.0 / np.sqrt(width))
    enters, stays, ms = np.empty(length, _F), np.empty(length, _F), np.empty(length, _F)
    key, numerator, place = np.empty(width, _F), np.empty(values, _F), np.empty((width, values), _F)
    for row in range(first, end):
        for head in range(heads):
            _weights(i[row, head], f[row, head], m[row, head], scale, enters, stays, ms)
            place[:] = memory[row, head]
            n = mass[row, head]
            for t in range(length):
                stay, enter = stays[t], enters[t]
                query, value, found = q[row, t, head], v[row, t, head], h[row, t, head]
                product = _F(0.0)
                for a in range(width):
                    key[a] = k[row, t, head, a] * enter
                    n[a] = stay * n[a] + key[a]
                    product += query[a] * n[a]
                for j in range(values):
                    numerator[j] = _F(0.0)
                for a in range(width):
                    entering, asked, line = key[a], query[a], place[a]
                    for j in range(values):
                        line[j] = stay * line[j] + entering * value[j]
                        numerator[j] += asked * line[j]
                floor = _exponential(-max(ms[t], lowest))
                divisor = max(abs(product), floor) + epsilon
                divisors[row, head, t] = divisor
                signs[row, head, t] = _F(0.0) if abs(product) < floor else np.sign(product)
                inverse = _F(1.0) / divisor
                for j in range(values):
                    found[j] = numerator[j] * inverse
            memory[row, head] = place
            m[row, head] = ms[length - 1]


@_kernel
def mlstm_backward(
    first: int, end: int, q: Any, k: Any, v: Any, i: Any, f: Any, memory: Any, mass: Any, m: Any, epsilon: Any,
    h: Any, signs: Any, divisors: Any, d_h: Any, d_flow: Any, d_memory: Any, d_mass: Any, d_q: Any, d_k: Any, d_v: Any,
    d_i: Any, d_f: Any,
) -> None:  # fmt: skip
    """Fill the gradients of q, k, v, i, f, each of its shape.

    `memory`, `mass`, `m` are the first state; `d_memory` (B, N, K, V) and `d_mass` (B, N, K) come in for the last state
    and leave for the first, `d_flow` (B, N) comes in as their product with the last state.
    """
    _, length, heads, width = q.shape
    values = v.shape[3]
    scale = _F(1.0 / np.sqrt(width))
    enters, stays, ms = np.empty(length, _F), np.empty(length, _F), np.empty(length, _F)
    leaves, products = np.empty(length, _F), np.empty(length, _F)
    above, d_value, n = np.empty(values, _F), np.empty(values, _F), np.empty(width, _F)
    place = np.empty((width, values), _F)
    for row in range(first, end):
        for head in range(heads):
            _weights(i[row, head], f[row, head], m[row, head], scale, enters, stays, ms)
            # Forwards: the memory again, and with it the gradients of the queries.
            place[:], n[:] = memory[row, head], mass[row, head]
            for t in range(length):
                stay, enter, inverse = stays[t], enters[t], _F(1.0) / divisors[row, head, t]
                key, value, given, out = k[row, t, head], v[row, t, head], d_h[row, t, head], h[row, t, head]
                seen = _F(0.0)
                for j in range(values):
                    seen += given[j] * out[j]
                    above[j] = given[j] * inverse
                sign = signs[row, head, t]
                product = -seen * inverse * sign
                products[t] = product
                # What leaves through the query: all of it where the floor divides, next to nothing where q n does.
                leaves[t] = seen * (_F(1.0) - abs(sign) * (_F(1.0) - epsilon * inverse))
                asked = d_q[row, t, head]
                for a in range(width):
                    entering, line = key[a] * enter, place[a]
                    n[a] = stay * n[a] + entering
                    found = product * n[a]
                    for j in range(values):
                        line[j] = stay * line[j] + entering * value[j]
                        found += line[j] * above[j]
                    asked[a] = found
            # Backwards: the gradient of the memory, and with it those of keys, values and gates.
            place[:], n[:] = d_memory[row, head], d_mass[row, head]
            flow = np.float64(d_flow[row, head])
            for t in range(length - 1, -1, -1):
                stay, enter, inverse = stays[t], enters[t], _F(1.0) / divisors[row, head, t]
                key, query, value = k[row, t, head], q[row, t, head], v[row, t, head]
                given, by_key, by_value = d_h[row, t, head], d_k[row, t, head], d_v[row, t, head]
                for j in range(values):
                    above[j] = given[j] * inverse
                    d_value[j] = _F(0.0)
                product, into = products[t], _F(0.0)
                for a in range(width):
                    asked, held, line = query[a], key[a] * enter, place[a]
                    n[a] += asked * product
                    found = n[a]
                    for j in range(values):
                        gradient = line[j] + asked * above[j]
                        found += gradient * value[j]
                        d_value[j] += held * gradient
                        line[j] = stay * gradient
                    n[a] *= stay
                    by_key[a] = found * enter
                    into += held * found
                for j in range(values):
                    by_value[j] = d_value[j]
                d_i[row, head, t] = into
                flow += np.float64(leaves[t]) - np.float64(into)
                d_f[row, head, t] = _F(flow) * _logistic(-f[row, head, t])
            d_memory[row, head], d_mass[row, head] = place, n
