from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from triptych.domain.errors import RecipeError
from triptych.models import create_model
from triptych.models.googlenet import FORMS, GoogLeNetOutputs

Filled = Callable[[nn.Module], nn.Module]
TINY = {"width": 0.125, "in_chans": 1}
forms = pytest.mark.parametrize("name", FORMS)


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@forms
@pytest.mark.parametrize("in_chans", [1, 3, 4])
@pytest.mark.parametrize(("size", "last"), [(224, 7), (112, None), (64, 2), (32, 1)])
def test_classifier_takes_images_of_all_sizes_and_channels(
    name: str, in_chans: int, size: int, last: int | None
) -> None:
    network = create_model(name, num_classes=3, width=0.125, in_chans=in_chans, aux_logits=True)
    last = last or (4 if name == "googlenet" else 3)  # torchvision's last pooling rounds 7 up to 4, the paper's to 3
    picture = images(2, in_chans, size, size)
    with torch.no_grad():
        assert network.eval().forward_features(picture).shape == (2, network.num_features, last, last)
        assert network(picture).shape == (2, 3)
        assert [answer.shape for answer in network.train()(picture)] == [(2, 3)] * 3


@forms
@pytest.mark.parametrize("size", [(1, 1), (32, 15), (45, 97)])
def test_no_image_is_too_small(name: str, size: tuple[int, int], filled: Filled) -> None:
    network = filled(create_model(name, num_classes=3, **TINY))
    with torch.no_grad():
        answers = network(images(2, 1, *size))
    assert answers.shape == (2, 3)
    assert not torch.equal(answers[0], answers[1])


def test_auxiliary_answers_come_in_training_mode_only() -> None:
    network = create_model("googlenet", num_classes=3, aux_logits=True, **TINY)
    picture = images(2, 1, 32, 32)
    answer = network.train()(picture)
    assert isinstance(answer, GoogLeNetOutputs)
    assert answer._fields == ("logits", "aux_logits2", "aux_logits1")
    assert isinstance(network.eval()(picture), Tensor)
    assert isinstance(create_model("googlenet", num_classes=3, **TINY).train()(picture), Tensor)


def test_auxiliary_classifiers_given_from_outside_answer_as_ones_own(filled: Filled) -> None:
    owner = filled(create_model("googlenet_paper", num_classes=3, aux_logits=True, **TINY)).train()
    guest = filled(create_model("googlenet_paper", num_classes=3, **TINY)).train()
    heads = guest.create_auxiliary()
    heads[0].load_state_dict(owner.aux1.state_dict())
    heads[1].load_state_dict(owner.aux2.state_dict())
    assert not any(name.startswith("aux") for name in guest.state_dict())
    torch.manual_seed(0)
    own = owner(images(2, 1, 64, 64))
    torch.manual_seed(0)
    given = guest(images(2, 1, 64, 64), heads)
    for one, other in zip(own, given, strict=True):
        torch.testing.assert_close(one, other)
    assert not torch.equal(own.aux_logits1, own.aux_logits2)
    assert isinstance(guest.eval()(images(2, 1, 64, 64), heads), Tensor)


def test_the_first_auxiliary_reads_4a_and_the_second_4d() -> None:
    network = create_model("googlenet", num_classes=3, aux_logits=True, **TINY).train()
    answer = network(images(2, 1, 64, 64))
    answer.aux_logits1.sum().backward(retain_graph=True)
    assert network.inception4a.branch1.conv.weight.grad is not None
    assert network.inception4b.branch1.conv.weight.grad is None
    answer.aux_logits2.sum().backward()
    assert network.inception4d.branch1.conv.weight.grad is not None
    assert network.inception4e.branch1.conv.weight.grad is None


@forms
def test_gradients_reach_every_parameter(name: str) -> None:
    network = create_model(name, num_classes=3, aux_logits=True, seed=0, **TINY).train()
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 2, 1])
    losses = [nn.functional.cross_entropy(answer, labels) for answer in network(images(4, 1, 64, 64))]
    (losses[0] + 0.3 * (losses[1] + losses[2])).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    for head in (network.aux1, network.aux2):
        assert head.fc1.weight.grad.abs().max() > 0
        assert head.conv.conv.weight.grad.abs().max() > 0


@forms
def test_some_steps_of_training_lower_the_loss(name: str) -> None:
    network = create_model(name, num_classes=2, aux_logits=True, seed=1, **TINY).train()
    torch.manual_seed(1)
    picture, labels = images(32, 1, 32, 32), torch.arange(32) % 2
    picture[labels == 1, :, :16] += 1.0  # brighter in the upper half
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(25):
        answers = network(picture)
        losses.append(nn.functional.cross_entropy(answers.logits, labels).item())
        total = sum(w * nn.functional.cross_entropy(a, labels) for w, a in zip((1, 0.3, 0.3), answers, strict=True))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert losses[0] == pytest.approx(0.69, abs=0.15)
    assert losses[-1] < 0.5 * losses[0]


def test_no_classes_gives_features_and_no_pooling_gives_the_map(filled: Filled) -> None:
    picture = images(2, 1, 64, 64)
    vector = filled(create_model("googlenet", num_classes=0, **TINY))
    map_ = filled(create_model("googlenet", num_classes=0, global_pool="", **TINY))
    with torch.inference_mode():
        assert vector(picture).shape == (2, vector.num_features) == (2, 128)
        assert map_(picture).shape == (2, 128, 2, 2)
        torch.testing.assert_close(map_(picture).mean((2, 3)), vector(picture))


def test_head_stops_before_the_classifier_when_asked(filled: Filled) -> None:
    network = filled(create_model("googlenet", num_classes=3, **TINY))
    with torch.inference_mode():
        features = network.forward_features(images(2, 1, 64, 64))
        pooled = network.forward_head(features, pre_logits=True)
        torch.testing.assert_close(pooled, features.mean((2, 3)))
        torch.testing.assert_close(network.get_classifier()(pooled), network(images(2, 1, 64, 64)))


def test_classifier_can_be_reset_and_removed() -> None:
    network = create_model("googlenet", num_classes=3, aux_logits=True, **TINY).to(torch.float64).eval()
    network.reset_classifier(7, "max")
    assert network.num_classes == 7
    assert network.get_classifier().weight.dtype == network.aux2.fc2.weight.dtype == torch.float64
    assert network.aux1.fc2.weight.shape == (7, 128)
    assert not network.get_classifier().training
    assert not network.aux1.training
    assert network(images(1, 1, 32, 32).double()).shape == (1, 7)
    plain = create_model("googlenet", num_classes=3, **TINY).eval()
    plain.reset_classifier(0)
    assert isinstance(plain.get_classifier(), nn.Identity)
    assert plain(images(1, 1, 32, 32)).shape == (1, 128)
    with pytest.raises(RecipeError, match=r"^Auxiliary classifiers need classes"):
        network.reset_classifier(0)


def test_dropout_acts_in_training_only() -> None:
    network = create_model("googlenet_paper", num_classes=3, drop_rate=0.5, drop_path_rate=0.2, **TINY)
    picture = images(4, 1, 32, 32)
    torch.manual_seed(0)
    assert not torch.equal(network.train()(picture), network(picture))
    assert torch.equal(network.eval()(picture), network(picture))


@forms
def test_channels_last_is_kept_and_gives_the_same_answer(name: str, filled: Filled) -> None:
    network = filled(create_model(name, num_classes=3, **TINY))
    picture = images(2, 1, 45, 64)
    with torch.inference_mode():
        expected = network(picture)
        network.to(memory_format=torch.channels_last)
        picture = picture.to(memory_format=torch.channels_last)
        assert network.forward_features(picture).is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(network(picture), expected, rtol=1e-4, atol=1e-5)


def test_graph_has_no_branch_on_data(filled: Filled) -> None:
    network = filled(create_model("googlenet_paper", num_classes=3, drop_rate=0.2, **TINY))
    picture = images(3, 1, 45, 64)
    compiled = torch.compile(network, backend="eager", fullgraph=True)  # fullgraph raises on a break
    with torch.inference_mode():
        torch.testing.assert_close(compiled(picture), network(picture))


@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.:FutureWarning")  # torch's exporter warns of itself
def test_exported_graph_answers_as_the_network_and_holds_no_auxiliary_classifier(
    filled: Filled, tmp_path: Path
) -> None:
    size = (64, 15)  # batch normalisation: tests/inference/test_auxiliary_artifact.py
    network = filled(create_model("googlenet_paper", num_classes=3, aux_logits=True, **TINY))
    program = torch.onnx.export(
        network,
        (images(2, 1, *size),),
        dynamo=True,
        opset_version=18,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["image"],
        verbose=False,
    )
    assert program is not None
    program.save(tmp_path / "network.onnx")
    weights = {tensor.name for tensor in onnx.load(tmp_path / "network.onnx").graph.initializer}
    assert any("fc" in weight for weight in weights)
    assert not any("aux" in weight for weight in weights)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        picture = images(batch, 1, *size)
        with torch.inference_mode():
            expected = network(picture).numpy()
        assert np.abs(expected).max() > 0.01  # an answer of zeros would prove nothing
        (answer,) = session.run(None, {"image": picture.numpy()})
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)


def test_a_file_of_torchvision_fills_a_network_without_auxiliary_classifiers(filled: Filled, tmp_path: Path) -> None:
    path = tmp_path / "torchvision.safetensors"
    options = {"width": 0.125, "checkpoint_path": path}
    save_file(filled(create_model("googlenet", num_classes=10, aux_logits=True, width=0.125)).state_dict(), path)
    network = create_model("googlenet", num_classes=10, **options)
    assert network.weights_report.fresh == ()
    assert {name.split(".")[0] for name in network.weights_report.unused} == {"aux1", "aux2"}
    four = create_model("googlenet", num_classes=3, in_chans=4, **options)
    assert four.weights_report.adapted == ("conv1.conv.weight",)
    assert four.weights_report.fresh == ("fc.weight", "fc.bias")
    torch.testing.assert_close(four.conv1.conv.weight[:, 3], 0.75 * network.conv1.conv.weight[:, 0])
    both = create_model("googlenet", num_classes=3, aux_logits=True, seed=1, **options)
    assert {name.split(".")[0] for name in both.weights_report.fresh} == {"fc", "aux1", "aux2"}
    assert torch.equal(both.inception5b.branch1.conv.weight, network.inception5b.branch1.conv.weight)
    maps = create_model("googlenet", features_only=True, out_indices=(0, 1), **options)
    assert {name.split(".")[0] for name in maps.weights_report.loaded} | {"conv1"} == {"conv1", "conv2", "conv3"}


def test_a_file_without_auxiliary_classifiers_leaves_them_fresh(filled: Filled, tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    save_file(filled(create_model("googlenet", num_classes=3, **TINY)).state_dict(), path)
    network = create_model("googlenet", num_classes=3, aux_logits=True, checkpoint_path=path, **TINY)
    assert {name.split(".")[0] for name in network.weights_report.fresh} == {"aux1", "aux2"}
    assert network.weights_report.unused == ()


def test_networks_carry_the_facts_of_their_weights() -> None:
    with torch.device("meta"):
        facts = create_model("googlenet").pretrained_cfg
    assert facts == {
        "architecture": "googlenet",
        "tag": "",
        "hf_hub_id": "",
        "hf_hub_filename": "model.safetensors",
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "test_input_size": (3, 224, 224),
        "pool_size": (7, 7),
        "crop_pct": 0.875,
        "interpolation": "bilinear",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "first_conv": "conv1.conv",
        "classifier": "fc",
    }
