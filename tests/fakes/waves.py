"""Channels that follow one another, for tests of anomaly detectors."""

from __future__ import annotations

import numpy as np

from triptych.models.catch import Config as NetworkConfig

TINY = NetworkConfig(
    length=24, patch_size=6, patch_stride=3, embedding=8, layers=1, heads=2, head_size=4, feed_forward=8, width=8,
    head_layers=1, head_rank=2, dropout=0.1,
)  # fmt: skip
TELLING = TINY.model_copy(update={"hidden_rows": 8})
"""The same, foretelling hidden rows instead of reconstructing."""


def waves(n: int, *, channels: int = 3, seed: int = 0, noise: float = 0.1) -> np.ndarray:
    """float64 (n, channels): a random walk's steps and a sine in different mixtures, and a little noise."""
    generator = np.random.default_rng(seed)
    steps = generator.standard_normal(n)
    sine = np.sin(np.arange(n) * 0.7 + generator.uniform(0, 6))
    mixture = np.linspace(0.0, 1.0, channels)
    common = steps[:, None] * (1 - 0.5 * mixture) + 1.5 * sine[:, None] * (0.3 + mixture)
    return common + noise * generator.standard_normal((n, channels))
