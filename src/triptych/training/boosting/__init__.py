"""The second stage of a model: trees that read the features of the first."""

from triptych.training.boosting.config import Config

__all__ = ["Config"]
