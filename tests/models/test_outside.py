"""Networks of timm, of which a small stand-in is installed here: it would bring torchvision."""

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from triptych.domain.errors import ArtifactError, RecipeError
from triptych.models import Config, build_network, create_model, search_space
from triptych.models.outside import require_outside_reads

FAKE = Path(__file__).parents[1] / "fakes" / "a_timm"


@pytest.fixture
def timm(monkeypatch):
    monkeypatch.syspath_prepend(str(FAKE))
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    importlib.invalidate_caches()
    yield importlib.import_module("timm")
    sys.modules.pop("timm", None)


def message_of(name, **options):
    with pytest.raises((RecipeError, ArtifactError)) as caught:
        create_model(name, **options)
    return str(caught.value)


def test_a_network_of_timm_is_made_by_timm(timm):
    network = create_model("timm:resnet18.a1_in1k", in_chans=1, num_classes=3, drop_rate=0.1, drop_path_rate=0.3)
    assert timm.made == ["resnet18.a1_in1k"]
    assert (network.drop_rate, network.drop_path_rate) == (0.1, 0.3)
    assert network(torch.zeros(2, 1, 24, 40)).shape == (2, 3)


def test_one_without_branches_to_skip_is_made_all_the_same(timm):
    assert create_model("timm:vgg11", in_chans=1, num_classes=3, drop_path_rate=0.2).drop_path_rate == 0.0


def test_pooling_is_left_to_timm_unless_another_is_asked_for(timm):
    assert create_model("timm:resnet18", in_chans=1).global_pool == "avg"
    assert create_model("timm:resnet18", in_chans=1, global_pool="").global_pool == ""


def test_a_seed_fixes_the_first_weights_and_leaves_the_generator_as_it_was(timm):
    torch.manual_seed(3)
    first, second, other = (create_model("timm:resnet18", in_chans=1, seed=seed) for seed in (1, 1, 2))
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1))
    assert torch.equal(first.conv.weight, second.conv.weight)
    assert not torch.equal(first.conv.weight, other.conv.weight)


def test_a_recipe_may_name_one_and_its_classifier_starts_undecided(timm):
    network = build_network(Config(name="timm:resnet18"), 2, 3, seed=5)
    assert network.fc.weight.std() < 0.02
    assert Config(name="timm:resnet18").as_options() == {"name": "timm:resnet18", "width": 1.0, "depth": 1.0}
    assert search_space("timm:resnet18").presets == {}


def test_errors_say_what_to_do(timm):
    assert message_of("timm:resnet19") == "timm has no model 'resnet19'. Close names: timm:resnet18."
    assert message_of("timm:zzz") == "timm has no model 'zzz'. `timm.list_models()` names all."
    assert message_of("timm:resnet18", width=0.5) == (
        "timm:resnet18 comes in one size, was asked for width 0.5 and depth 1. Set model.width and model.depth to 1, "
        "and choose a smaller network by its name."
    )
    assert message_of("timm:resnet18", pretrained=True) == (
        "timm cannot make timm:resnet18: Cannot reach the hub. Set model.pretrained to false, or bring the weights "
        "into timm's cache first."
    )
    assert message_of("timm:resnet18", sequence={"pool": "last"}) == (
        "timm cannot make timm:resnet18: Small.__init__() got an unexpected keyword argument 'sequence' Choose another "
        "network."
    )


def test_without_timm_its_networks_are_refused_with_the_way_to_have_them(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert message_of("timm:resnet18") == (
        'timm:resnet18 is a network of timm, which is not installed. Install it by `pip install "triptych[timm]"`, or '
        "choose a network without `timm:`."
    )


def test_a_timm_that_does_not_load_is_explained(monkeypatch, tmp_path):
    """As with a torchvision for another PyTorch, which timm imports."""
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    importlib.invalidate_caches()
    said = message_of("timm:resnet18")
    assert said.startswith(
        "timm:resnet18 is a network of timm, which is installed but does not load: operator torchvision::nms does not "
        f"exist. Its torchvision is most likely built for another PyTorch than the {torch.__version__} installed here."
    )
    assert "Install torch and torchvision of one release from the same index" in said


def test_an_image_of_a_wrong_size_is_refused_by_name_and_size(timm):
    network = create_model("timm:vit_tiny", in_chans=1, num_classes=3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    require_outside_reads("timm:vit_tiny", network, torch.zeros(1, 224, 224))
    with pytest.raises(RecipeError) as caught:
        require_outside_reads("timm:vit_tiny", network, torch.zeros(1, 64, 48))
    assert str(caught.value) == (
        "timm:vit_tiny cannot read images of 64 x 48 pixels in 1 channels: Input height (64) doesn't match model "
        "(224). Draw images of the size that it was made for (encoding.height and encoding.width; most transformers "
        "224 x 224), or choose a network that takes any size, such as timm:resnet18."
    )
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
