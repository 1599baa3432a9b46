"""Products of small matrices inside compiled loops: tiles of vectors, as the compiler would not find them by itself.

Matrices lie in flat arrays of single precision. Only the second factor and the product must have neighbours in a row
beside one another, so a first factor may be read transposed by its two strides. Columns go sixteen at a time: rows are
padded to a multiple of that, see `padded`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from triptych.models.xlstm import _compiling

LANES: Final = 16
"""Columns of a tile: one vector of the widest kind, two of the usual one."""
ROWS: Final = 8 if binding.get_host_cpu_features().get("avx512f", False) else 4
"""Rows of a tile: as many as the processor's registers hold beside what is multiplied."""
_F = np.float32
# No assumption that infinities and NaN do not occur: a diverged training must show.
MATH: Final = {"contract", "reassoc", "nsz", "arcp"}

_STAMPS: Final = tuple(
    (path.stat().st_mtime, path.stat().st_size) for path in sorted(Path(__file__).parent.glob("_*.py"))
)

Function = TypeVar("Function", bound=Callable[..., Any])
_compiling.tell_once()


def kernel(function: Function) -> Function:
    """A compiled function that releases the interpreter's lock and is kept on disk where that is possible."""
    options: dict[str, Any] = {"nogil": True, "fastmath": MATH, "error_model": "numpy"}
    try:
        compiled = numba.njit(cache=True, **options)(function)
        # The store looks at a kernel's own file only; what it is made of stands in several.
        place = compiled._cache._cache_file
        place._source_stamp = (place._source_stamp, *_STAMPS)
    except RuntimeError:  # nowhere to keep it: no folder that can be written to, no file that it came from
        compiled = numba.njit(**options)(function)
    return cast(Function, _for_all_numbers(compiled))


def _for_all_numbers(compiled: Any) -> Any:
    """Lets other kernels call one compiled form whether they pass a constant or a variable.

    Of itself numba compiles a form for every pattern of constants: ten of one product, each as long in the making.
    """
    original = compiled.get_call_template

    def of_types(args: Any, kws: Any) -> Any:
        return original(tuple(types.unliteral(one) for one in args), kws)  # type: ignore[no-untyped-call]

    compiled.get_call_template = of_types
    return compiled


def inline(function: Function) -> Function:
    """A piece of a compiled function."""
    return cast(Function, numba.njit(nogil=True, fastmath=MATH, error_model="numpy")(function))


def written_out(function: Function) -> Function:
    """A long piece of a compiled function, which is compiled with it and not, before that, by itself."""
    return cast(Function, numba.njit(nogil=True, fastmath=MATH, error_model="numpy", inline="always")(function))


def operation(emitter: Callable[..., Any]) -> Callable[..., Any]:
    """What stands in a kernel as a call and is written out there by the emitter that its signature comes with."""
    return cast(Callable[..., Any], intrinsic(emitter))


def kept_value(builder: Any, first: Any) -> Any:
    """A variable of the compiled function."""
    return cgutils.alloca_once_value(builder, first)  # type: ignore[no-untyped-call]


def _tile_of(rows: int, across: int = 1) -> Any:
    """An operation on a tile of so many rows and so many times sixteen columns."""

    def tile(
        typing: Any, out: Any, at: Any, step: Any, a: Any, a_at: Any, a_row: Any, a_column: Any, b: Any, b_at: Any,
        b_step: Any, depth: Any, adds: Any,
    ) -> Any:  # fmt: skip
        numbers = types.intp
        sign = types.void(
            out, numbers, numbers, a, numbers, numbers, numbers, b, numbers, numbers, numbers, types.boolean
        )
        return sign, _emitter(rows, across)

    return operation(tile)


def _emitter(rows: int, across: int) -> Callable[..., Any]:
    vector = ir.VectorType(ir.FloatType(), LANES)

    def emit(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        out, at, step, a, a_at, a_row, a_column, b, b_at, b_step, depth, adds = values
        out, a, b = (
            context.make_array(sign.args[place])(context, builder, one).data
            for place, one in ((0, out), (3, a), (7, b))
        )

        def vector_at(array: Any, place: Any) -> Any:
            return builder.bitcast(builder.gep(array, [place]), vector.as_pointer())

        offsets = [ir.Constant(at.type, LANES * i) for i in range(across)]
        places = []
        place = at
        for _ in range(rows):
            places += [vector_at(out, builder.add(place, offset)) for offset in offsets]
            place = builder.add(place, step)
        zero = ir.Constant(vector, [0.0] * LANES)
        sums = [kept_value(builder, zero) for _ in places]
        with builder.if_then(adds):
            for one, target in zip(sums, places, strict=True):
                builder.store(builder.load(target, align=4), one)
        with cgutils.for_range(builder, depth) as loop:
            line = builder.add(b_at, builder.mul(loop.index, b_step))
            lines = [builder.load(vector_at(b, builder.add(line, offset)), align=4) for offset in offsets]
            place = builder.add(a_at, builder.mul(loop.index, a_column))
            for row in range(rows):
                factor = builder.load(builder.gep(a, [place]))
                first = builder.insert_element(
                    ir.Constant(vector, ir.Undefined), factor, ir.Constant(ir.IntType(32), 0)
                )
                mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
                spread = builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), mask)
                for one, line in zip(sums[row * across : (row + 1) * across], lines, strict=True):
                    product = builder.fmul(spread, line, flags=("contract",))
                    builder.store(builder.fadd(builder.load(one), product, flags=("contract",)), one)
                place = builder.add(place, a_row)
        for one, target in zip(sums, places, strict=True):
            builder.store(builder.load(one), target, align=4)
        return context.get_dummy_value()

    return emit


ACROSS: Final = 4
"""Vectors of a flat tile: sums enough that none waits for the one before it."""
_tall, _flat, _long = _tile_of(ROWS), _tile_of(1), _tile_of(1, ACROSS)


@operation
def _turn_square(typing: Any, source: Any, at: Any, step: Any, out: Any, out_at: Any, out_step: Any) -> Any:
    """A square of sixteen by sixteen, turned in registers: four times, neighbours 1, 2, 4, 8 apart change halves."""

    def emit(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        source, at, step, out, out_at, out_step = values
        vector = ir.VectorType(ir.FloatType(), LANES)
        source, out = (
            context.make_array(sign.args[place])(context, builder, one).data for place, one in ((0, source), (3, out))
        )

        def each(array: Any, place: Any, step: Any) -> Any:
            for _ in range(LANES):
                yield builder.bitcast(builder.gep(array, [place]), vector.as_pointer())
                place = builder.add(place, step)

        lines = [builder.load(one, align=4) for one in each(source, at, step)]
        for apart in (1, 2, 4, 8):
            of_whom = [(j, j + LANES - apart) for j in range(LANES)]
            low = [other if j & apart else j for j, other in of_whom]
            high = [j + LANES if j & apart else j + apart for j in range(LANES)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), LANES), one) for one in (low, high)]
            for i in range(LANES):
                if not i & apart:
                    pair = lines[i], lines[i + apart]
                    lines[i], lines[i + apart] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        for line, target in zip(lines, each(out, out_at, out_step), strict=True):
            builder.store(line, target, align=4)
        return context.get_dummy_value()

    numbers = types.intp
    return types.void(source, numbers, numbers, out, numbers, numbers), emit


@operation
def separate(typing: Any) -> Any:
    """To be called in a kernel that others call often: it is compiled once, and not again wherever it is called."""

    def emit(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), emit


@operation
def widest(typing: Any) -> Any:
    """To be called in a kernel of long loops: its vectors may be as wide as the processor's.

    The compiler's own choice on processors with vectors of sixteen is eight, which suits short loops.
    """

    def emit(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        # The attribute is one that the builder's own list of known ones leaves out.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), emit


@inline
def padded(width: int) -> int:
    """The next multiple of sixteen."""
    return (width + 15) // 16 * 16


@kernel
def multiply(
    out: Any, at: int, step: int, a: Any, a_at: int, a_row: int, a_column: int, b: Any, b_at: int, b_step: int,
    rows: int, columns: int, depth: int, adds: bool,
) -> None:  # fmt: skip
    """`out` (rows, columns) = `a` (rows, depth) `b` (depth, columns), or the sum of that and what `out` holds.

    Each matrix is an array, the place of its first element, and the distance between its rows (for `a`, also between
    its columns). Columns are filled up to a multiple of sixteen.
    """
    separate()
    whole = rows // ROWS * ROWS
    for column in range(0, columns, LANES):
        for row in range(0, whole, ROWS):
            _tall(
                out, at + row * step + column, step, a, a_at + row * a_row, a_row, a_column, b, b_at + column, b_step,
                depth, adds,
            )  # fmt: skip
        for row in range(whole, rows):
            _flat(
                out, at + row * step + column, step, a, a_at + row * a_row, a_row, a_column, b, b_at + column, b_step,
                depth, adds,
            )  # fmt: skip


@kernel
def apply(
    out: Any, at: int, step: int, a: Any, a_at: int, a_row: int, b: Any, b_at: int, b_step: int, rows: int,
    columns: int, depth: int, adds: bool,
) -> None:  # fmt: skip
    """As `multiply`, for few rows and a second factor that is read once: a row goes over many columns at a time."""
    separate()
    whole, far = rows // ROWS * ROWS, columns // (ACROSS * LANES) * (ACROSS * LANES)
    for column in range(0, columns, LANES):
        for row in range(0, whole, ROWS):
            _tall(
                out, at + row * step + column, step, a, a_at + row * a_row, a_row, 1, b, b_at + column, b_step, depth,
                adds,
            )  # fmt: skip
    for row in range(whole, rows):
        for column in range(0, far, ACROSS * LANES):
            _long(
                out, at + row * step + column, step, a, a_at + row * a_row, a_row, 1, b, b_at + column, b_step, depth,
                adds,
            )  # fmt: skip
        for column in range(far, columns, LANES):
            _flat(
                out, at + row * step + column, step, a, a_at + row * a_row, a_row, 1, b, b_at + column, b_step, depth,
                adds,
            )  # fmt: skip


@kernel
def turn(
    source: Any, at: int, step: int, rows: int, columns: int, out: Any, out_at: int, out_step: int
) -> None:  # fmt: skip
    """`out` (columns, rows) = `source` (rows, columns) transposed; each an array, a first place, its rows' distance."""
    separate()
    whole_rows, whole_columns = rows // LANES * LANES, columns // LANES * LANES
    for row in range(0, whole_rows, LANES):
        for column in range(0, whole_columns, LANES):
            _turn_square(source, at + row * step + column, step, out, out_at + column * out_step + row, out_step)
        for i in range(row, row + LANES):
            for j in range(whole_columns, columns):
                out[out_at + j * out_step + i] = source[at + i * step + j]
    for i in range(whole_rows, rows):
        for j in range(columns):
            out[out_at + j * out_step + i] = source[at + i * step + j]
