"""The mLSTM cell by chunks as compiled loops on the CPU: each row and each head by itself, its chunks in the cache.

Formulas and letters stand in `mlstm_cell.py`. Inside a chunk the weight of step s at step t, exp(b[s] - M[t]) there, is
here the product of what enters at s and of what stays at every step after it up to t: one multiplication from line to
line, and no sum of gates that could grow beyond the digits of single precision. Widths of heads are multiples of
sixteen. Kernels are serial and release the interpreter's lock.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from triptych.models.xlstm._functions import exponential, log_logistic, logistic
from triptych.models.xlstm._tiles import _F, LANES, inline, kernel, multiply, turn, widest

CHUNK: Final = 32
"""Steps whose weights fit into the first cache beside what they weigh."""


@inline
def _weights(i: Any, f: Any, m: Any, scale: Any, enters: Any, stays: Any, ms: Any) -> None:
    """Gates of a head (S) to what enters and what stays of the memory, and the stabilisers; `m` is the one before."""
    length = len(enters)
    for t in range(length):
        stays[t] = log_logistic(f[t])
    top = m
    for t in range(length):
        top = max(i[t], stays[t] + top)
        ms[t] = top
    for t in range(length):
        enters[t] = scale * exponential(i[t] - ms[t])
    for t in range(length - 1, 0, -1):
        stays[t] = exponential(stays[t] + ms[t - 1] - ms[t])
    stays[0] = exponential(stays[0] + m - ms[0])


@inline
def _reach(enters: Any, stays: Any, start: int, steps: int, carried: Any, reaching: Any) -> None:
    """What is left of the memory before a chunk at each of its steps, and at its end of what entered at each."""
    left = _F(1.0)
    for t in range(steps):
        left *= stays[start + t]
        carried[t] = left if left > SMALLEST else _F(0.0)
    left = _F(1.0)
    for t in range(steps - 1, -1, -1):
        reaching[t] = enters[start + t] * left
        left *= stays[start + t]
        left = left if left > SMALLEST else _F(0.0)


SMALLEST: Final = _F(1e-30)
"""Less than this of the past is none: numbers too small for their exponent would be slow."""


@kernel
def _handed_on(
    memory: Any, mass: Any, turned_k: Any, v: Any, at: int, step: int, steps: int, width: int, values: int,
    carried: Any, reaching: Any,
) -> None:  # fmt: skip
    """Memory (K, V) and mass (K) from before a chunk to after it; `turned_k` (K, chunk) is spoilt."""
    kept = carried[steps - 1]
    for a in range(width):
        total = _F(0.0)
        line = turned_k[a * CHUNK : a * CHUNK + steps]
        for s in range(steps):
            line[s] *= reaching[s]
            total += line[s]
        mass[a] = kept * mass[a] + total
    for e in range(width * values):
        memory[e] *= kept
    multiply(memory, 0, values, turned_k, 0, CHUNK, 1, v, at, step, width, values, steps, True)


@inline
def _triangle(
    out: Any, a: Any, a_at: int, a_step: int, b: Any, steps: int, depth: int
) -> None:
    """`out` (steps, chunk) = `a` (steps, depth) `b` (depth, chunk), as far as a step may see."""
    for row in range(0, steps, LANES):
        multiply(
            out, row * CHUNK, CHUNK, a, a_at + row * a_step, a_step, 1, b, 0, CHUNK, min(LANES, steps - row),
            row + LANES, depth, False,
        )  # fmt: skip


@kernel
def mlstm_forward(
    q: Any, k: Any, v: Any, i: Any, f: Any, memory: Any, mass: Any, m: Any, scale: Any, lowest: Any, epsilon: Any,
    h: Any, signs: Any, divisors: Any,
) -> None:  # fmt: skip
    """Fill `h` (B, S, N, V), `signs` and `divisors` (B, N, S); `memory`, `mass`, `m` become the last state.

    q, k, v and h are flat; gates `i` and `f` are (B, N, S), memory (B, N, K V). A sign is that of q n where q n divides,
    and 0 where the floor exp(-m) does.
    """
    widest()
    batch, heads, length = i.shape
    width = mass.shape[2]
    values = memory.shape[2] // width
    step_k, step_v = heads * width, heads * values
    enters, stays, ms = np.empty(length, _F), np.empty(length, _F), np.empty(length, _F)
    carried, reaching, decay = np.empty(CHUNK, _F), np.empty(CHUNK, _F), np.empty(CHUNK, _F)
    turned_k, weights = np.zeros(width * CHUNK, _F), np.empty(CHUNK * CHUNK, _F)
    carried_q, totals = np.empty(CHUNK * width, _F), np.empty(CHUNK, _F)
    for row in range(batch):
        for head in range(heads):
            _weights(i[row, head], f[row, head], m[row, head], scale, enters, stays, ms)
            place, n = memory[row, head], mass[row, head]
            for start in range(0, length, CHUNK):
                steps = min(CHUNK, length - start)
                at_k = ((row * length + start) * heads + head) * width
                at_v = ((row * length + start) * heads + head) * values
                _reach(enters, stays, start, steps, carried, reaching)
                turn(k, at_k, step_k, steps, width, turned_k, 0, CHUNK)
                _triangle(weights, q, at_k, step_k, turned_k, steps, width)
                decay[:] = _F(0.0)
                for t in range(steps):
                    stay, total, seen = stays[start + t], _F(0.0), t // LANES * LANES + LANES
                    line, asked = weights[t * CHUNK : t * CHUNK + seen], carried_q[t * width : (t + 1) * width]
                    query = q[at_k + t * step_k : at_k + t * step_k + width]
                    left = carried[t]
                    for a in range(width):
                        asked[a] = left * query[a]
                        total += asked[a] * n[a]
                    for s in range(seen):
                        less = decay[s] * stay
                        decay[s] = less if less > SMALLEST else _F(0.0)
                    decay[t] = enters[start + t]
                    for s in range(seen):
                        line[s] *= decay[s]
                        total += line[s]
                    totals[t] = total
                multiply(h, at_v, step_v, carried_q, 0, width, 1, place, 0, values, steps, values, width, False)
                for t in range(0, steps, LANES):
                    multiply(
                        h, at_v + t * step_v, step_v, weights, t * CHUNK, CHUNK, 1, v, at_v, step_v,
                        min(LANES, steps - t), values, min(t + LANES, steps), True,
                    )  # fmt: skip
                for t in range(steps):
                    total, floor = totals[t], exponential(-max(ms[start + t], lowest))
                    divisor = max(abs(total), floor) + epsilon
                    divisors[row, head, start + t] = divisor
                    signs[row, head, start + t] = _F(0.0) if abs(total) < floor else np.sign(total)
                    inverse = _F(1.0) / divisor
                    found = h[at_v + t * step_v : at_v + t * step_v + values]
                    for j in range(values):
                        found[j] *= inverse
                _handed_on(place, n, turned_k, v, at_v, step_v, steps, width, values, carried, reaching)
            m[row, head] = ms[length - 1]


@kernel
def mlstm_backward(
    q: Any, k: Any, v: Any, i: Any, f: Any, memory: Any, mass: Any, m: Any, scale: Any, epsilon: Any, h: Any,
    signs: Any, divisors: Any, d_h: Any, d_flow: Any, d_memory: Any, d_mass: Any, d_q: Any, d_k: Any, d_v: Any,
    d_i: Any, d_f: Any,
) -> None:  # fmt: skip
    """Fill the gradients of q, k, v, i, f, each of its shape.

    `memory`, `mass`, `m` are the first state; `d_memory` (B, N, K V) and `d_mass` (B, N, K) come in for the last state
    and leave for the first, `d_flow` (B, N) comes in as their product with the last state.
    """
    widest()
    batch, heads, length = i.shape
    width = mass.shape[2]
    values = memory.shape[2] // width
    step_k, step_v = heads * width, heads * values
    chunks = (length + CHUNK - 1) // CHUNK
    enters, stays, ms = np.empty(length, _F), np.empty(length, _F), np.empty(length, _F)
    carried, reaching, decay = np.empty(CHUNK, _F), np.empty(CHUNK, _F), np.empty(CHUNK, _F)
    turned_k, turned_v = np.zeros(width * CHUNK, _F), np.zeros(values * CHUNK, _F)
    weights, d_weights = np.empty(CHUNK * CHUNK, _F), np.empty(CHUNK * CHUNK, _F)
    above, carried_above = np.empty(CHUNK * values, _F), np.empty(CHUNK * values, _F)
    turned = np.empty(values * width, _F)
    products, leaves = np.empty(CHUNK, _F), np.empty(CHUNK, _F)
    places, masses = np.empty((chunks, width * values), _F), np.empty((chunks, width), _F)
    place, n = np.empty(width * values, _F), np.empty(width, _F)
    for row in range(batch):
        for head in range(heads):
            _weights(i[row, head], f[row, head], m[row, head], scale, enters, stays, ms)
            first = (row * length * heads + head)
            # Forwards: the memories again that chunks began with.
            place[:], n[:] = memory[row, head], mass[row, head]
            for c in range(chunks):
                start = c * CHUNK
                steps = min(CHUNK, length - start)
                at_k, at_v = (first + start * heads) * width, (first + start * heads) * values
                places[c], masses[c] = place, n
                if c < chunks - 1:
                    _reach(enters, stays, start, steps, carried, reaching)
                    turn(k, at_k, step_k, steps, width, turned_k, 0, CHUNK)
                    _handed_on(place, n, turned_k, v, at_v, step_v, steps, width, values, carried, reaching)
            # Backwards, with the gradient of the memory.
            place[:], n[:] = d_memory[row, head], d_mass[row, head]
            flow = np.float64(d_flow[row, head])
            for c in range(chunks - 1, -1, -1):
                start = c * CHUNK
                steps = min(CHUNK, length - start)
                at_k, at_v = (first + start * heads) * width, (first + start * heads) * values
                _reach(enters, stays, start, steps, carried, reaching)
                turn(k, at_k, step_k, steps, width, turned_k, 0, CHUNK)
                turn(v, at_v, step_v, steps, values, turned_v, 0, CHUNK)
                for t in range(steps):
                    inverse, seen, left = _F(1.0) / divisors[row, head, start + t], _F(0.0), carried[t]
                    given = d_h[at_v + t * step_v : at_v + t * step_v + values]
                    out = h[at_v + t * step_v : at_v + t * step_v + values]
                    high, low = above[t * values : (t + 1) * values], carried_above[t * values : (t + 1) * values]
                    for j in range(values):
                        seen += given[j] * out[j]
                        high[j] = given[j] * inverse
                        low[j] = left * high[j]
                    sign = signs[row, head, start + t]
                    products[t] = -seen * inverse * sign
                    # What leaves through the query: all of it where the floor divides, next to nothing where q n does.
                    leaves[t] = seen * (_F(1.0) - abs(sign) * (_F(1.0) - epsilon * inverse))
                _triangle(weights, q, at_k, step_k, turned_k, steps, width)
                _triangle(d_weights, above, 0, values, turned_v, steps, values)
                decay[:] = _F(0.0)
                for t in range(steps):
                    stay, product, seen = stays[start + t], products[t], t // LANES * LANES + LANES
                    line, gradient = weights[t * CHUNK : t * CHUNK + seen], d_weights[t * CHUNK : t * CHUNK + seen]
                    for s in range(seen):
                        less = decay[s] * stay
                        decay[s] = less if less > SMALLEST else _F(0.0)
                    decay[t] = enters[start + t]
                    for s in range(seen):
                        line[s] *= decay[s]
                        gradient[s] = (gradient[s] + product) * decay[s]
                # Queries: from the memory before the chunk, and from its steps up to their own.
                turn(places[c], 0, values, width, values, turned, 0, width)
                multiply(
                    d_q, at_k, step_k, carried_above, 0, values, 1, turned, 0, width, steps, width, values, False
                )
                before = masses[c]
                for t in range(steps):
                    product, asked = products[t] * carried[t], d_q[at_k + t * step_k : at_k + t * step_k + width]
                    for a in range(width):
                        asked[a] += product * before[a]
                # Keys and values: from the memory after the chunk, and from its steps after their own.
                turn(place, 0, values, width, values, turned, 0, width)
                multiply(d_k, at_k, step_k, v, at_v, step_v, 1, turned, 0, width, steps, width, values, False)
                multiply(d_v, at_v, step_v, k, at_k, step_k, 1, place, 0, values, steps, values, width, False)
                for s in range(steps):
                    reach = reaching[s]
                    by_key = d_k[at_k + s * step_k : at_k + s * step_k + width]
                    by_value = d_v[at_v + s * step_v : at_v + s * step_v + values]
                    for a in range(width):
                        by_key[a] = reach * (by_key[a] + n[a])
                    for j in range(values):
                        by_value[j] *= reach
                for s in range(0, steps, LANES):
                    rows = min(LANES, steps - s)
                    multiply(
                        d_q, at_k + s * step_k, step_k, d_weights, s * CHUNK, CHUNK, 1, k, at_k, step_k, rows, width,
                        s + rows, True,
                    )  # fmt: skip
                    multiply(
                        d_k, at_k + s * step_k, step_k, d_weights, s * CHUNK + s, 1, CHUNK, q, at_k + s * step_k, step_k,
                        rows, width, steps - s, True,
                    )  # fmt: skip
                    multiply(
                        d_v, at_v + s * step_v, step_v, weights, s * CHUNK + s, 1, CHUNK, above, s * values, values,
                        rows, values, steps - s, True,
                    )  # fmt: skip
                kept = carried[steps - 1]
                for a in range(width):
                    n[a] *= kept
                for e in range(width * values):
                    place[e] *= kept
                multiply(
                    place, 0, values, q, at_k, 1, step_k, carried_above, 0, values, width, values, steps, True
                )
                for t in range(steps):
                    product, query = products[t] * carried[t], q[at_k + t * step_k : at_k + t * step_k + width]
                    for a in range(width):
                        n[a] += product * query[a]
                for s in range(steps - 1, -1, -1):
                    key, by_key = k[at_k + s * step_k : at_k + s * step_k + width], d_k[at_k + s * step_k : at_k + s * step_k + width]
                    into = _F(0.0)
                    for a in range(width):
                        into += key[a] * by_key[a]
                    d_i[row, head, start + s] = into
                    flow += np.float64(leaves[s]) - np.float64(into)
                    d_f[row, head, start + s] = _F(flow) * logistic(-f[row, head, start + s])
            d_memory[row, head], d_mass[row, head] = place, n
