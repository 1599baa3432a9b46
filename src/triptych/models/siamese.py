"""A network that places windows in a space where like stands by like, and judges a window by what it stands beside.

Its classes come from a library of labelled windows, weighted by likeness: p = softmax(q . e / T) over all entries,
times their classes (Vinyals et al., "Matching Networks for One Shot Learning", NeurIPS 2016, equation 1). Every entry
counts a little, so the answer is continuous, and the whole is one graph.

Letters: B batch, D dimensions of the space, L entries of the library, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FLOOR = 1e-6
"""Least probability, so that its logarithm is finite."""


class SiameseNetwork(nn.Module):
    """Embeddings of unit length, and class scores from a library of them.

    Attributes:
        body: a network with D outputs.
    """

    def __init__(self, body: nn.Module, *, dimension: int, entries: int, classes: int = 3) -> None:
        super().__init__()
        self.body = body
        self.dimension = dimension
        self.register_buffer("library", torch.zeros(entries, dimension))
        self.register_buffer("library_classes", torch.zeros(entries, classes))
        self.register_buffer("temperature", torch.ones(()))

    def embed(self, x_BCHW: Tensor) -> Tensor:
        """Places of images on the unit sphere, shape (batch, dimension)."""
        found: Tensor = F.normalize(self.body(x_BCHW), dim=1, eps=1e-6)
        return found

    def remember(self, library_LD: Tensor, classes_L: Tensor, temperature: float) -> None:
        """Take a library: embeddings, and the class that followed each, int64 of shape (entries,)."""
        kinds = self.get_buffer("library_classes").shape[1]
        self.register_buffer("library", library_LD.clone())
        self.register_buffer("library_classes", F.one_hot(classes_L, kinds).float())
        self.get_buffer("temperature").fill_(temperature)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Class scores of shape (batch, classes): logarithms of what followed windows like these."""
        likeness_BL = self.embed(x_BCHW) @ self.get_buffer("library").T / self.get_buffer("temperature")
        share_BK = torch.softmax(likeness_BL, dim=1) @ self.get_buffer("library_classes")
        return torch.log(share_BK.clamp(min=FLOOR))
