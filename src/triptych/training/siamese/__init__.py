"""Siamese networks: learned likeness of market states."""

from triptych.training.siamese.config import Config

__all__ = ["Config"]
