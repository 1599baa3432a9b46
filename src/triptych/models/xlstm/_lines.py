"""Passes over short lines inside compiled loops, sixteen numbers at a time whatever the compiler would make of them.

A line is an array and the place where it begins; its length is a multiple of sixteen. The compiler's own vectors suit
long loops: one over two or three vectors spends its time on finding out that it may be one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types

from triptych.models.xlstm._tiles import LANES, kept_value, operation

SMALLEST: Final = 1e-30
"""Less than this of the past is none: numbers too small for their exponent would be slow."""
_VECTOR: Final = ir.VectorType(ir.FloatType(), LANES)
_FLAGS: Final = ("contract",)

Body = Callable[[Any, list[Any], list[Any]], tuple[dict[int, Any], Any]]
"""From the builder, the vectors of all lines and the factors: new vectors by the place of their line, and what adds to
the sum, or None."""


def _emitter(lines: int, factors: int, body: Body) -> Callable[..., Any]:
    def emit(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        data = [context.make_array(sign.args[2 * i])(context, builder, values[2 * i]).data for i in range(lines)]
        places = values[1 : 2 * lines : 2]
        spread = [spread_over(builder, one) for one in values[2 * lines : 2 * lines + factors]]
        total = kept_value(builder, ir.Constant(_VECTOR, [0.0] * LANES))
        step = ir.Constant(values[-1].type, LANES)
        with cgutils.for_range_slice(builder, ir.Constant(step.type, 0), values[-1], step) as (at, _):
            pointers = [
                builder.bitcast(builder.gep(one, [builder.add(place, at)]), _VECTOR.as_pointer())
                for one, place in zip(data, places, strict=True)
            ]
            changed, part = body(builder, [builder.load(one, align=4) for one in pointers], spread)
            for i, vector in changed.items():
                builder.store(vector, pointers[i], align=4)
            if part is not None:
                builder.store(builder.fadd(builder.load(total), part, flags=_FLAGS), total)
        if sign.return_type == types.void:
            return context.get_dummy_value()
        return _sum(builder, builder.load(total))

    return emit


def spread_over(builder: Any, number: Any) -> Any:
    """A vector of one number."""
    empty, word = ir.Constant(_VECTOR, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(empty, number, ir.Constant(word, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(word, LANES), [0] * LANES))


def _sum(builder: Any, vector: Any) -> Any:
    """Halves upon halves: the order does not depend on the compiler."""
    half = LANES
    while half > 1:
        half //= 2
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [j + half if j < half else j for j in range(LANES)])
        vector = builder.fadd(vector, builder.shuffle_vector(vector, vector, mask))
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _line_sign(lines: tuple[Any, ...], factors: int, has_sum: bool) -> Any:
    arguments = [kind for line in lines for kind in (line, types.intp)]
    result = types.float32 if has_sum else types.void
    return result(*arguments, *[types.float32] * factors, types.intp)


def _times(builder: Any, a: Any, b: Any) -> Any:
    return builder.fmul(a, b, flags=_FLAGS)


def _plus(builder: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b, flags=_FLAGS)


def _decayed(builder: Any, decay: Any, stay: Any) -> Any:
    less = builder.fmul(decay, stay)
    is_some = builder.fcmp_ordered(">", less, ir.Constant(_VECTOR, [SMALLEST] * LANES))
    return builder.select(is_some, less, ir.Constant(_VECTOR, [0.0] * LANES))


@operation
def dot(typing: Any, a: Any, a_at: Any, b: Any, b_at: Any, columns: Any) -> Any:
    """The sum of a b."""

    def body(builder: Any, lines: list[Any], _: list[Any]) -> tuple[dict[int, Any], Any]:
        return {}, _times(builder, *lines)

    return _line_sign((a, b), 0, True), _emitter(2, 0, body)


@operation
def mixed(typing: Any, a: Any, a_at: Any, b: Any, b_at: Any, columns: Any) -> Any:
    """a becomes a b; the sum of it."""

    def body(builder: Any, lines: list[Any], _: list[Any]) -> tuple[dict[int, Any], Any]:
        product = _times(builder, *lines)
        return {0: product}, product

    return _line_sign((a, b), 0, True), _emitter(2, 0, body)


@operation
def scaled(typing: Any, a: Any, a_at: Any, factor: Any, columns: Any) -> Any:
    """a becomes factor a."""

    def body(builder: Any, lines: list[Any], factors: list[Any]) -> tuple[dict[int, Any], Any]:
        return {0: _times(builder, lines[0], factors[0])}, None

    return _line_sign((a,), 1, False), _emitter(1, 1, body)


@operation
def shifted(typing: Any, a: Any, a_at: Any, b: Any, b_at: Any, factor: Any, columns: Any) -> Any:
    """a becomes factor (a + b)."""

    def body(builder: Any, lines: list[Any], factors: list[Any]) -> tuple[dict[int, Any], Any]:
        return {0: _times(builder, builder.fadd(*lines), factors[0])}, None

    return _line_sign((a, b), 1, False), _emitter(2, 1, body)


@operation
def add_scaled(typing: Any, a: Any, a_at: Any, b: Any, b_at: Any, factor: Any, columns: Any) -> Any:
    """a becomes a + factor b."""

    def body(builder: Any, lines: list[Any], factors: list[Any]) -> tuple[dict[int, Any], Any]:
        return {0: _plus(builder, lines[0], _times(builder, lines[1], factors[0]))}, None

    return _line_sign((a, b), 1, False), _emitter(2, 1, body)


@operation
def scaled_dot(
    typing: Any, out: Any, out_at: Any, a: Any, a_at: Any, b: Any, b_at: Any, factor: Any, columns: Any
) -> Any:
    """out becomes factor a; the sum of out b."""

    def body(builder: Any, lines: list[Any], factors: list[Any]) -> tuple[dict[int, Any], Any]:
        product = _times(builder, lines[1], factors[0])
        return {0: product}, _times(builder, product, lines[2])

    return _line_sign((out, a, b), 1, True), _emitter(3, 1, body)


@operation
def weighed(typing: Any, a: Any, a_at: Any, decay: Any, decay_at: Any, stay: Any, columns: Any) -> Any:
    """a becomes a decay, and after it decay becomes stay decay; the sum of a."""

    def body(builder: Any, lines: list[Any], factors: list[Any]) -> tuple[dict[int, Any], Any]:
        product = _times(builder, *lines)
        return {0: product, 1: _decayed(builder, lines[1], factors[0])}, product

    return _line_sign((a, decay), 1, True), _emitter(2, 1, body)


@operation
def weighed_twice(
    typing: Any, a: Any, a_at: Any, b: Any, b_at: Any, decay: Any, decay_at: Any, more: Any, stay: Any, columns: Any
) -> Any:
    """a becomes a decay and b (b + more) decay, and after them decay becomes stay decay."""

    def body(builder: Any, lines: list[Any], factors: list[Any]) -> tuple[dict[int, Any], Any]:
        a, b, decay = lines
        second = _times(builder, builder.fadd(b, factors[0]), decay)
        return {0: _times(builder, a, decay), 1: second, 2: _decayed(builder, decay, factors[1])}, None

    return _line_sign((a, b, decay), 2, False), _emitter(3, 2, body)


@operation
def opened(
    typing: Any, given: Any, given_at: Any, out: Any, out_at: Any, high: Any, high_at: Any, low: Any, low_at: Any,
    inverse: Any, left: Any, columns: Any,
) -> Any:  # fmt: skip
    """high becomes given inverse, low becomes left high; the sum of given out."""

    def body(builder: Any, lines: list[Any], factors: list[Any]) -> tuple[dict[int, Any], Any]:
        first = _times(builder, lines[0], factors[0])
        return {2: first, 3: _times(builder, first, factors[1])}, _times(builder, lines[0], lines[1])

    return _line_sign((given, out, high, low), 2, True), _emitter(4, 2, body)
