import math

import pytest
import torch
from torch import nn

from triptych.domain.errors import NotEnoughData, RunError
from triptych.inference.multi_label import MultiLabelNetwork
from triptych.training.multi_label import Config, MultiLabelSet, fit_multi_label, multi_label_loss


class Rows(nn.Module):
    """A linear network on flattened windows."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, window):
        return self.linear(window.flatten(1))


def network():
    torch.manual_seed(0)
    return MultiLabelNetwork(Rows(8, 4), ("high", "low"), ("size",))


def windows(n, seed):
    """Two labels that may stand at once: the first value is above 0, the second below."""
    x = torch.randn(n, 4, 2, generator=torch.Generator().manual_seed(seed))
    labels = torch.stack((x[:, 0, 0] > 0, x[:, 0, 1] < 0), dim=1).float()
    numbers = torch.where(labels > 0, torch.sigmoid(x[:, 1, :]), torch.nan)[..., None]
    return MultiLabelSet(windows=x, labels=labels, numbers=numbers)


def test_the_loss_by_hand():
    scores = torch.tensor([[[0.0, 0.0], [0.0, 100.0]]])
    labels = torch.tensor([[1.0, 0.0]])
    numbers = torch.tensor([[[0.75], [math.nan]]])
    # Two labels at even odds, and one known number that is off by a quarter, counted twice.
    expected = 2 * math.log(2) + 2.0 * 0.25
    assert float(multi_label_loss(scores, labels, numbers, Config())) == pytest.approx(expected)


def test_a_positive_weight_counts_windows_that_have_the_label():
    scores, labels = torch.zeros(1, 2, 1), torch.tensor([[1.0, 0.0]])
    numbers = torch.empty(1, 2, 0)
    loss = float(multi_label_loss(scores, labels, numbers, Config(positive_weight=3.0)))
    assert loss == pytest.approx(4 * math.log(2))


def test_no_number_known_leaves_no_nan():
    numbers = torch.full((1, 2, 1), math.nan)
    assert math.isfinite(float(multi_label_loss(torch.zeros(1, 2, 2), torch.zeros(1, 2), numbers, Config())))


def test_labels_that_overlap_are_learnt_and_the_best_epoch_is_kept():
    made, told = network(), []
    config = Config(epochs=12, batch_size=32, learning_rate=0.05)
    history = fit_multi_label(made, windows(512, 1), windows(256, 2), config, 3, on_epoch=told.append)
    assert history == tuple(told)
    assert len(history) == 12
    test = windows(256, 4)
    answer = made.answer(test.windows)
    assert ((answer.probability > 0.5) == test.labels.bool()).float().mean() > 0.95
    known = torch.isfinite(test.numbers)
    assert (answer.numbers - test.numbers)[known].abs().mean() < 0.12
    held = windows(256, 2)
    with torch.inference_mode():
        loss = float(multi_label_loss(made(held.windows), held.labels, held.numbers, config))
    assert loss == pytest.approx(min(e.validation_loss for e in history), rel=1e-3)


def test_the_same_seed_gives_the_same_weights():
    made = [network(), network()]
    for one in made:
        fit_multi_label(one, windows(64, 1), windows(16, 2), Config(epochs=2, batch_size=16), 3)
    for a, b in zip(made[0].parameters(), made[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_less_than_a_batch_is_refused():
    with pytest.raises(NotEnoughData) as refused:
        fit_multi_label(network(), windows(5, 1), windows(3, 2), Config(batch_size=16), 0)
    assert str(refused.value) == (
        "Training needs at least a batch of 16 windows and one to validate, there are 5 and 3. "
        "Bring more windows or lower `batch_size`."
    )


class Stopped(Exception):
    """As if the process had been killed."""


def test_windows_of_an_epoch_are_drawn_by_its_number():
    asked, config = [], Config(epochs=3, batch_size=16)

    def drawn(epoch):
        asked.append(epoch)
        return windows(64, 10 + epoch)

    one, other = network(), network()
    fit_multi_label(one, drawn, windows(16, 2), config, 3)
    assert asked == [0, 0, 1, 2]  # the first to count them
    fit_multi_label(other, windows(64, 10), windows(16, 2), config, 3)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


@pytest.mark.parametrize("train", [windows(64, 1), lambda epoch: windows(64, epoch)], ids=["fixed", "drawn"])
def test_a_training_that_was_stopped_goes_on_and_ends_with_the_same_weights(tmp_path, train):
    sets, config = (train, windows(16, 2)), Config(epochs=4, batch_size=16)
    whole, stopped, checkpoint = network(), network(), tmp_path / "checkpoint.ckpt"
    history = fit_multi_label(whole, *sets, config, 3)

    def stop(record):
        if record.epoch == 2:
            raise Stopped

    with pytest.raises(Stopped):
        fit_multi_label(stopped, *sets, config, 3, on_epoch=stop, checkpoint=checkpoint)
    told, again = [], network()
    assert fit_multi_label(again, *sets, config, 3, on_epoch=told.append, checkpoint=checkpoint) == history
    assert [record.epoch for record in told] == [2, 3]
    for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    ended = network()  # killed after the last epoch, before the network was saved
    assert fit_multi_label(ended, *sets, config, 3, on_epoch=told.append, checkpoint=checkpoint) == history
    assert len(told) == 2
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), ended.parameters(), strict=True))


def test_a_damaged_checkpoint_is_told(tmp_path):
    checkpoint = tmp_path / "checkpoint.ckpt"
    checkpoint.write_bytes(b"half")
    with pytest.raises(RunError) as refused:
        fit_multi_label(network(), windows(64, 1), windows(16, 2), Config(batch_size=16), 0, checkpoint=checkpoint)
    assert str(refused.value) == f"The checkpoint {checkpoint} is damaged. Delete its folder to train anew."
