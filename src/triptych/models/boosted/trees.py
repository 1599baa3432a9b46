"""Boosted trees as tensors: gathered level by level, so that they are stored, exported and served without the library
that grew them.

Letters: B batch, F features, T trees, N nodes, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """One tree, its nodes in any order, the root first; all lists have one entry a node.

    Attributes:
        feature: place of the feature that is asked for; any in a leaf.
        threshold: a value of at most this goes left.
        left, right: nodes that follow; a leaf is followed by itself.
        value: what a leaf adds to the score of its class.
        class_index: the class that the tree speaks about.
    """

    feature: Sequence[int]
    threshold: Sequence[float]
    left: Sequence[int]
    right: Sequence[int]
    value: Sequence[float]
    class_index: int

    def depth(self) -> int:
        """Most questions on a way to a leaf."""
        depths = [0] * len(self.left)
        waiting, deepest = [0], 0
        while waiting:
            node = waiting.pop()
            for child in {self.left[node], self.right[node]} - {node}:
                depths[child] = depths[node] + 1
                deepest = max(deepest, depths[child])
                waiting.append(child)
        return deepest


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeShape:
    """Sizes of an ensemble, from which an empty one is built that weights are loaded into."""

    trees: int
    nodes: int
    depth: int
    classes: int = 3


class TreeEnsemble(nn.Module):
    """Scores of K classes from F features: the sum of what T trees say. All of it is buffers; nothing is trained."""

    def __init__(self, shape: TreeShape) -> None:
        super().__init__()
        self.shape = shape
        size = shape.trees, shape.nodes
        self.register_buffer("feature", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(size))
        self.register_buffer("left", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("right", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("value", torch.zeros(size))
        self.register_buffer("class_of_tree", torch.zeros(shape.trees, shape.classes))
        self.register_buffer("base", torch.zeros(shape.classes))

    @classmethod
    def of(cls, trees: Sequence[Tree], base: Sequence[float]) -> TreeEnsemble:
        """An ensemble of these trees; `base` is the score of every class before any tree has spoken."""
        shape = TreeShape(
            trees=len(trees),
            nodes=max((len(tree.left) for tree in trees), default=1),
            depth=max((tree.depth() for tree in trees), default=0),
            classes=len(base),
        )
        ensemble = cls(shape)
        ensemble.get_buffer("base").copy_(torch.tensor(base))
        for row, tree in enumerate(trees):
            count = len(tree.left)
            for name in ("feature", "threshold", "left", "right", "value"):
                buffer = ensemble.get_buffer(name)
                buffer[row, :count] = torch.tensor(getattr(tree, name), dtype=buffer.dtype)
            ensemble.get_buffer("class_of_tree")[row, tree.class_index] = 1.0
        return ensemble

    def forward(self, x_BF: Tensor) -> Tensor:
        """Scores of shape (batch, classes) for features of shape (batch, features), float32."""
        first_T = torch.arange(self.shape.trees, device=x_BF.device) * self.shape.nodes
        buffers = (self.get_buffer(name).flatten() for name in ("feature", "threshold", "left", "right", "value"))
        feature, threshold, left, right, value = buffers
        node_BT = first_T.expand(x_BF.shape[0], -1)
        for _ in range(self.shape.depth):
            asked_BT = x_BF.gather(1, feature[node_BT])
            node_BT = torch.where(asked_BT <= threshold[node_BT], left[node_BT], right[node_BT]) + first_T
        scores: Tensor = self.get_buffer("base") + value[node_BT] @ self.get_buffer("class_of_tree")
        return scores
