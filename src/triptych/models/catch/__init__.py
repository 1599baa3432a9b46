"""CATCH: channel-aware reconstruction of multivariate windows by frequency patching."""

from triptych.models.catch.build import build_catch
from triptych.models.catch.conditional import ConditionalCatch, Foretold
from triptych.models.catch.config import REFERENCE_CHOICES, Config
from triptych.models.catch.network import Catch, Losses, Reconstruction

__all__ = [
    "REFERENCE_CHOICES",
    "Catch",
    "ConditionalCatch",
    "Config",
    "Foretold",
    "Losses",
    "Reconstruction",
    "build_catch",
]
