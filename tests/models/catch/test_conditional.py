import pytest
import torch
from pydantic import ValidationError

from triptych.domain.errors import DataError
from triptych.models.catch import ConditionalCatch, Config, build_catch
from triptych.models.catch.conditional import shapes

CONFIG = Config(
    length=32, patch_size=8, patch_stride=4, embedding=8, head_size=4, feed_forward=16, width=16, layers=2,
    hidden_rows=8, dropout=0.0,
)  # fmt: skip

WHOLE = "the reference and complex attention reconstruct whole windows: hidden_rows must be 0"


def windows(n: int = 4, channels: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 32, channels, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def awake() -> ConditionalCatch:
    """A network all of whose paths carry something."""
    network = build_catch(3, CONFIG, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        network.share.fill_(1.0)
        for one in (network.row_weights, network.row_scales, network.scales.weight):
            one.copy_(0.2 * torch.randn(one.shape, generator=generator))
    return network.eval()


def test_the_hidden_rows_of_a_channel_change_nothing_of_what_is_foretold_of_it(awake):
    before = windows()
    after = before.clone()
    after[:, -8:, 1] += 3.0
    with torch.no_grad():
        first, second = awake(before), awake(after)
    torch.testing.assert_close(second[:, :, 1], first[:, :, 1], rtol=0, atol=1e-6)
    assert (second[:, :, [0, 2]] - first[:, :, [0, 2]]).abs().mean() > 0.01


def test_its_past_and_the_other_channels_do(awake):
    with torch.no_grad():
        before = awake(windows())
        for row, channel in ((5, 0), (5, 1), (-1, 1)):
            changed = windows()
            changed[:, row, channel] += 3.0
            assert (awake(changed)[:, :, 0] - before[:, :, 0]).abs().max() > 1e-4


def test_a_channel_whose_masks_are_closed_gathers_from_nobody(awake):
    with torch.no_grad():
        awake.mask_generator.bias.fill_(-100.0)
        awake.row_weights.zero_()
        awake.row_scales.zero_()
        changed = windows()
        changed[:, :, 1:] = windows(seed=9)[:, :, 1:]
        torch.testing.assert_close(awake(changed)[:, :, 0], awake(windows())[:, :, 0], rtol=0, atol=1e-6)
        assert awake.masks(windows()).sum(dim=(-1, -2)).unique().tolist() == [3.0]  # the diagonal, its own past


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_windows_give_equal_numbers_in_any_batch(channels):
    network = build_catch(channels, CONFIG, seed=1).eval()
    x = windows(4, channels)
    with torch.no_grad():
        assert network(x).shape == (4, 8, channels, 2)
        assert network.tokens(x).shape == (4, 4, channels, 16)
        assert torch.equal(network(x), network(x))
        torch.testing.assert_close(network(x)[2:3], network(x[2:3]), atol=1e-5, rtol=1e-5)


def test_it_begins_with_the_ridge_regression_on_the_other_channels_of_the_row():
    x = torch.randn(5000, 3, generator=torch.Generator().manual_seed(3))
    x[:, 0] = 1.0 + 0.8 * x[:, 1] + 0.3 * torch.randn(5000, generator=torch.Generator().manual_seed(4))
    network = build_catch(3, CONFIG, seed=1)
    network.begin([x[:2000], x[2000:]])
    weights = network.row_weights.detach()
    assert abs(float(weights[0, 1]) - 0.8) < 0.03  # a ridge of 2 % shrinks it a little
    assert float(weights[0, 0].abs() + weights[0, 3].abs() + weights[0, 6].abs()) == 0.0  # never from itself
    with torch.no_grad():
        made = network.eval().foretell(x[:32][None])
    expected = 1.0 + 0.8 * x[24:32, 1]
    torch.testing.assert_close(made.mean[0, :, 0], expected, rtol=0, atol=0.15)
    assert abs(float(made.log_scale[0, 0, 0].exp()) - 0.3 * (3 / 5) ** 0.5) < 0.02


def test_all_parameters_learn(awake):
    awake.train()
    awake.losses(windows(16)).total(frequency=0.1, channel=0.1).backward()
    # The mixing across bands begins as none, so what feeds it has no gradient in the first step.
    silent = [n for n, p in awake.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == ["heads.real.layers.0.down_RP", "heads.real.layers.1.down_RP",
                      "heads.imaginary.layers.0.down_RP", "heads.imaginary.layers.1.down_RP"]  # fmt: skip


def test_a_fixed_mask_leaves_the_generator_alone(awake):
    awake.train()
    awake.losses(windows(16), fixed_mask=True).total(frequency=0.1, channel=0.1).backward()
    assert awake.mask_generator.weight.grad is None
    assert awake.mask_generator.bias.grad is None


def test_a_few_steps_learn_how_wide_rows_are():
    generator = torch.Generator().manual_seed(5)
    loud = torch.where(torch.rand(256, 1, 1, generator=generator) < 0.5, 0.3, 2.0)
    x = loud * torch.randn(256, 32, 2, generator=generator)
    network = build_catch(2, CONFIG, seed=1)
    network.begin([x[0]])
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    torch.manual_seed(0)
    for _ in range(60):
        loss = network.losses(x[:192]).time
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scale = network.eval().foretell(x[192:]).log_scale.exp().mean(dim=(1, 2))
    wild = loud[192:, 0, 0] > 1
    assert float(scale[wild].mean() / scale[~wild].mean()) > 3.0


def test_a_row_is_read_by_itself_its_modulus_and_its_square():
    torch.testing.assert_close(shapes(torch.tensor([[-2.0, 9.0]])), torch.tensor([[-2.0, 4.0, 1.2, 3.2, 0.9, 4.5]]))


def test_windows_of_another_shape_are_refused(awake):
    with pytest.raises(DataError) as error:
        awake(torch.zeros(2, 31, 3))
    assert str(error.value) == (
        "Expected windows of shape (batch, 32, 3), was (2, 31, 3). Cut windows of the length and with the channels the "
        "network was made for."
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"compat": "reference"}, WHOLE),
        ({"attention": "complex"}, WHOLE),
        ({"hidden_rows": 97}, "at most half of a window can be hidden, 96 rows; was 97"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(changes, said):
    with pytest.raises(ValidationError) as error:
        Config(**({"hidden_rows": 16} | changes))
    assert error.value.errors()[0]["msg"] == f"Value error, {said}"
