"""A small classifier with everything that makes a resumption hard: dropout, batch norm, biases."""

import torch
from torch import Tensor, nn

from triptych.inference.classifier import WindowClassifier


class CloseEncoding(nn.Module):
    """Closes of a window scaled to [0, 1] by the window's own range, as an image of height 1."""

    def forward(self, window_BTF: Tensor) -> Tensor:
        close = window_BTF[..., 3]
        low, high = close.amin(1, keepdim=True), close.amax(1, keepdim=True)
        return ((close - low) / (high - low).clamp_min(1e-9))[:, None, None]


def small_classifier(length: int, seed: int = 0, dropout: float = 0.2) -> WindowClassifier:
    """Encoding and network with weights drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Flatten(), nn.Linear(length, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3)
        )
    return WindowClassifier(CloseEncoding(), network)
