"""Memory that is about to be written, fetched into the cache while something else is computed.

A store into memory that is not in the cache waits for it to come, and a core waits for a dozen lines at a time only. A
kernel that first computes and then writes an image would wait all that while and leave memory idle before. So it asks
for the image's lines between its sums: an image of 64 x 64 then costs little more than its bytes.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LINE_BYTES: Final = 64
MOST_BYTES: Final = 256 * 1024
"""Fetched ahead of one image: part of the cache of one core."""


def _fetch(typing: Any, array: Any, place: Any) -> Any:
    """`fetch(array, place)` in a kernel: ask for the line of this item, to be written; an array of one dimension."""

    def emit(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        data = context.make_array(sign.args[0])(context, builder, values[0]).data
        address, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        asks = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, asks, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        line = builder.bitcast(builder.gep(data, [values[1]]), address)
        to_write, to_nearest_cache, of_data = number(1), number(3), number(1)
        builder.call(function, [line, to_write, to_nearest_cache, of_data])
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


fetch: Any = intrinsic(_fetch)
