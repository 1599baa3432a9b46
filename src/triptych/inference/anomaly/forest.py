"""An isolation forest (Liu, Ting & Zhou 2008) as plain arrays: fitted by scikit-learn, walked here.

Arrays can be saved without pickling, and a forest that was loaded scores to the last bit as the one that was fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Forest:
    """The trees' nodes one behind another; a leaf is its own child.

    Attributes:
        roots: int64 (trees,): the first node of each tree.
        left, right: int64 (nodes,): where a row goes that is at most, or above, the threshold.
        channel: int64 (nodes,): which number of a row is asked.
        threshold: float64 (nodes,).
        depth: float64 (nodes,): cuts that isolate a row which ends there: those of the tree, and the usual ones of
            the rows that were left with it.
        scale: float64 (1,): mean number of cuts for the rows a tree was grown on.
    """

    roots: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    channel: NDArray[np.int64]
    threshold: NDArray[np.float64]
    depth: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def grow(cls, rows: NDArray[np.float32], *, trees: int, seed: int) -> Self:
        """Grow trees on rows (n, channels)."""
        from sklearn.ensemble import IsolationForest  # takes a second to load

        forest = IsolationForest(n_estimators=trees, random_state=seed).fit(rows)
        parts: dict[str, list[NDArray[Any]]] = {
            name: [] for name in ("left", "right", "channel", "threshold", "depth")
        }  # fmt: skip
        roots, first = [], 0
        for estimator, chosen in zip(forest.estimators_, forest.estimators_features_, strict=True):
            tree = estimator.tree_
            nodes = np.arange(tree.node_count)
            leaf = tree.children_left < 0
            parts["left"].append(np.where(leaf, nodes, tree.children_left) + first)
            parts["right"].append(np.where(leaf, nodes, tree.children_right) + first)
            parts["channel"].append(np.where(leaf, 0, chosen[np.maximum(tree.feature, 0)]))
            parts["threshold"].append(tree.threshold)
            parts["depth"].append(_depths(tree) + _mean_cuts(tree.n_node_samples))
            roots.append(first)
            first += tree.node_count
        joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
        return cls(
            roots=np.array(roots, dtype=np.int64),
            left=joined["left"].astype(np.int64),
            right=joined["right"].astype(np.int64),
            channel=joined["channel"].astype(np.int64),
            threshold=joined["threshold"].astype(np.float64),
            depth=joined["depth"].astype(np.float64),
            scale=_mean_cuts(np.array([forest.max_samples_])),
        )

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """2^-(mean cuts / usual cuts) of rows (n, channels), (n,): near 1 where few cuts isolate a row."""
        at = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        index = np.arange(len(rows))[:, None]
        while True:
            onward = np.where(rows[index, self.channel[at]] <= self.threshold[at], self.left[at], self.right[at])
            if np.array_equal(onward, at):
                break
            at = onward
        return np.asarray(2.0 ** (-self.depth[at].mean(axis=1) / self.scale[0]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave. Raises KeyError when one is missing."""
        return cls(**{one.name: arrays[one.name] for one in fields(cls)})


def _depths(tree: Any) -> NDArray[np.float64]:
    """Cuts from the root to each node."""
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):  # children stand behind their parents
        for child in (tree.children_left[node], tree.children_right[node]):
            if child >= 0:
                depth[child] = depth[node] + 1.0
    return depth


def _mean_cuts(rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean cuts until a row of a random tree of so many rows stands alone: the paper's c(n)."""
    n = np.maximum(rows.astype(np.float64), 3.0)
    many = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(rows > 2, many, np.where(rows == 2, 1.0, 0.0))
