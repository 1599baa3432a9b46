from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from triptych.domain.errors import RecipeError
from triptych.models import create_model

Filled = Callable[[nn.Module], nn.Module]
TINY = {"width": 0.25, "depth": 0.1, "in_chans": 1}


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["efficientnet_b0", "tf_efficientnet_b0", "tf_efficientnetv2_b0", "efficientnetv2_s"])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 15), (45, 97)])
def test_classifier_takes_any_image_size(name: str, height: int, width: int) -> None:
    network = create_model(name, num_classes=3, **TINY).eval()
    with torch.inference_mode():
        features = network.forward_features(images(2, 1, height, width))
        assert features.shape == (2, network.num_features, -(-height // 32), -(-width // 32))
        assert network(images(2, 1, height, width)).shape == (2, 3)


def test_no_classes_gives_features_and_no_pooling_gives_the_map(filled: Filled) -> None:
    picture = images(2, 1, 64, 64)
    vector = filled(create_model("efficientnet_b0", num_classes=0, **TINY))
    map_ = filled(create_model("efficientnet_b0", num_classes=0, global_pool="", **TINY))
    with torch.inference_mode():
        assert vector(picture).shape == (2, vector.num_features) == (2, 320)
        assert map_(picture).shape == (2, 320, 2, 2)
        torch.testing.assert_close(map_(picture).mean((2, 3)), vector(picture))


def test_head_stops_before_the_classifier_when_asked(filled: Filled) -> None:
    network = filled(create_model("efficientnet_b0", num_classes=3, **TINY))
    with torch.inference_mode():
        features = network.forward_features(images(2, 1, 64, 64))
        pooled = network.forward_head(features, pre_logits=True)
        torch.testing.assert_close(pooled, features.mean((2, 3)))
        torch.testing.assert_close(network.get_classifier()(pooled), network(images(2, 1, 64, 64)))


def test_classifier_can_be_reset_and_removed() -> None:
    network = create_model("efficientnet_b0", num_classes=3, **TINY).to(torch.float64).eval()
    network.reset_classifier(7, "max")
    assert network.num_classes == 7
    assert network.get_classifier().weight.dtype == torch.float64
    assert not network.get_classifier().training
    assert network(images(1, 1, 32, 32).double()).shape == (1, 7)
    network.reset_classifier(0)
    assert isinstance(network.get_classifier(), nn.Identity)
    assert network(images(1, 1, 32, 32).double()).shape == (1, 320)


def test_a_classifier_without_pooling_is_refused() -> None:
    message = (
        "A classifier needs one vector per image, but global_pool is empty. "
        "Set global_pool to avg, or num_classes to 0 to get the feature map."
    )
    with pytest.raises(RecipeError, match=f"^{re.escape(message)}$"):
        create_model("efficientnet_b0", global_pool="", **TINY)


def test_a_negative_number_of_classes_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^num_classes must be 0 or more, was -1\.$"):
        create_model("efficientnet_b0", num_classes=-1, **TINY)


def test_dropout_and_drop_path_act_in_training_only() -> None:
    network = create_model("efficientnet_b0", num_classes=3, drop_rate=0.5, drop_path_rate=0.5, depth=0.5, width=0.25)
    picture = images(4, 3, 64, 64)
    assert [module.rate for module in network.modules() if type(module).__name__ == "DropPath"] == pytest.approx(
        [0.5 * index / 10 for index in (4, 6, 8)]
    )
    network.train()
    torch.manual_seed(0)
    assert not torch.equal(network(picture), network(picture))
    network.eval()
    assert torch.equal(network(picture), network(picture))


def test_gradients_reach_every_parameter() -> None:
    network = create_model("tf_efficientnetv2_b0", num_classes=3, drop_path_rate=0.2, seed=0, **TINY).train()
    torch.manual_seed(0)
    nn.functional.cross_entropy(network(images(4, 1, 64, 64)), torch.tensor([0, 1, 2, 1])).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_padding_and_normalisation_can_be_overridden() -> None:
    network = create_model("efficientnet_b0", padding="same", bn_eps=0.01, bn_momentum=0.05, **TINY)
    assert {(module.eps, module.momentum) for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {
        (0.01, 0.05)
    }
    assert type(network.conv_stem).__name__ == "Conv2dSame"


@pytest.mark.parametrize("name", ["efficientnet_b0", "tf_efficientnetv2_b0"])
def test_channels_last_is_kept_and_gives_the_same_answer(name: str, filled: Filled) -> None:
    network = filled(create_model(name, num_classes=3, **TINY))
    picture = images(2, 1, 45, 64)
    with torch.inference_mode():
        expected = network(picture)
        network.to(memory_format=torch.channels_last)
        picture = picture.to(memory_format=torch.channels_last)
        assert network.forward_features(picture).is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(network(picture), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["efficientnet_b0", "tf_efficientnetv2_b0"])
def test_graph_has_no_branch_on_data(name: str, filled: Filled) -> None:
    network = filled(create_model(name, num_classes=3, drop_rate=0.2, drop_path_rate=0.2, **TINY))
    picture = images(3, 1, 45, 64)
    compiled = torch.compile(network, backend="eager", fullgraph=True)  # fullgraph raises on a break
    with torch.inference_mode():
        torch.testing.assert_close(compiled(picture), network(picture))


@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.:FutureWarning")  # torch's exporter warns of itself
@pytest.mark.parametrize("name", ["efficientnet_b0", "tf_efficientnetv2_b0"])
def test_exported_graph_answers_as_the_network_for_any_batch(name: str, filled: Filled, tmp_path: Path) -> None:
    network = filled(create_model(name, num_classes=3, **TINY))
    program = torch.onnx.export(
        network,
        (images(2, 1, 44, 33),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["image"],
        verbose=False,
    )
    assert program is not None
    program.save(tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        picture = images(batch, 1, 44, 33)
        with torch.inference_mode():
            expected = network(picture).numpy()
        assert np.abs(expected).max() > 0.01  # an answer of zeros would prove nothing
        (answer,) = session.run(None, {"image": picture.numpy()})
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)
