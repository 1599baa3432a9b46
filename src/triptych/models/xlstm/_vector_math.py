"""Exponential, logistic, tangent and logarithm in single precision, written so that the compiler makes vectors of them.

The scalar library functions cost five times as much in a loop, because each is a call. Relative errors are below 2e-7 in the
range that gates use; arguments beyond +-87 are cut, where single precision ends.
"""

from __future__ import annotations

import numba
import numpy as np

_F = np.float32
OPTIONS = {"fastmath": {"contract", "reassoc", "nsz", "arcp"}, "inline": "always", "error_model": "numpy"}
"""No assumption that infinities and NaN do not occur: a diverged training must show."""


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]
def exponential(x: np.float32) -> np.float32:
    """The exponential: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2] (coefficients of Cephes' expf)."""
    x = min(max(x, _F(-87.0)), _F(88.0))
    n = np.floor(x * _F(1.44269504088896341) + _F(0.5))
    r = x - n * _F(0.693359375) + n * _F(2.12194440e-4)
    p = _F(1.9875691500e-4)
    p = p * r + _F(1.3981999507e-3)
    p = p * r + _F(8.3334519073e-3)
    p = p * r + _F(4.1665795894e-2)
    p = p * r + _F(1.6666665459e-1)
    p = p * r + _F(5.0000001201e-1)
    p = p * r * r + r + _F(1.0)
    bits = np.int32((np.int32(n) + np.int32(127)) << np.int32(23))
    return p * bits.view(np.float32)


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]
def logistic(x: np.float32) -> np.float32:
    """1 / (1 + exp(-x))."""
    return _F(1.0) / (_F(1.0) + exponential(-x))


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]
def hyperbolic_tangent(x: np.float32) -> np.float32:
    """The hyperbolic tangent; absolute error below 2e-7."""
    return _F(1.0) - _F(2.0) / (exponential(_F(2.0) * x) + _F(1.0))


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]
def log_logistic(x: np.float32) -> np.float32:
    """ln(1 / (1 + exp(-x))) = min(x, 0) - ln(1 + exp(-|x|)).

    ln(1 + u) for u in [0, 1] by the area tangent: s = u / (2 + u) is at most a third, and 2 artanh(s) converges quickly.
    """
    u = exponential(-abs(x))
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
