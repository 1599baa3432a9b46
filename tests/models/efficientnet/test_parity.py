"""Equal to timm 1.0.31: names, shapes, parameters and outputs, on weights filled by rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from triptych.models import create_model

CASES = (
    "efficientnet_b0_3ch",
    "efficientnet_b0_4ch",
    "efficientnet_b1_3ch",
    "efficientnet_b1_4ch",
    "efficientnet_b2_3ch",
    "efficientnet_b2_4ch",
    "efficientnet_b3_3ch",
    "efficientnet_b3_4ch",
    "efficientnet_b4_3ch",
    "efficientnet_b5_3ch",
    "efficientnet_b6_3ch",
    "efficientnet_b7_3ch",
    "tf_efficientnetv2_b0_3ch",
    "tf_efficientnetv2_b0_4ch",
    "tf_efficientnetv2_s_3ch",
)


@pytest.mark.parametrize("case", CASES)
def test_network_is_the_same_function_as_the_reference(
    case: str, parity_folder: Path, filled: Callable[[nn.Module], nn.Module]
) -> None:
    facts = json.loads((parity_folder / f"{case}.json").read_text())
    expected = np.load(parity_folder / f"{case}.npz")["logits"]
    with torch.device("meta"):  # every weight is filled below: drawing first ones would double the time
        network = create_model(facts["name"], in_chans=facts["in_chans"], num_classes=facts["num_classes"])
    network = filled(network.to_empty(device="cpu"))

    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == facts["state"]
    assert sum(parameter.numel() for parameter in network.parameters()) == facts["parameters"]
    shape = (2, facts["in_chans"], facts["probe_size"], facts["probe_size"])
    images = torch.from_numpy(np.random.RandomState(7).standard_normal(shape).astype(np.float32))
    with torch.inference_mode():
        logits = network(images).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
