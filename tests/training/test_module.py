"""Auxiliary classifiers in training. What all trainings share is tested through `fit`, in test_trainer.py."""

from pathlib import Path

import pytest
import torch
from tests.fakes.classifier import CloseEncoding
from tests.fakes.killed_training import LENGTH, window_sets
from tests.fakes.two_headed import TwoHeaded
from torch import nn

from triptych.inference.classifier import WindowClassifier
from triptych.models import create_model
from triptych.training.module import TrainingModule
from triptych.training.trainer import Config, fit

CONFIG = Config(epochs=2, batch_size=64, early_stopping=0)


@pytest.fixture(scope="module")
def sets():
    return window_sets(300)


def googlenet(**options) -> WindowClassifier:
    return WindowClassifier(
        CloseEncoding(), create_model("googlenet", in_chans=1, num_classes=3, width=0.125, seed=1, **options)
    )


def trained(sets, folder: Path, config: Config = CONFIG, classifier: WindowClassifier | None = None, **options):
    classifier = classifier or WindowClassifier(CloseEncoding(), TwoHeaded(LENGTH))
    return fit(classifier, *sets, config, folder, 5, progress=False, **options)


def stop_after(epoch: int):
    def stop(record):
        if record.epoch == epoch:
            raise KeyboardInterrupt

    return stop


def module_of(sets, classifier: WindowClassifier, config: Config = CONFIG) -> TrainingModule:
    return TrainingModule(classifier.train(), config, train=sets[0], steps_per_epoch=4, seed=5)


def test_a_googlenet_trains_with_auxiliary_classifiers_and_is_kept_without(sets, tmp_path):
    classifier = googlenet()
    config = CONFIG.model_copy(update={"ema": 0.9, "class_weights": "balanced", "uniqueness_weights": True})
    result = trained(sets, tmp_path, config, classifier)
    assert not any("aux" in name for name in result.state)
    fresh = googlenet()
    fresh.load_state_dict(result.state)  # every name fits, and none is missing
    assert result.history[-1].train_loss < result.history[0].train_loss
    again = googlenet()
    trained(sets, tmp_path, config, again)
    assert all(torch.equal(again.state_dict()[name], value) for name, value in result.state.items())


def test_an_interrupted_googlenet_goes_on_with_the_auxiliary_classifiers_it_had(sets, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trained(sets, tmp_path / "a", classifier=googlenet(), on_epoch=stop_after(1))
    checkpoint = torch.load(tmp_path / "a" / "checkpoint.ckpt", weights_only=True)
    assert {name.split(".")[0] for name in checkpoint["state_dict"]} == {"classifier", "auxiliary"}
    resumed = trained(sets, tmp_path / "a", classifier=googlenet())
    whole = trained(sets, tmp_path / "b", classifier=googlenet())
    assert resumed.history == whole.history
    assert all(torch.equal(resumed.state[name], whole.state[name]) for name in whole.state)


def test_the_auxiliary_classifier_learns_and_teaches(sets, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trained(sets, tmp_path / "a", on_epoch=stop_after(1))
    learned = torch.load(tmp_path / "a" / "checkpoint.ckpt", weights_only=True)["state_dict"]
    first = module_of(sets, WindowClassifier(CloseEncoding(), TwoHeaded(LENGTH))).auxiliary
    assert not torch.equal(learned["auxiliary.0.weight"], first[0].weight)
    half, none = (
        trained(sets, tmp_path / str(weight), CONFIG.model_copy(update={"auxiliary_weight": weight})).state
        for weight in (0.5, 0.0)
    )
    assert not torch.equal(half["network.hidden.weight"], none["network.hidden.weight"])


def test_gradients_are_those_of_the_weighted_sum(sets):
    module = module_of(sets, WindowClassifier(CloseEncoding(), TwoHeaded(LENGTH)))
    batch = sets[0].gather(torch.arange(32))
    module.trainer = StandIn()
    module.training_step(batch, 0).backward()
    got = module.classifier.network.hidden.weight.grad.clone()
    module.zero_grad()
    main, auxiliary = module.classifier.all_scores(batch.windows, module.auxiliary)
    cross_entropy = nn.functional.cross_entropy
    (cross_entropy(main, batch.labels) + 0.3 * cross_entropy(auxiliary, batch.labels)).backward()
    torch.testing.assert_close(got, module.classifier.network.hidden.weight.grad)


class StandIn:
    """A trainer that knows the learning rate and nothing else."""

    class _Optimizer:
        param_groups = ({"lr": 1e-3},)

    optimizers = (_Optimizer(),)


def test_the_recorded_loss_is_that_of_the_main_scores(sets, tmp_path):
    still = {"epochs": 1, "learning_rate": 1e-12}
    losses = [
        trained(sets, tmp_path / str(weight), CONFIG.model_copy(update=still | {"auxiliary_weight": weight}))
        .history[0]
        .train_loss
        for weight in (0.0, 5.0)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_weight_of_zero_and_networks_without_places_have_none(sets):
    off = CONFIG.model_copy(update={"auxiliary_weight": 0.0})
    assert module_of(sets, googlenet()).auxiliary is not None
    assert module_of(sets, googlenet(), off).auxiliary is None
    network = nn.Sequential(nn.Flatten(), nn.Linear(LENGTH, 3))
    assert module_of(sets, WindowClassifier(CloseEncoding(), network)).auxiliary is None


def test_a_network_that_brings_its_own_uses_and_keeps_them(sets, tmp_path):
    classifier = googlenet(aux_logits=True)
    assert module_of(sets, classifier).auxiliary is None
    before = classifier.network.aux1.fc2.weight.clone()
    result = trained(sets, tmp_path, CONFIG.model_copy(update={"epochs": 1}), classifier)
    assert not torch.equal(result.state["network.aux1.fc2.weight"], before)
    googlenet(aux_logits=True).load_state_dict(result.state)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("name", ["googlenet", "googlenet_paper"])
def test_training_on_a_gpu_repeats_itself(sets, tmp_path, name):
    config = CONFIG.model_copy(update={"accelerator": "gpu"})
    one, two = (
        trained(
            sets,
            tmp_path / folder,
            config,
            WindowClassifier(CloseEncoding(), create_model(name, in_chans=1, num_classes=3, width=0.125, seed=1)),
        )
        for folder in ("a", "b")
    )
    assert one.history == two.history
