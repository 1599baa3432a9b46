from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from triptych.domain.errors import RecipeError
from triptych.models import Config, build_network, create_model


def test_defaults_are_b0_with_the_papers_dropout() -> None:
    assert Config().model_dump(exclude={"sequence", "other_markets"}) == {
        "name": "efficientnet_b0",
        "width": 1.0,
        "depth": 1.0,
        "drop_rate": 0.2,
        "drop_path_rate": 0.2,
        "pretrained": False,
        "checkpoint_path": "",
    }


def test_every_setting_reaches_the_network() -> None:
    config = Config(name="tf_efficientnetv2_b0", width=0.5, depth=0.5, drop_rate=0.3, drop_path_rate=0.4)
    network = build_network(config, 1, 3, seed=7)
    same = create_model(
        "tf_efficientnetv2_b0",
        in_chans=1,
        num_classes=3,
        width=0.5,
        depth=0.5,
        drop_rate=0.3,
        drop_path_rate=0.4,
        seed=7,
    )
    assert str(network) == str(same)
    assert network.drop_rate == 0.3
    trunk = [(n, p) for n, p in network.named_parameters() if not n.startswith("classifier.")]
    assert all(torch.equal(p, same.get_parameter(name)) for name, p in trunk)


def test_a_fresh_classifier_starts_undecided_and_repeats_with_its_seed() -> None:
    heads = [build_network(Config(width=0.25, depth=0.1), 1, 3, seed=7).get_classifier() for _ in range(2)]
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert heads[0].weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert heads[0].bias.abs().max().item() == 0


def test_a_classifier_from_a_file_is_kept_and_one_of_other_classes_starts_undecided(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    config = Config(width=0.25, depth=0.1)
    trained = build_network(config, 1, 3, seed=1)
    torch.nn.init.constant_(trained.get_classifier().weight, 0.5)
    save_file(trained.state_dict(), path)
    loads = config.model_copy(update={"checkpoint_path": str(path)})
    assert build_network(loads, 1, 3, seed=2).get_classifier().weight.eq(0.5).all()
    assert build_network(loads, 1, 5, seed=2).get_classifier().weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_a_checkpoint_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    config = Config(width=0.25, depth=0.1)
    save_file(build_network(config, 1, 3, seed=1).state_dict(), path)
    restored = build_network(config.model_copy(update={"checkpoint_path": str(path)}), 1, 3, seed=2)
    assert torch.equal(restored.conv_head.weight, build_network(config, 1, 3, seed=1).conv_head.weight)


def test_an_unknown_name_is_refused_when_the_recipe_is_read() -> None:
    with pytest.raises(ValidationError, match=r"Unknown model 'resnet50'\."):
        Config(name="resnet50")


@pytest.mark.parametrize(
    "setting", [{"width": 0.0}, {"depth": 5.0}, {"drop_rate": 1.0}, {"drop_path_rate": -0.1}, {"witdh": 0.5}]
)
def test_values_out_of_range_and_unknown_keys_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Config(**setting)


@pytest.mark.parametrize("name", ["googlenet", "googlenet_bn", "googlenet_paper", "lenet5", "lenet5_relu"])
def test_networks_of_one_depth_are_built_from_a_recipe(name: str) -> None:
    config = Config(name=name, width=0.25)
    network, same = (build_network(config, 4, 3, seed=7).eval() for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), same.parameters(), strict=True))
    assert network.get_classifier().weight.std().item() == pytest.approx(0.01, rel=0.2)
    assert network(torch.zeros(2, 4, 32, 32)).shape == (2, 3)
    with pytest.raises(RecipeError, match=rf"^{name} has one depth only: depth must be 1, was 0\.5\."):
        build_network(config.model_copy(update={"depth": 0.5}), 4, 3)


def test_wishes_of_a_sequence_are_kept_as_options_and_build_the_network_again() -> None:
    config = Config(name="xlstm_small", sequence={"width": 16, "blocks": 1, "ratio": [0, 1]})  # type: ignore[arg-type]
    options = config.as_options()
    assert options == {
        "name": "xlstm_small",
        "width": 1.0,
        "depth": 1.0,
        "sequence": {"width": 16, "blocks": 1, "ratio": [0, 1]},
    }
    shapes = {name: one.shape for name, one in build_network(config, 4, 3, seed=0).state_dict().items()}
    again = create_model(**options, in_chans=4, num_classes=3)
    assert {name: one.shape for name, one in again.state_dict().items()} == shapes
    assert Config().as_options() == {"name": "efficientnet_b0", "width": 1.0, "depth": 1.0}
