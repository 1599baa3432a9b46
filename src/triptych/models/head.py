"""The end of a classifier: one linear layer, or none."""

from __future__ import annotations

from torch import nn

from triptych.domain.errors import RecipeError


def create_classifier(num_features: int, num_classes: int, global_pool: str) -> nn.Module:
    """A linear layer from features to classes; the identity for 0 classes.

    Raises RecipeError for a negative number, and for classes without pooling: they need one vector per image.
    """
    if num_classes < 0:
        raise RecipeError(f"num_classes must be 0 or more, was {num_classes}.")
    if num_classes > 0 and not global_pool:
        raise RecipeError(
            "A classifier needs one vector per image, but global_pool is empty.",
            remedy="Set global_pool to avg, or num_classes to 0 to get the feature map.",
        )
    return nn.Linear(num_features, num_classes) if num_classes else nn.Identity()
