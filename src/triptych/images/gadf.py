"""Gramian angular difference field: GADF_ij = sin(phi_i - phi_j), phi the arccosine of the series scaled to [-1, 1].

Antisymmetric; its diagonal is 0, its sign tells which of two candles came out higher. Mathematics in `_gramian.py`.
"""

from __future__ import annotations

from triptych.images._gramian import AbstractGramianConfig, GramianAngularField
from triptych.images.base import AbstractEncoding


class Config(AbstractGramianConfig):
    """Options of the Gramian angular difference field."""


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` candles. Raises RecipeError when `size` exceeds `length`."""
    return GramianAngularField(kind="difference", config=config, length=length)
