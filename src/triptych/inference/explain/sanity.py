"""Does an explanation explain? Two tests that a picture of the data alone would fail.

Cascade: the network's weights are shuffled from the last layer to the first, what was shuffled staying so, and the
heat must cease to resemble the original (Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 3,
cascading randomisation; they draw new weights layer by layer, here each tensor's own values change places, in five
stages). Deletion: the image is painted over from its most important place on, and the network must lose its certainty
sooner than with places in random order (Petsiuk, Das, Saenko, "RISE: Randomized Input Sampling for Explanation of
Black-box Models", BMVC 2018, section 4.2).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from triptych.domain import CLASSES
from triptych.inference.classifier import WindowClassifier
from triptych.inference.explain.explanation import Explanation, Method, blank_of, explain
from triptych.models.boosted.network import BoostedNetwork
from triptych.models.siamese import SiameseNetwork

STAGES = 5
"""Stages in which the weights are shuffled."""
CELLS = 8
"""Cells that an image is divided into along each side when places are taken away."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CascadeStage:
    """How much the heat still resembles the original.

    Attributes:
        shuffled: share of the network's tensors of weights, counted from the output, that are shuffled.
        correlation: rank correlation of the heat, with its sign, with the original's, over the pixels where either is
            not 0; None where one of the two is flat: heat that is not there resembles nothing, and forgets nothing.
            Without signs the heat of integrated gradients would resemble itself for ever, being a product with the
            image; over empty background everything resembles everything.
    """

    shuffled: float
    correlation: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletion:
    """How fast certainty goes when places are taken away.

    Attributes:
        curve: probability of the class with 0, 1, .. of the places painted over, the most important first.
        area: mean of the curve; lower is better.
        random_area: mean area of random orders.
        beaten: share of random orders whose area is larger.
    """

    curve: tuple[float, ...]
    area: float
    random_area: float
    beaten: float


def cascade(
    classifier: WindowClassifier, window: NDArray[np.floating], *, method: Method, target: str = "", seed: int = 0
) -> list[CascadeStage]:
    """Rank correlation of the heat with that of networks whose weights are shuffled, stage by stage."""
    original = explain(classifier, window, method=method, target=target)
    broken = copy.deepcopy(classifier)
    tensors = _weights(broken.network)[::-1]
    generator = torch.Generator().manual_seed(seed)
    found, done = [], 0
    for stage in range(1, STAGES + 1):
        until = round(len(tensors) * stage / STAGES)
        for tensor in tensors[done:until]:
            _shuffle(tensor, generator)
        done = until
        other = explain(broken, window, method=method, target=original.target)
        found.append(
            CascadeStage(shuffled=until / len(tensors), correlation=_rank_correlation(original.heat, other.heat))
        )
    return found


def deletion(
    classifier: WindowClassifier,
    window: NDArray[np.floating],
    explanation: Explanation,
    *,
    orders: int = 20,
    seed: int = 0,
) -> Deletion:
    """The curve of an explanation against `orders` random orders of the same places."""
    image = torch.from_numpy(explanation.image)[None]
    blank = blank_of(classifier.encoding, image)
    cells = _cells(explanation)
    importance = np.array([explanation.heat[cell].mean() for cell in cells])
    random = np.random.default_rng(seed)
    index = CLASSES.index(explanation.target)
    curve = _curve(
        classifier, image, blank, [cells[i] for i in np.argsort(-importance, kind="stable")], index, explanation
    )
    areas = []
    for _ in range(orders):
        order = [cells[i] for i in random.permutation(len(cells))]
        areas.append(float(np.mean(_curve(classifier, image, blank, order, index, explanation))))
    area = float(np.mean(curve))
    return Deletion(
        curve=tuple(float(p) for p in curve),
        area=area,
        random_area=float(np.mean(areas)),
        beaten=float(np.mean(np.array(areas) > area)),
    )


def _cells(explanation: Explanation) -> list[tuple[slice, slice]]:
    height, width = explanation.heat.shape
    rows = np.linspace(0, height, min(CELLS, height) + 1).astype(int)
    columns = np.linspace(0, width, min(CELLS, width) + 1).astype(int)
    return [
        (slice(top, bottom), slice(left, right))
        for top, bottom in zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True)
        for left, right in zip(columns[:-1].tolist(), columns[1:].tolist(), strict=True)
    ]


@torch.no_grad()
def _curve(
    classifier: WindowClassifier,
    image: torch.Tensor,
    blank: torch.Tensor,
    order: list[tuple[slice, slice]],
    index: int,
    explanation: Explanation,
) -> NDArray[np.float64]:
    """Probability of the class while places are painted over one by one, shape (places + 1,)."""
    images, left = [image[0]], image[0].clone()
    for rows, columns in order:
        place = (rows, slice(None), columns) if explanation.is_sequence else (slice(None), rows, columns)
        left[place] = blank[place]
        images.append(left.clone())
    scores = classifier.network(2.0 * torch.stack(images) - 1.0)
    probabilities: NDArray[np.float64] = torch.softmax(scores.double(), dim=-1)[:, index].numpy()
    return probabilities


def _weights(network: nn.Module) -> list[torch.Tensor]:
    """Tensors of what was learned, in the order of the network; numbers that stand alone cannot be shuffled.

    Behind a frozen network stand the projection and the leaves of its trees, behind a siamese one the library that
    windows are compared with. A last layer that is not asked is none.
    """
    unasked: set[int] = set()
    behind: list[torch.Tensor] = []
    if isinstance(network, BoostedNetwork):
        classifier: Any = network.backbone
        unasked = {id(one) for one in classifier.get_classifier().parameters()}
        behind = [network.get_buffer("components"), network.trees.get_buffer("value")]
    if isinstance(network, SiameseNetwork):
        behind = [network.get_buffer("library")]
    asked = [one for one in network.parameters() if one.numel() > 1 and id(one) not in unasked]
    return [*asked, *behind]


def _shuffle(tensor: torch.Tensor, generator: torch.Generator) -> None:
    """Let the values of a tensor change places; zeros keep theirs: inner nodes of trees, and what was never learned."""
    flat = tensor.data.flatten().clone()
    there = torch.nonzero(flat).flatten()
    flat[there] = flat[there[torch.randperm(len(there), generator=generator)]]
    tensor.data = flat.view_as(tensor)


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    from scipy.stats import spearmanr  # takes a second to load, which trading need not wait for

    seen = (a != 0) | (b != 0)
    first, second = a[seen], b[seen]
    if not len(first) or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)
