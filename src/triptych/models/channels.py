"""Numbers of channels when a network is made narrower or wider."""

from __future__ import annotations

_DIVISOR = 8


def make_divisible(value: float, round_limit: float = 0.9) -> int:
    """The multiple of 8 nearest to `value`, at least 8; one step up when less than `round_limit` of it would stay."""
    rounded = max(_DIVISOR, int(value + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return rounded + _DIVISOR if rounded < round_limit * value else rounded
