"""Equal to torchvision 0.28: names, shapes, parameters and outputs, on weights filled by rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from triptych.models import create_model


def test_network_is_the_same_function_as_torchvisions(
    parity_folder: Path, filled: Callable[[nn.Module], nn.Module]
) -> None:
    facts = json.loads((parity_folder / "googlenet_3ch.json").read_text())
    expected = np.load(parity_folder / "googlenet_3ch.npz")["logits"]
    network = filled(create_model(facts["name"], in_chans=3, num_classes=facts["num_classes"], aux_logits=True))

    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == facts["state"]
    assert list(network.state_dict()) == list(facts["state"])
    assert sum(parameter.numel() for parameter in network.parameters()) == facts["parameters"] == 13_004_888
    shape = (2, 3, facts["probe_size"], facts["probe_size"])
    images = torch.from_numpy(np.random.RandomState(7).standard_normal(shape).astype(np.float32))
    with torch.inference_mode():
        logits = network(images).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
