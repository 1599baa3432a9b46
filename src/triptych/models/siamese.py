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
LEAST_DEVIATION = 1e-7
"""Of a channel that tells anything: pixels lie from -1 to 1."""


class SiameseNetwork(nn.Module):
    """Embeddings of unit length, and class scores from a library of them.

    Attributes:
        body: a network with D outputs.
        scaled: whether channels are brought to the mean and deviation that `take_scales` was told.
    """

    def __init__(
        self, body: nn.Module, *, dimension: int, entries: int, classes: int = 3, scaled_channels: int = 0
    ) -> None:
        """Build it; `scaled_channels`, where not 0, is the number of channels, each then scaled by itself."""
        super().__init__()
        self.body = body
        self.dimension, self.scaled = dimension, scaled_channels > 0
        if self.scaled:
            self.register_buffer("usual", torch.zeros(scaled_channels, 1, 1))
            self.register_buffer("deviation", torch.ones(scaled_channels, 1, 1))
        self.register_buffer("library", torch.zeros(entries, dimension))
        self.register_buffer("library_classes", torch.zeros(entries, classes))
        self.register_buffer("temperature", torch.ones(()))

    def take_scales(self, usual_C: Tensor, deviation_C: Tensor) -> None:
        """Take the means and deviations of the channels in what is learned from; a still channel is left as it is."""
        self.get_buffer("usual").copy_(usual_C[:, None, None])
        still = deviation_C < LEAST_DEVIATION
        self.get_buffer("deviation").copy_(torch.where(still, 1.0, deviation_C)[:, None, None])

    def features(self, x_BCHW: Tensor) -> Tensor:
        """Outputs of the body, shape (batch, dimension), of any length.

        Scaled channels are drawn in by ``sign(z) log(1 + |z|)``: a crash of thirty deviations stays larger than one of
        ten and does not drown the rest.
        """
        if self.scaled:
            z = (x_BCHW - self.get_buffer("usual")) / self.get_buffer("deviation")
            x_BCHW = torch.sign(z) * torch.log1p(z.abs())
        found: Tensor = self.body(x_BCHW)
        return found

    def embed(self, x_BCHW: Tensor) -> Tensor:
        """Places of images on the unit sphere, shape (batch, dimension)."""
        return F.normalize(self.features(x_BCHW), dim=1, eps=1e-6)

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
