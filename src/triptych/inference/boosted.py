"""Networks with trees behind them, built anew from the card of an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from triptych.models.boosted import BoostedNetwork, TreeEnsemble, TreeShape
from triptych.models.boosted.network import empty_projection


def empty_boosted(network: nn.Module, sizes: Mapping[str, Any]) -> BoostedNetwork:
    """A network with empty trees to load weights into, from what `describe` said of them."""
    mean, components = empty_projection(sizes["features"], sizes["components"])
    shape = TreeShape(trees=sizes["trees"], nodes=sizes["nodes"], depth=sizes["depth"])
    return BoostedNetwork(network, mean, components, TreeEnsemble(shape))
