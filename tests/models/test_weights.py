from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from triptych.domain.errors import ArtifactError
from triptych.models import create_model, load_weights

Filled = Callable[[nn.Module], nn.Module]
TINY = {"width": 0.25, "depth": 0.1}
REMEDY = (
    "Build the network with the name, width, depth and channels the weights were trained with; "
    "weights without a classifier load with num_classes=0, then call reset_classifier."
)


@pytest.fixture
def saved(filled: Filled, tmp_path: Path) -> Path:
    """A tiny RGB network of five classes."""
    path = tmp_path / "rgb.safetensors"
    save_file(filled(create_model("efficientnet_b0", num_classes=5, **TINY)).state_dict(), path)
    return path


def create(path: Path, **options: object) -> nn.Module:
    return create_model("efficientnet_b0", checkpoint_path=path, **TINY, **options).eval()


def tamper(path: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    from safetensors.torch import load_file

    tensors = load_file(path)
    change(tensors)
    changed = path.with_name("changed.safetensors")
    save_file(tensors, changed)
    return changed


def test_a_file_restores_the_network_exactly(saved: Path, filled: Filled) -> None:
    original = filled(create_model("efficientnet_b0", num_classes=5, **TINY))
    restored = create(saved, num_classes=5)
    assert all(torch.equal(tensor, restored.state_dict()[name]) for name, tensor in original.state_dict().items())
    report = restored.weights_report
    assert (report.adapted, report.fresh, report.unused) == ((), (), ())
    assert set(report.loaded) == set(original.state_dict())


def test_a_grey_image_gives_the_same_answer_in_one_channel_as_in_three(saved: Path) -> None:
    rgb, grey = create(saved, num_classes=5), create(saved, num_classes=5, in_chans=1)
    picture = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = rgb(picture.expand(-1, 3, -1, -1))
        assert expected.abs().max() > 0.01
        torch.testing.assert_close(grey(picture), expected, rtol=1e-4, atol=1e-5)
    assert grey.weights_report.adapted == ("conv_stem.weight",)


def test_more_channels_repeat_the_kernels(saved: Path) -> None:
    rgb = create(saved, num_classes=5).conv_stem.weight
    four = create(saved, num_classes=5, in_chans=4).conv_stem.weight
    torch.testing.assert_close(four[:, :3], rgb * 0.75)
    torch.testing.assert_close(four[:, 3], rgb[:, 0] * 0.75)


def test_other_classes_leave_the_classifier_fresh(saved: Path) -> None:
    network = create(saved, num_classes=3, seed=4)
    fresh = create_model("efficientnet_b0", num_classes=3, seed=4, **TINY)
    assert network.weights_report.fresh == ("classifier.weight", "classifier.bias")
    assert torch.equal(network.classifier.weight, fresh.classifier.weight)
    assert not torch.equal(network.conv_head.weight, fresh.conv_head.weight)


def test_no_classes_leave_the_classifier_unused(saved: Path) -> None:
    assert set(create(saved, num_classes=0).weights_report.unused) == {"classifier.weight", "classifier.bias"}


def test_feature_maps_use_the_stages_only(saved: Path) -> None:
    report = create(saved, features_only=True, out_indices=(0, 1)).weights_report
    assert {name.split(".")[0] for name in report.unused} == {"blocks", "conv_head", "bn2", "classifier"}
    assert not any(name.startswith("blocks.2") for name in report.loaded)


def test_counters_of_batches_may_be_missing(saved: Path) -> None:
    def drop_counters(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if name.endswith("num_batches_tracked")]:
            del tensors[name]

    assert create(tamper(saved, drop_counters), num_classes=5).weights_report.fresh == ()


def test_half_precision_weights_load_into_single_precision(saved: Path) -> None:
    path = tamper(saved, lambda tensors: tensors.update({"conv_head.weight": tensors["conv_head.weight"].half()}))
    assert create(path, num_classes=5).conv_head.weight.dtype == torch.float32


def test_missing_unexpected_and_misshaped_weights_are_named_together(saved: Path) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        del tensors["bn1.weight"]
        tensors["bn9.weight"] = torch.zeros(1)
        tensors["conv_head.weight"] = torch.zeros(2, 80, 1, 1)

    path = tamper(saved, spoil)
    with pytest.raises(ArtifactError) as caught:
        create(path, num_classes=5)
    assert str(caught.value) == (
        f"{path} does not fit the network: missing bn1.weight; unexpected bn9.weight; "
        f"mis-shaped conv_head.weight (expected [320, 80, 1, 1], was [2, 80, 1, 1]). {REMEDY}"
    )


def test_long_lists_are_cut_with_their_count(saved: Path) -> None:
    path = tamper(saved, lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("blocks.6.")])
    with pytest.raises(ArtifactError, match=r"missing blocks\.6\.0\.conv_pw\.weight, .* and \d+ more\. Build"):
        create(path, num_classes=5)


def test_a_file_of_another_width_is_refused_and_nothing_is_changed(saved: Path) -> None:
    network = create_model("efficientnet_b0", num_classes=5, width=0.5, depth=0.1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ArtifactError, match="mis-shaped conv_stem"):
        load_weights(network, saved)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_file_for_other_than_three_channels_is_not_adapted(filled: Filled, tmp_path: Path) -> None:
    path = tmp_path / "two.safetensors"
    save_file(filled(create_model("efficientnet_b0", in_chans=2, num_classes=5, **TINY)).state_dict(), path)
    with pytest.raises(ArtifactError) as caught:
        create(path, num_classes=5, in_chans=1)
    assert str(caught.value) == (
        f"{path} does not fit the network: mis-shaped conv_stem.weight "
        f"(expected [8, 1, 3, 3], was [8, 2, 3, 3]). {REMEDY}"
    )


def test_a_missing_classifier_is_not_silently_replaced(saved: Path) -> None:
    path = tamper(saved, lambda tensors: [tensors.pop(name) for name in ("classifier.weight", "classifier.bias")])
    with pytest.raises(ArtifactError, match=r"missing classifier\.weight, classifier\.bias\."):
        create(path, num_classes=5)
    assert create(path, num_classes=0).weights_report.fresh == ()
