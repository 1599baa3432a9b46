"""Networks whose features are read by boosted trees: plain tensors, saved and exported like any network."""

from triptych.models.boosted.network import BoostedNetwork
from triptych.models.boosted.trees import TreeEnsemble, TreeShape

__all__ = ["BoostedNetwork", "TreeEnsemble", "TreeShape"]
