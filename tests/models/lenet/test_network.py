from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from triptych.domain.errors import RecipeError
from triptych.models import create_model

forms = pytest.mark.parametrize("name", ["lenet5", "lenet5_relu"])


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@forms
def test_parameters_are_those_of_full_connectivity(name: str) -> None:
    network = create_model(name, in_chans=1, num_classes=10)
    counts = [sum(p.numel() for p in layer.parameters()) for layer in network.children()]
    assert [count for count in counts if count] == [156, 2416, 48_120, 10_164, 850]
    assert sum(counts) == 61_706


def test_the_papers_form_by_plain_operations_on_32_pixels() -> None:
    network = create_model("lenet5", in_chans=1, num_classes=10, seed=0)
    weights = network.state_dict()

    def squash(x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)

    def halve(x: Tensor) -> Tensor:
        return (x[..., ::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, ::2] + x[..., 1::2, 1::2]) / 4

    def full(x: Tensor, name: str) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    picture = images(2, 1, 32, 32)
    x = halve(squash(nn.functional.conv2d(picture, weights["conv1.weight"], weights["conv1.bias"])))
    x = halve(squash(nn.functional.conv2d(x, weights["conv2.weight"], weights["conv2.bias"])))
    assert x.shape == (2, 16, 5, 5)
    expected = full(squash(full(squash(full(x.flatten(1), "fc1")), "fc2")), "fc3")
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(network(picture), expected, rtol=1e-4, atol=1e-5)


@forms
@pytest.mark.parametrize("in_chans", [1, 3, 4])
@pytest.mark.parametrize("size", [(13, 13), (32, 15), (33, 64), (112, 112), (224, 224)])
def test_classifier_takes_images_of_all_sizes_and_channels(name: str, in_chans: int, size: tuple[int, int]) -> None:
    network = create_model(name, in_chans=in_chans, num_classes=3, seed=0)
    answers = network(images(2, in_chans, *size))
    assert answers.shape == (2, 3)
    assert not torch.equal(answers[0], answers[1])


def test_an_image_too_small_to_convolve_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^lenet5 reads images of at least 13 x 13 pixels, was 13 x 12\."):
        create_model("lenet5", num_classes=3)(images(1, 3, 13, 12))
    with pytest.raises(RecipeError, match=r"^lenet5 reads images of at least 13 x 13 pixels, was 12 x 13\."):
        create_model("lenet5", features_only=True)(images(1, 3, 12, 13))


def test_timms_conventions() -> None:
    picture = images(2, 3, 40, 40)
    vector = create_model("lenet5", num_classes=0)
    assert vector(picture).shape == (2, vector.num_features) == (2, 84)
    assert create_model("lenet5", num_classes=0, global_pool="")(picture).shape == (2, 16, 7, 7)
    network = create_model("lenet5_relu", num_classes=3, global_pool="max").double()
    pooled = network.forward_head(network.forward_features(picture.double()), pre_logits=True)
    torch.testing.assert_close(network.get_classifier()(pooled), network(picture.double()))
    network.eval().reset_classifier(5)
    assert network(picture.double()).shape == (2, 5)
    assert not network.get_classifier().training
    with pytest.raises(RecipeError, match=r"^A classifier needs one vector per image, but global_pool is empty\."):
        network.reset_classifier(5, "")


def test_facts_name_the_layers_of_the_network() -> None:
    network = create_model("lenet5")
    facts = network.pretrained_cfg
    assert (facts["input_size"], facts["pool_size"], facts["num_classes"]) == ((1, 32, 32), (5, 5), 10)
    assert isinstance(network.get_submodule(facts["first_conv"]), nn.Conv2d)
    assert network.get_submodule(facts["classifier"]) is network.get_classifier()


def test_one_depth_and_any_width() -> None:
    assert create_model("lenet5", width=2.0).fc2.out_features == 168
    with pytest.raises(RecipeError, match=r"^lenet5_relu has one depth only: depth must be 1, was 2\.0\."):
        create_model("lenet5_relu", depth=2.0)


def test_the_seed_decides_the_first_weights() -> None:
    one, same, other = (create_model("lenet5", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


def test_weights_come_back_from_a_file(tmp_path: Path) -> None:
    saved = create_model("lenet5", num_classes=10, seed=1)
    save_file(saved.state_dict(), tmp_path / "w.safetensors")
    network = create_model("lenet5", in_chans=1, num_classes=3, checkpoint_path=tmp_path / "w.safetensors")
    torch.testing.assert_close(network.conv1.weight, saved.conv1.weight.sum(1, keepdim=True))
    assert network.weights_report.fresh == ("fc3.weight", "fc3.bias")


@forms
def test_some_steps_of_training_lower_the_loss(name: str) -> None:
    network = create_model(name, in_chans=1, num_classes=2, seed=1).train()
    picture, labels = images(32, 1, 32, 32), torch.arange(32) % 2
    picture[labels == 1, :, :16] += 1.0
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(network(picture), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in network.parameters())
        optimizer.step()
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.:FutureWarning")  # torch's exporter warns of itself
@pytest.mark.parametrize(("name", "size"), [("lenet5", (45, 15)), ("lenet5_relu", (33, 44))])
def test_exported_graph_answers_as_the_network_for_any_batch(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    network = create_model(name, in_chans=1, num_classes=3, seed=0).eval()
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
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        picture = images(batch, 1, *size)
        with torch.inference_mode():
            expected = network(picture).numpy()
        assert np.abs(expected).max() > 0.01  # an answer of zeros would prove nothing
        (answer,) = session.run(None, {"image": picture.numpy()})
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)
