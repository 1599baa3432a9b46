"""The mLSTM cell of all rows and heads as compiled loops on the CPU, from queries, keys and values, or with their maps.

With their maps, a row's queries, keys and values are made head by head into a place that the cache holds, and nothing
of them goes to main memory. Kernels are serial and release the interpreter's lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from triptych.models.xlstm._mlstm_kernels import head_backward, head_forward
from triptych.models.xlstm._tiles import _F, LANES, kernel, multiply


@kernel
def cells_forward(
    q: Any, k: Any, v: Any, i: Any, f: Any, memory: Any, mass: Any, m: Any, scale: Any, lowest: Any, epsilon: Any,
    h: Any, signs: Any, divisors: Any,
) -> None:  # fmt: skip
    """Fill `h` (B, S, N, V), `signs` and `divisors` (B, N, S); `memory`, `mass`, `m` become the last state.

    q, k, v and h are flat, gates `i` and `f` (B, N, S), memory (B, N, K V).
    """
    batch, heads, length = i.shape
    width = mass.shape[2]
    values = memory.shape[2] // width
    for row in range(batch):
        for head in range(heads):
            first = row * length * heads + head
            m[row, head] = head_forward(
                q, k, first * width, heads * width, v, first * values, heads * values, i[row, head], f[row, head],
                memory[row, head], mass[row, head], m[row, head], scale, lowest, epsilon, h, first * values,
                heads * values, signs[row, head], divisors[row, head],
            )  # fmt: skip


@kernel
def cells_backward(
    q: Any, k: Any, v: Any, i: Any, f: Any, memory: Any, mass: Any, m: Any, scale: Any, epsilon: Any, h: Any,
    signs: Any, divisors: Any, d_h: Any, d_flow: Any, d_memory: Any, d_mass: Any, d_q: Any, d_k: Any, d_v: Any,
    d_i: Any, d_f: Any,
) -> None:  # fmt: skip
    """Fill the gradients of q, k, v, i, f; the state's as in `head_backward`."""
    batch, heads, length = i.shape
    width = mass.shape[2]
    values = memory.shape[2] // width
    for row in range(batch):
        for head in range(heads):
            first = row * length * heads + head
            head_backward(
                q, k, first * width, heads * width, v, first * values, heads * values, i[row, head], f[row, head],
                memory[row, head], mass[row, head], m[row, head], scale, epsilon, h, d_h, first * values,
                heads * values, signs[row, head], divisors[row, head], d_flow[row, head], d_memory[row, head],
                d_mass[row, head], d_q, d_k, d_v, d_i[row, head], d_f[row, head],
            )  # fmt: skip


@kernel
def _mapped(x: Any, at: int, step: int, maps: Any, length: int, width: int, heads: int, out: Any) -> None:
    """`out` (N, S, K) from a row of `x` (S, N K) by blocks of sixteen: `maps` (blocks, inputs 16, outputs 16), flat."""
    for head in range(heads):
        for column in range(0, width, LANES):
            place = head * width + column
            multiply(
                out, head * length * width + column, width, x, at + place, step, 1, maps, place * LANES, LANES, length,
                LANES, LANES, False,
            )  # fmt: skip


@kernel
def _mapped_back(
    d_out: Any, turned: Any, x: Any, at: int, step: int, length: int, width: int, heads: int, d_x: Any, adds: bool,
    d_maps: Any,
) -> None:  # fmt: skip
    """The gradient of a row of x, and what it adds to that of the maps; `turned` are the maps with outputs first."""
    for head in range(heads):
        for column in range(0, width, LANES):
            place, inner = head * width + column, head * length * width + column
            multiply(
                d_x, at + place, step, d_out, inner, width, 1, turned, place * LANES, LANES, length, LANES, LANES, adds
            )
            multiply(
                d_maps, place * LANES, LANES, x, at + place, 1, step, d_out, inner, width, LANES, LANES, length, True
            )


@kernel
def mapped_forward(
    u: Any, x: Any, query: Any, key: Any, value: Any, i: Any, f: Any, memory: Any, mass: Any, m: Any, scale: Any,
    lowest: Any, epsilon: Any, h: Any, signs: Any, divisors: Any,
) -> None:  # fmt: skip
    """As `cells_forward`, with queries and keys mapped from `u`, values from `x`, both (B, S, N K), flat."""
    batch, heads, length = i.shape
    width = mass.shape[2]
    step = heads * width
    q, k, v = np.empty(length * step, _F), np.empty(length * step, _F), np.empty(length * step, _F)
    for row in range(batch):
        at = row * length * step
        _mapped(u, at, step, query, length, width, heads, q)
        _mapped(u, at, step, key, length, width, heads, k)
        _mapped(x, at, step, value, length, width, heads, v)
        for head in range(heads):
            first = head * length * width
            m[row, head] = head_forward(
                q, k, first, width, v, first, width, i[row, head], f[row, head], memory[row, head], mass[row, head],
                m[row, head], scale, lowest, epsilon, h, at + head * width, step, signs[row, head],
                divisors[row, head],
            )  # fmt: skip


@kernel
def mapped_backward(
    u: Any, x: Any, query: Any, key: Any, value: Any, turned_query: Any, turned_key: Any, turned_value: Any, i: Any,
    f: Any, memory: Any, mass: Any, m: Any, scale: Any, epsilon: Any, h: Any, signs: Any, divisors: Any, d_h: Any,
    d_flow: Any, d_memory: Any, d_mass: Any, d_u: Any, d_x: Any, d_query: Any, d_key: Any, d_value: Any, d_i: Any,
    d_f: Any,
) -> None:  # fmt: skip
    """Fill the gradients of u, x, i, f, and add to those of the maps, which come in as zeros."""
    batch, heads, length = i.shape
    width = mass.shape[2]
    step = heads * width
    q, k, v = np.empty(length * step, _F), np.empty(length * step, _F), np.empty(length * step, _F)
    d_q, d_k, d_v = np.empty(length * step, _F), np.empty(length * step, _F), np.empty(length * step, _F)
    for row in range(batch):
        at = row * length * step
        _mapped(u, at, step, query, length, width, heads, q)
        _mapped(u, at, step, key, length, width, heads, k)
        _mapped(x, at, step, value, length, width, heads, v)
        for head in range(heads):
            first = head * length * width
            head_backward(
                q, k, first, width, v, first, width, i[row, head], f[row, head], memory[row, head], mass[row, head],
                m[row, head], scale, epsilon, h, d_h, at + head * width, step, signs[row, head], divisors[row, head],
                d_flow[row, head], d_memory[row, head], d_mass[row, head], d_q, d_k, d_v, d_i[row, head],
                d_f[row, head],
            )  # fmt: skip
        _mapped_back(d_q, turned_query, u, at, step, length, width, heads, d_u, False, d_query)
        _mapped_back(d_k, turned_key, u, at, step, length, width, heads, d_u, True, d_key)
        _mapped_back(d_v, turned_value, x, at, step, length, width, heads, d_x, False, d_value)
