"""One step of a whole network as a compiled loop over a short list of operations.

A list is an array (operations, 12) of whole numbers: what is done, and where what it needs stands. Each row of the
batch has a place to work in, a state before and a state after; places in them are counted from the row's beginning.
Formulas stand in `slstm_cell.py`, `mlstm_cell.py` and `fused.py`. All numbers are of single precision; rows are filled
up to multiples of sixteen wherever a product writes. Serial, and without the interpreter's lock.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from triptych.models.xlstm._functions import exponential, log_logistic, logistic, normal_tail, tangent
from triptych.models.xlstm._tiles import _F, apply, inline, kernel

FILL, LINEAR, NORM, CONVOLVE, MLSTM, SLSTM, MERGE, GATE, ADD = range(9)
"""What an operation does; behind it stand its arguments in the order of the kernel of that name."""
ARGUMENTS: Final = 11
GELU, RELU, RELU2, SIGMOID, SILU, SELU = range(6)


@inline
def _fill(work: Any, rows: int, step: int, target: int, weights: Any, source: int, width: int) -> None:
    """A line of weights into every row."""
    line = weights[source : source + width]
    for row in range(rows):
        work[row * step + target : row * step + target + width] = line


@inline
def _linear(
    work: Any, rows: int, step: int, source: int, target: int, weights: Any, weight: int, blocks: int, depth: int,
    columns: int, apart: int, adds: int,
) -> None:  # fmt: skip
    """Each block of `depth` numbers by a matrix of its own to `columns`, which begin `apart` from those before.

    Matrices are (depth, columns filled up to sixteen with zeros), so what is written too far is zero and is written
    before what belongs there, or added.
    """
    wide = (columns + 15) // 16 * 16
    for block in range(blocks):
        apply(
            work, target + block * apart, step, work, source + block * depth, step, weights,
            weight + block * depth * wide, wide, rows, columns, depth, adds > 0,
        )  # fmt: skip


@inline
def _norm(
    work: Any, rows: int, step: int, source: int, target: int, weights: Any, scale: int, epsilon: int, groups: int,
    width: int, centred: int,
) -> None:  # fmt: skip
    """Each group over its deviation (or, not centred, over its root mean square), then scaled."""
    for row in range(rows):
        for group in range(groups):
            at, out = row * step + source + group * width, row * step + target + group * width
            x, y, factor = work[at : at + width], work[out : out + width], weights[scale + group * width :]
            total = _F(0.0)
            if centred:
                for e in range(width):
                    total += x[e]
            mean = total / _F(width)
            squares = _F(0.0)
            for e in range(width):
                squares += (x[e] - mean) * (x[e] - mean)
            root = _F(1.0) / np.sqrt(squares / _F(width) + weights[epsilon])
            for e in range(width):
                y[e] = (x[e] - mean) * root * factor[e]


@inline
def _convolve(
    work: Any, rows: int, step: int, source: int, target: int, weights: Any, weight: int, bias: int, before: Any,
    after: Any, held: int, state: int, width: int, lags: int,
) -> None:  # fmt: skip
    """SiLU of the filter over the steps held, (lags - 1, width) at `state`, and the present one."""
    for row in range(rows):
        x = work[row * step + source : row * step + source + width]
        y = work[row * step + target : row * step + target + width]
        old, new = before[row * held + state :], after[row * held + state :]
        present = weights[weight + (lags - 1) * width :]
        for e in range(width):
            y[e] = weights[bias + e] + x[e] * present[e]
        for lag in range(lags - 1):
            seen, factor = old[lag * width : (lag + 1) * width], weights[weight + lag * width :]
            for e in range(width):
                y[e] += seen[e] * factor[e]
        for e in range((lags - 2) * width):
            new[e] = old[width + e]
        new = new[(lags - 2) * width :]
        for e in range(width):
            new[e] = x[e]
        for e in range(width):
            y[e] *= logistic(y[e])


@inline
def _mlstm(
    work: Any, rows: int, step: int, q: int, k: int, v: int, gates: int, target: int, before: Any, after: Any,
    held: int, state: int, heads: int, width: int, values: int, scale: Any, cap: Any,
) -> None:  # fmt: skip
    """The cell of all heads; `gates` are the heads' input gates, then their forget gates; its state is C, n, m."""
    mass = state + heads * width * values
    for row in range(rows):
        at, base = row * step, row * held
        for head in range(heads):
            i, f = work[at + gates + head], work[at + gates + heads + head]
            if cap > _F(0.0):
                i, f = cap * tangent(i / cap), cap * tangent(f / cap)
            place = base + mass + heads * width + head
            kept = log_logistic(f) + before[place]
            top = kept if kept > i else i
            after[place] = top
            enters, stays = scale * exponential(i - top), exponential(kept - top)
            queries, keys = work[at + q + head * width :], work[at + k + head * width :]
            value = work[at + v + head * values : at + v + (head + 1) * values]
            h = work[at + target + head * values : at + target + (head + 1) * values]
            old_n, new_n = before[base + mass + head * width :], after[base + mass + head * width :]
            h[:] = _F(0.0)
            total = _F(0.0)
            for a in range(width):
                new_n[a] = stays * old_n[a] + keys[a] * enters
            for a in range(width):
                total += queries[a] * new_n[a]
            for a in range(width):
                query, key = queries[a], keys[a] * enters
                first = base + state + (head * width + a) * values
                old, new = before[first : first + values], after[first : first + values]
                for b in range(values):
                    new[b] = stays * old[b] + key * value[b]
                for b in range(values):
                    h[b] += query * new[b]
            floor = exponential(-max(top, _F(-80.0)))
            inverse = _F(1.0) / (max(abs(total), floor) + _F(1e-6))
            for b in range(values):
                h[b] *= inverse


@inline
def _slstm(
    work: Any, rows: int, step: int, raw: int, target: int, weights: Any, recurrent: int, before: Any, after: Any,
    held: int, state: int, heads: int, width: int,
) -> None:  # fmt: skip
    """The cell of all heads; `raw` holds i, f, z, o of all heads, gate behind gate; its state is y, c, n, m.

    Recurrent matrices: a gate and a head each, (4, heads, width, width filled up to sixteen).
    """
    wide, every = (width + 15) // 16 * 16, heads * width
    for matrix in range(4 * heads):
        apply(
            work, raw + matrix * width, step, before, state + matrix % heads * width, held, weights,
            recurrent + matrix * width * wide, wide, rows, width, width, True,
        )  # fmt: skip
    for row in range(rows):
        at, first = row * step + raw, row * held + state
        i, f = work[at : at + every], work[at + every : at + 2 * every]
        z, o = work[at + 2 * every : at + 3 * every], work[at + 3 * every : at + 4 * every]
        y = work[row * step + target : row * step + target + every]
        old_c, old_n = before[first + every : first + 2 * every], before[first + 2 * every : first + 3 * every]
        old_m, m = before[first + 3 * every : first + 4 * every], after[first + 3 * every : first + 4 * every]
        new_y, c = after[first : first + every], after[first + every : first + 2 * every]
        n = after[first + 2 * every : first + 3 * every]
        # Many loops over few arrays: the compiler makes vectors only of arrays that it can tell apart.
        for e in range(every):
            f[e] = log_logistic(f[e]) + old_m[e]
        for e in range(every):
            m[e] = max(i[e], f[e])
        for e in range(every):
            i[e] = exponential(i[e] - m[e])
        for e in range(every):
            f[e] = exponential(f[e] - m[e])
        for e in range(every):
            z[e] = i[e] * tangent(z[e])
        for e in range(every):
            o[e] = logistic(o[e])
        for e in range(every):
            c[e] = f[e] * old_c[e] + z[e]
        for e in range(every):
            n[e] = f[e] * old_n[e] + i[e]
        for e in range(every):
            y[e] = o[e] * c[e] / n[e]
        for e in range(every):
            new_y[e] = y[e]


@inline
def _merge(
    work: Any, rows: int, step: int, normal: int, passed: int, gate: int, target: int, weights: Any, skip: int,
    width: int,
) -> None:  # fmt: skip
    """The cell's output and what goes past it, (h + skip u) silu(gate)."""
    past = weights[skip : skip + width]
    for row in range(rows):
        at = row * step
        h, u = work[at + normal : at + normal + width], work[at + passed : at + passed + width]
        g, out = work[at + gate : at + gate + width], work[at + target : at + target + width]
        for e in range(width):
            h[e] += past[e] * u[e]
        for e in range(width):
            out[e] = h[e] * g[e] * logistic(g[e])


@inline
def _gate(work: Any, rows: int, step: int, gate: int, value: int, target: int, width: int, kind: int) -> None:
    """An opened gate times a value."""
    for row in range(rows):
        at = row * step
        x, v = work[at + gate : at + gate + width], work[at + value : at + value + width]
        y = work[at + target : at + target + width]
        # A loop for each opening: the compiler makes no vectors of one that asks which.
        if kind == GELU:
            for e in range(width):
                tail = normal_tail(x[e], exponential(_F(-0.5) * x[e] * x[e]))
                y[e] = x[e] * (tail if x[e] < _F(0.0) else _F(1.0) - tail) * v[e]
        elif kind == SIGMOID:
            for e in range(width):
                y[e] = logistic(x[e]) * v[e]
        elif kind == SILU:
            for e in range(width):
                y[e] = x[e] * logistic(x[e]) * v[e]
        elif kind == SELU:
            for e in range(width):
                below = _F(1.6732632423543772) * (exponential(min(x[e], _F(0.0))) - _F(1.0))
                y[e] = _F(1.0507009873554805) * (below if x[e] < _F(0.0) else x[e]) * v[e]
        else:
            for e in range(width):
                shut = _F(0.0) if x[e] < _F(0.0) else x[e]
                y[e] = (shut * shut if kind == RELU2 else shut) * v[e]


@inline
def _add(work: Any, rows: int, step: int, source: int, target: int, width: int) -> None:
    for row in range(rows):
        for e in range(width):
            work[row * step + target + e] += work[row * step + source + e]


@kernel
def run_step(operations: Any, weights: Any, x: Any, clip: Any, before: Any, after: Any, width: int, out: Any) -> None:
    """Fill the state `after` (B, state) and probabilities `out` (B, classes) from rows `x` (B, columns).

    Columns are cut to -clip .. clip and divided by it. Each row has `width` numbers to work in, its columns first; the
    last operation leaves logits there.
    """
    rows, columns = x.shape
    held, work = before.shape[1], np.empty(rows * width, _F)
    old, new = before.reshape(-1), after.reshape(-1)
    for row in range(rows):
        for c in range(columns):
            # In this order, and not by min and max, a NaN passes both.
            high = -clip if x[row, c] < -clip else x[row, c]
            work[row * width + c] = (clip if high > clip else high) / clip
    for operation in operations:
        kind, a, b, c, d, e, f, g, h, i = operation[:10]
        if kind == FILL:
            _fill(work, rows, width, a, weights, b, c)
        elif kind == LINEAR:
            _linear(work, rows, width, a, b, weights, c, d, e, f, g, h)
        elif kind == NORM:
            _norm(work, rows, width, a, b, weights, c, d, e, f, g)
        elif kind == CONVOLVE:
            _convolve(work, rows, width, a, b, weights, c, d, old, new, held, e, f, g)
        elif kind == MLSTM:
            values, scale, cap = operation[10], weights[i], weights[i + 1]
            _mlstm(work, rows, width, a, b, c, d, e, old, new, held, f, g, h, values, scale, cap)
        elif kind == SLSTM:
            _slstm(work, rows, width, a, b, weights, c, old, new, held, d, e, f)
        elif kind == MERGE:
            _merge(work, rows, width, a, b, c, d, weights, e, f)
        elif kind == GATE:
            _gate(work, rows, width, a, b, c, d, e)
        else:
            _add(work, rows, width, a, b, c)
    last = operations[-1]
    for row in range(rows):
        logits = work[row * width + last[2] : row * width + last[2] + out.shape[1]]
        _softmax(logits, out[row])


@inline
def _softmax(logits: Any, out: Any) -> None:
    top = logits[0]
    for e in range(1, len(out)):
        top = logits[e] if logits[e] > top else top
    total = _F(0.0)
    for e in range(len(out)):
        out[e] = exponential(logits[e] - top)
        total += out[e]
    for e in range(len(out)):
        out[e] /= total
