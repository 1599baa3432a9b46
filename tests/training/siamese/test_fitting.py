"""Training of likeness: scales are those of the training part, the projection is dropped, the same seed is the same."""

import pytest
import torch
from tests.fakes.killed_training import window_sets

from triptych.images import create_encoding
from triptych.inference import WindowClassifier
from triptych.models import create_model
from triptych.models.siamese import SiameseNetwork
from triptych.training.config import Config as TrainingConfig
from triptych.training.siamese import Config
from triptych.training.siamese.fitting import embeddings_over, fit_siamese


def fitted(folder, **changes):
    encoding = create_encoding("sequence", length=8, factors=5, clip=10.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        body = create_model("gru", in_chans=5, num_classes=4, seed=1, width=0.1)
    network = SiameseNetwork(body, dimension=4, entries=1, scaled_channels=5 if changes.get("scaled") else 0)
    classifier = WindowClassifier(encoding, network)
    sets = tuple(relative(one) for one in window_sets())
    config = Config(**{"loss": "nt_xent", "near": 3, "dimension": 4, "library": 50, **changes})
    training = TrainingConfig(epochs=2, batch_size=64, learning_rate=3e-3, num_threads=1)
    result = fit_siamese(classifier, *sets, config, training, folder, 5)
    return classifier.eval(), sets, result


def relative(windows):
    """Rows of returns and volumes of unlike sizes, as factors are."""
    values = windows.values.clone()
    values[1:, :4] = torch.log(windows.values[1:, :4] / windows.values[:-1, 3:4]).clamp(-0.5, 0.5)
    values[0, :4] = 0.0
    values[:, 4] = values[:, 4] / values[:, 4].mean()
    object.__setattr__(windows, "values", values)
    return windows


def test_channels_are_scaled_by_the_training_part_alone(tmp_path):
    classifier, (train, validation), _ = fitted(tmp_path, scaled=True)
    rows = torch.cat([train.gather(torch.tensor([i])).windows[0] for i in range(len(train))])
    assert classifier.network.usual.flatten() == pytest.approx(rows.mean(dim=0) / 10.0, abs=1e-6)
    deviation = rows.std(dim=0, unbiased=False) / 10.0
    assert classifier.network.deviation.flatten() == pytest.approx(deviation, rel=1e-2)
    places = embeddings_over(classifier, validation)
    assert places.norm(dim=1) == pytest.approx(torch.ones(len(places)), abs=1e-5)


def test_a_still_channel_is_left_as_it_is_and_a_far_one_is_drawn_in():
    network = SiameseNetwork(torch.nn.Flatten(), dimension=2, entries=1, scaled_channels=2)
    network.take_scales(torch.tensor([1.0, 0.5]), torch.tensor([0.0, 0.1]))
    found = network.features(torch.tensor([1.0, 3.5]).reshape(1, 2, 1, 1))
    assert found.flatten() == pytest.approx(torch.tensor([0.0, 31.0]).log1p() * torch.tensor([0.0, 1.0]) + 0.0, abs=0.1)
    assert found[0, 1].item() == pytest.approx(torch.log(torch.tensor(31.0)).item(), abs=1e-4)


def test_the_map_on_which_the_loss_is_taken_is_dropped(tmp_path):
    plain, _, one = fitted(tmp_path / "a")
    mapped, _, other = fitted(tmp_path / "b", projection=6)
    assert set(plain.state_dict()) == set(mapped.state_dict())
    assert one.history[0].train_loss != other.history[0].train_loss


@pytest.mark.parametrize("loss", ["contrastive", "triplet", "nt_xent"])
def test_each_loss_falls_and_the_same_seed_gives_the_same_network(tmp_path, loss):
    first, _, result = fitted(tmp_path / "a", loss=loss, scaled=True)
    second, *_ = fitted(tmp_path / "b", loss=loss, scaled=True)
    assert result.history[1].train_loss < result.history[0].train_loss
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())
