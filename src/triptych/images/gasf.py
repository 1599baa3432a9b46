"""Gramian angular summation field: GASF_ij = cos(phi_i + phi_j), phi the arccosine of the series scaled to [-1, 1].

Symmetric; its diagonal holds the series itself (2 x^2 - 1). Mathematics in `_gramian.py`.
"""

from __future__ import annotations

from triptych.images._gramian import AbstractGramianConfig, GramianAngularField
from triptych.images.base import AbstractEncoding


class Config(AbstractGramianConfig):
    """Options of the Gramian angular summation field."""


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles. Raises RecipeError when `size` exceeds `length`."""
    return GramianAngularField(kind="summation", config=config, length=length)
