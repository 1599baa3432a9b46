"""The mLSTM cell by chunks as compiled loops on the CPU, for one row and one head: its chunks lie in the cache.

Formulas and letters stand in `mlstm_cell.py`. Inside a chunk the weight of step s at step t, exp(b[s] - M[t]) there, is
here the product of what enters at s and of what stays at every step after it up to t: one multiplication from line to
line, and no sum of gates that could grow beyond the digits of single precision. Widths of heads are multiples of
sixteen. Kernels are serial and release the interpreter's lock.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from triptych.models.xlstm._functions import exponential, log_logistic, logistic
from triptych.models.xlstm._lines import SMALLEST as _SMALLEST
from triptych.models.xlstm._lines import (
    add_scaled,
    dot,
    mixed,
    opened,
    scaled,
    scaled_dot,
    shifted,
    weighed,
    weighed_twice,
)
from triptych.models.xlstm._tiles import _F, LANES, inline, kernel, multiply, separate, turn, widest, written_out

SMALLEST: Final = _F(_SMALLEST)
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
    for t in range(steps, CHUNK):
        reaching[t] = _F(0.0)


@kernel
def _handed_on(
    memory: Any, mass: Any, turned_k: Any, v: Any, at: int, step: int, steps: int, width: int, values: int,
    carried: Any, reaching: Any,
) -> None:  # fmt: skip
    """Memory (K, V) and mass (K) from before a chunk to after it; `turned_k` (K, chunk) is spoilt."""
    separate()
    kept = carried[steps - 1]
    for a in range(width):
        for s in range(steps, CHUNK):
            turned_k[a * CHUNK + s] = _F(0.0)
        mass[a] = kept * mass[a] + mixed(turned_k, a * CHUNK, reaching, 0, CHUNK)
    for e in range(width * values):
        memory[e] *= kept
    multiply(memory, 0, values, turned_k, 0, CHUNK, 1, v, at, step, width, values, steps, True)


@inline
def _triangle(out: Any, a: Any, a_at: int, a_step: int, b: Any, steps: int, depth: int) -> None:
    """`out` (steps, chunk) = `a` (steps, depth) `b` (depth, chunk), as far as a step may see."""
    for row in range(0, steps, LANES):
        multiply(
            out, row * CHUNK, CHUNK, a, a_at + row * a_step, a_step, 1, b, 0, CHUNK, min(LANES, steps - row),
            row + LANES, depth, False,
        )  # fmt: skip


@written_out
def head_forward(
    q: Any, k: Any, first_k: int, step_k: int, v: Any, first_v: int, step_v: int, i: Any, f: Any, place: Any, n: Any,
    m: Any, scale: Any, lowest: Any, epsilon: Any, h: Any, first_h: int, step_h: int, signs: Any, divisors: Any,
) -> Any:  # fmt: skip
    """One row and one head: fill its part of `h`, `signs` and `divisors` (S); the last stabiliser.

    q, k, v and h are flat; `first` and `step` say where its first step begins, and how far on the next. Gates `i` and
    `f` are (S). Memory `place` (K V) and mass `n` (K) become the last ones. A sign is that of q n where q n divides,
    and 0 where the floor exp(-m) does.
    """
    widest()
    length, width = len(i), len(n)
    values = len(place) // width
    enters, stays, ms = np.empty(length, _F), np.empty(length, _F), np.empty(length, _F)
    carried, reaching, decay = np.empty(CHUNK, _F), np.empty(CHUNK, _F), np.empty(CHUNK, _F)
    turned_k, weights = np.zeros(width * CHUNK, _F), np.empty(CHUNK * CHUNK, _F)
    carried_q, totals = np.empty(CHUNK * width, _F), np.empty(CHUNK, _F)
    _weights(i, f, m, scale, enters, stays, ms)
    for start in range(0, length, CHUNK):
        steps = min(CHUNK, length - start)
        at_k, at_v, at_h = first_k + start * step_k, first_v + start * step_v, first_h + start * step_h
        _reach(enters, stays, start, steps, carried, reaching)
        turn(k, at_k, step_k, steps, width, turned_k, 0, CHUNK)
        _triangle(weights, q, at_k, step_k, turned_k, steps, width)
        decay[:] = _F(0.0)
        for t in range(steps):
            total = scaled_dot(carried_q, t * width, q, at_k + t * step_k, n, 0, carried[t], width)
            decay[t] = enters[start + t]
            after = stays[min(start + t + 1, length - 1)]
            totals[t] = total + weighed(weights, t * CHUNK, decay, 0, after, t // LANES * LANES + LANES)
        multiply(h, at_h, step_h, carried_q, 0, width, 1, place, 0, values, steps, values, width, False)
        for t in range(0, steps, LANES):
            multiply(
                h, at_h + t * step_h, step_h, weights, t * CHUNK, CHUNK, 1, v, at_v, step_v,
                min(LANES, steps - t), values, min(t + LANES, steps), True,
            )  # fmt: skip
        for t in range(steps):
            total, floor = totals[t], exponential(-max(ms[start + t], lowest))
            divisor = max(abs(total), floor) + epsilon
            divisors[start + t] = divisor
            signs[start + t] = _F(0.0) if abs(total) < floor else np.sign(total)
            inverse = _F(1.0) / divisor
            scaled(h, at_h + t * step_h, inverse, values)
        _handed_on(place, n, turned_k, v, at_v, step_v, steps, width, values, carried, reaching)
    return ms[length - 1]


@written_out
def _memories(
    k: Any, first_k: int, step_k: int, v: Any, first_v: int, step_v: int, enters: Any, stays: Any, carried: Any,
    reaching: Any, turned_k: Any, place: Any, n: Any, places: Any, masses: Any,
) -> None:  # fmt: skip
    """Forwards: the memories again that chunks began with; `place` and `n`, those before the first, are spoilt."""
    length, chunks, width = len(enters), len(places), masses.shape[1]
    values = places.shape[1] // width
    for c in range(chunks):
        start = c * CHUNK
        steps = min(CHUNK, length - start)
        places[c], masses[c] = place, n
        if c < chunks - 1:
            _reach(enters, stays, start, steps, carried, reaching)
            turn(k, first_k + start * step_k, step_k, steps, width, turned_k, 0, CHUNK)
            at_v = first_v + start * step_v
            _handed_on(place, n, turned_k, v, at_v, step_v, steps, width, values, carried, reaching)


@written_out
def _inputs_of_chunk(
    q: Any, k: Any, at_k: int, step_k: int, v: Any, at_v: int, step_v: int, steps: int, width: int, values: int,
    memory: Any, mass: Any, place: Any, n: Any, turned: Any, carried_above: Any, above: Any, weights: Any,
    d_weights: Any, products: Any, carried: Any, reaching: Any, d_q: Any, d_k: Any, d_v: Any,
) -> None:  # fmt: skip
    """Gradients of a chunk's queries, keys and values; memory and mass before it, gradients of those after it."""
    # Queries: from the memory before the chunk, and from its steps up to their own.
    turn(memory, 0, values, width, values, turned, 0, width)
    multiply(d_q, at_k, step_k, carried_above, 0, values, 1, turned, 0, width, steps, width, values, False)
    for t in range(steps):
        add_scaled(d_q, at_k + t * step_k, mass, 0, products[t] * carried[t], width)
    # Keys and values: from the memory after the chunk, and from its steps after their own.
    turn(place, 0, values, width, values, turned, 0, width)
    multiply(d_k, at_k, step_k, v, at_v, step_v, 1, turned, 0, width, steps, width, values, False)
    multiply(d_v, at_v, step_v, k, at_k, step_k, 1, place, 0, values, steps, values, width, False)
    for s in range(steps):
        shifted(d_k, at_k + s * step_k, n, 0, reaching[s], width)
        scaled(d_v, at_v + s * step_v, reaching[s], values)
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


@written_out
def head_backward(
    q: Any, k: Any, first_k: int, step_k: int, v: Any, first_v: int, step_v: int, i: Any, f: Any, memory: Any,
    mass: Any, m: Any, scale: Any, epsilon: Any, h: Any, d_h: Any, first_h: int, step_h: int, signs: Any, divisors: Any,
    d_flow: Any, d_memory: Any, d_mass: Any, d_q: Any, d_k: Any, d_v: Any, d_i: Any, d_f: Any,
) -> None:  # fmt: skip
    """One row and one head: fill its part of the gradients of q, k, v, i, f, which lie as these do.

    `memory`, `mass`, `m` are the first state; `d_memory` (K V) and `d_mass` (K) come in for the last state and leave
    for the first, `d_flow` comes in as their product with the last state.
    """
    widest()
    length, width = len(i), len(mass)
    values = len(memory) // width
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
    _weights(i, f, m, scale, enters, stays, ms)
    place[:], n[:] = memory, mass
    _memories(
        k, first_k, step_k, v, first_v, step_v, enters, stays, carried, reaching, turned_k, place, n, places, masses
    )
    # Backwards, with the gradient of the memory.
    place[:], n[:] = d_memory, d_mass
    flow = np.float64(d_flow)
    for c in range(chunks - 1, -1, -1):
        start = c * CHUNK
        steps = min(CHUNK, length - start)
        at_k, at_v = first_k + start * step_k, first_v + start * step_v
        _reach(enters, stays, start, steps, carried, reaching)
        turn(k, at_k, step_k, steps, width, turned_k, 0, CHUNK)
        turn(v, at_v, step_v, steps, values, turned_v, 0, CHUNK)
        for t in range(steps):
            inverse, there = _F(1.0) / divisors[start + t], first_h + (start + t) * step_h
            seen = opened(
                d_h, there, h, there, above, t * values, carried_above, t * values, inverse, carried[t], values
            )
            sign = signs[start + t]
            products[t] = -seen * inverse * sign
            # What leaves through the query: all of it where the floor divides, next to nothing where q n does.
            leaves[t] = seen * (_F(1.0) - abs(sign) * (_F(1.0) - epsilon * inverse))
        _triangle(weights, q, at_k, step_k, turned_k, steps, width)
        _triangle(d_weights, above, 0, values, turned_v, steps, values)
        decay[:] = _F(0.0)
        for t in range(steps):
            decay[t] = enters[start + t]
            after = stays[min(start + t + 1, length - 1)]
            weighed_twice(
                weights, t * CHUNK, d_weights, t * CHUNK, decay, 0, products[t], after,
                t // LANES * LANES + LANES,
            )  # fmt: skip
        _inputs_of_chunk(
            q, k, at_k, step_k, v, at_v, step_v, steps, width, values, places[c], masses[c], place, n, turned,
            carried_above, above, weights, d_weights, products, carried, reaching, d_q, d_k, d_v,
        )  # fmt: skip
        kept = carried[steps - 1]
        for a in range(width):
            n[a] *= kept
        for e in range(width * values):
            place[e] *= kept
        multiply(place, 0, values, q, at_k, 1, step_k, carried_above, 0, values, width, values, steps, True)
        for t in range(steps):
            add_scaled(n, 0, q, at_k + t * step_k, products[t] * carried[t], width)
        for s in range(steps - 1, -1, -1):
            into = dot(k, at_k + s * step_k, d_k, at_k + s * step_k, width)
            d_i[start + s] = into
            flow += np.float64(leaves[s]) - np.float64(into)
            d_f[start + s] = _F(flow) * logistic(-f[start + s])
    d_memory[:], d_mass[:] = place, n
