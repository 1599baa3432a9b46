"""Encoding and network as one module: raw candle windows in, class scores out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class WindowClassifier(nn.Module):
    """An encoding followed by a network: what is trained, saved and exported, so the two can never come apart.

    The encoding works in float32; its image is centred on 0 (2x - 1) before it meets the network.
    """

    def __init__(self, encoding: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.encoding = encoding
        self.network = network

    def images(self, window_BTF: Tensor) -> Tensor:
        """The images the network sees, (batch, channels, height, width), values in [0, 1]."""
        image: Tensor = self.encoding(window_BTF)
        return image

    def all_scores(self, window_BTF: Tensor, auxiliary: nn.Module | None = None) -> tuple[Tensor, ...]:
        """Scores as in `forward`, and after them those of auxiliary classifiers, which answer in training mode only.

        They are the network's own or those given here, in the form that the network takes (`create_auxiliary`).
        """
        image_BCHW = 2.0 * self.images(window_BTF) - 1.0
        scores = self.network(image_BCHW) if auxiliary is None else self.network(image_BCHW, auxiliary)
        return (scores,) if isinstance(scores, Tensor) else tuple(scores)

    @property
    def is_stepwise(self) -> bool:
        """Whether the answer is one of trees, which has no gradient."""
        return bool(getattr(self.network, "is_stepwise", False))

    @property
    def foretells_return(self) -> bool:
        """Whether the network has a head for the return beside that for the classes."""
        return getattr(self.network, "return_head", None) is not None

    def scores_and_return(self, window_BTF: Tensor) -> tuple[Tensor, Tensor]:
        """Scores as in `forward`, and the foretold return, (batch,), in units of the network's `return_scale`.

        For networks that foretell it only.
        """
        scores, foretold = self.network.scores_and_return(2.0 * self.images(window_BTF) - 1.0)  # type: ignore[operator]
        return scores, foretold

    @property
    def tasks(self) -> tuple[str, ...]:
        """Figures that the network foretells beside the classes."""
        return tuple(getattr(self.network, "tasks", ()))

    def scores_and_outputs(self, window_BTF: Tensor) -> tuple[Tensor, Tensor]:
        """Scores as in `forward`, and figures in standard deviations, (batch, tasks); of networks with `tasks` only."""
        scores, figures = self.network.outputs(2.0 * self.images(window_BTF) - 1.0)  # type: ignore[operator]
        return scores, figures

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Class scores (logits) of shape (batch, n_classes) for windows of shape (batch, length, 5), float32."""
        return self.all_scores(window_BTF)[0]


class ProbabilityHead(nn.Module):
    """A classifier whose output is probabilities: the graph that is exported."""

    def __init__(self, classifier: WindowClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Probabilities of shape (batch, n_classes); rows sum to 1."""
        return torch.softmax(self.classifier(window_BTF), dim=-1)


class StepwiseHead(nn.Module):
    """A classifier of trees whose outputs are probabilities and what the trees read: the graph that is exported.

    The second output lets graph and network be compared before the steps, behind which a rounding can be a leap.
    """

    def __init__(self, classifier: WindowClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, window_BTF: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of shape (batch, n_classes), and what the trees read, (batch, components)."""
        network: Any = self.classifier.network
        inputs = network.tree_inputs(2.0 * self.classifier.images(window_BTF) - 1.0)
        return torch.softmax(network.trees(inputs), dim=-1), inputs


class TaskHead(nn.Module):
    """A classifier whose outputs are probabilities and one figure a task: the graph of networks with several tasks."""

    def __init__(self, classifier: WindowClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, window_BTF: Tensor) -> tuple[Tensor, ...]:
        """Probabilities of shape (batch, n_classes), and figures of shape (batch,): returns, volatilities."""
        network: Any = self.classifier.network
        scores, figures = network.scores_and_figures(2.0 * self.classifier.images(window_BTF) - 1.0)
        named = zip(self.classifier.tasks, figures.unbind(dim=1), strict=True)
        found = [torch.exp(one) if name == "volatility" else one for name, one in named]
        return torch.softmax(scores, dim=-1), *found


class ForecastHead(nn.Module):
    """A classifier whose outputs are probabilities and the foretold return: the graph of networks that have both."""

    def __init__(self, classifier: WindowClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, window_BTF: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of shape (batch, n_classes), and returns of shape (batch,) as fractions."""
        scores, foretold = self.classifier.scores_and_return(window_BTF)
        return torch.softmax(scores, dim=-1), foretold * self.classifier.network.get_buffer("return_scale")
