"""Small untrained networks of every kind, each with its encoding and a window: what explanations are tested on."""

from __future__ import annotations

import numpy as np
import torch
from tests.fakes.windows import history

from triptych.images import create_encoding
from triptych.inference import WindowClassifier
from triptych.models import create_model

LENGTH = 32
NETWORKS = {
    "efficientnet": ("candlestick", {"height": 32, "width": 64}, "efficientnet_b0", {"width": 0.25, "depth": 0.25}),
    "googlenet": ("gasf", {}, "googlenet_bn", {"width": 0.125}),
    "googlenet of the paper": ("spectrogram", {}, "googlenet_paper", {"width": 0.125}),
    "lenet": ("jkx", {"height": 32}, "lenet5", {}),
    "lenet on factors": ("factor_grid", {"factors": 8, "channels": 2, "bars_per_row": 2}, "lenet5_relu", {}),
    "xlstm": ("sequence", {"factors": 4}, "xlstm_small", {"sequence": {"width": 16, "blocks": 2}}),
    "lstm": ("sequence", {"factors": 4}, "lstm", {"sequence": {"width": 16}}),
    "tcn": ("sequence", {"factors": 4}, "tcn", {"sequence": {"width": 16}}),
}
SEQUENCES = ("xlstm", "lstm", "tcn")


def classifier_of(name: str) -> WindowClassifier:
    encoding_name, options, model, wishes = NETWORKS[name]
    encoding = create_encoding(encoding_name, LENGTH, **options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = create_model(model, in_chans=encoding.channels, num_classes=3, seed=1, **wishes)
    return WindowClassifier(encoding, network).eval()


def window_of(classifier: WindowClassifier, seed: int = 0) -> np.ndarray:
    return history(classifier.encoding.columns, LENGTH, seed).values.astype(np.float32)
