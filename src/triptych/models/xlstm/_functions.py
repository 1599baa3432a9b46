"""The exponential and its kin, written out so that the compiler makes vectors of them.

The scalar library functions cost five times as much in a loop, because each is a call. Relative errors are below 2e-7
in the range that gates use; arguments beyond -87 and 88, where single precision ends, are cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from triptych.models.xlstm._tiles import _F, inline


@inline
def exponential(x: Any) -> Any:
    """2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]; NaN stays NaN."""
    # In this order, and not by min and max, a NaN passes both.
    high = _F(-87.0) if x < _F(-87.0) else x
    cut = _F(88.0) if high > _F(88.0) else high
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


@inline
def logistic(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return _F(1.0) / (_F(1.0) + exponential(-x))


@inline
def tangent(x: Any) -> Any:
    """The hyperbolic tangent; absolute error below 2e-7."""
    return _F(1.0) - _F(2.0) / (exponential(_F(2.0) * x) + _F(1.0))


@inline
def one_plus_logarithm(u: Any) -> Any:
    """ln(1 + u), u in [0, 1], by the area tangent: s = u / (2 + u) is at most 1/3, 2 artanh(s) converges quickly."""
    s = u / (_F(2.0) + u)
    q = s * s
    p = _F(1.0 / 13.0)
    p = p * q + _F(1.0 / 11.0)
    p = p * q + _F(1.0 / 9.0)
    p = p * q + _F(1.0 / 7.0)
    p = p * q + _F(1.0 / 5.0)
    p = p * q + _F(1.0 / 3.0)
    p = p * q + _F(1.0)
    return _F(2.0) * s * p


@inline
def log_logistic(x: Any) -> Any:
    """ln(1 / (1 + exp(-x))) = min(x, 0) - ln(1 + exp(-abs(x)))."""
    return min(x, _F(0.0)) - one_plus_logarithm(exponential(-abs(x)))


@inline
def normal_tail(x: Any, bell: Any) -> Any:
    """The chance that a standard normal number is above |x|; `bell` is exp(-x^2 / 2). Absolute error below 2e-7.

    Abramowitz and Stegun, Handbook of Mathematical Functions, formula 7.1.26.
    """
    t = _F(1.0) / (_F(1.0) + _F(0.3275911 * 0.7071067811865476) * abs(x))
    p = _F(1.061405429)
    p = p * t - _F(1.453152027)
    p = p * t + _F(1.421413741)
    p = p * t - _F(0.284496736)
    p = p * t + _F(0.254829592)
    return _F(0.5) * p * t * bell
