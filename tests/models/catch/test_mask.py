import pytest
import torch

from triptych.models.catch.mask import ChannelMaskGenerator, binary_concrete


@pytest.mark.parametrize("probability", [0.03, 0.3, 0.5, 0.7, 0.98])
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_draws_come_with_the_probability_of_their_logit(probability, temperature):
    n = 40_000
    logits = torch.logit(torch.full((n,), probability))
    drawn = binary_concrete(logits, temperature, torch.Generator().manual_seed(3))
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}
    assert abs(float(drawn.mean()) - probability) < 4 * (probability * (1 - probability) / n) ** 0.5


def test_saturated_logits_stay_finite():
    logits = torch.tensor([-1e4, -200.0, 200.0, 1e4], requires_grad=True)
    drawn = binary_concrete(logits, 1.0, torch.Generator().manual_seed(3))
    drawn.sum().backward()
    assert drawn.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert torch.isfinite(logits.grad).all()


def test_the_gradient_is_that_of_the_relaxed_draw():
    logits = torch.zeros(1, requires_grad=True)
    binary_concrete(logits, 0.5, torch.Generator().manual_seed(3)).backward(torch.ones(1))
    uniform = torch.rand(1, generator=torch.Generator().manual_seed(3))
    soft = torch.sigmoid(torch.logit(uniform) / 0.5)
    torch.testing.assert_close(logits.grad, soft * (1 - soft) / 0.5)


def test_masks_are_drawn_in_training_and_decided_in_evaluation():
    generator = ChannelMaskGenerator(4, 6)
    with torch.no_grad():
        generator.weight.normal_(generator=torch.Generator().manual_seed(1))
    bands = torch.randn(50, 4, 6, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(0)
    assert not torch.equal(generator(bands), generator(bands))
    generator.eval()
    decided = generator(bands)
    assert torch.equal(decided, generator(bands))
    off_diagonal = ~torch.eye(4, dtype=torch.bool)
    assert torch.equal(decided[..., off_diagonal], (generator.logits(bands)[..., off_diagonal] > 0).float())


def test_the_diagonal_is_always_open_and_one_channel_has_the_mask_one():
    generator = ChannelMaskGenerator(3, 4, heads=2)
    with torch.no_grad():
        generator.bias.fill_(-50.0)
    assert torch.equal(generator(torch.randn(5, 3, 4)), torch.eye(3).expand(5, 2, 3, 3))
    assert torch.equal(ChannelMaskGenerator(1, 4)(torch.randn(5, 1, 4)), torch.ones(5, 1, 1, 1))


def test_the_strength_of_a_band_does_not_matter():
    generator = ChannelMaskGenerator(3, 4)
    with torch.no_grad():
        generator.weight.normal_(generator=torch.Generator().manual_seed(1))
    bands = torch.randn(5, 3, 4)
    torch.testing.assert_close(generator.logits(bands), generator.logits(1000 * bands), atol=1e-4, rtol=0)


def _constant(logit, **choices):
    """A generator all of whose logits are the same, and bands for it."""
    generator = ChannelMaskGenerator(2, 1, **choices)
    with torch.no_grad():
        generator.weight.zero_()
        generator.bias.fill_(logit)
    return generator, torch.ones(20_000, 2, 1)


@pytest.mark.parametrize("choice", ["squared_sampling", "log_of_sigmoid"])
@pytest.mark.parametrize(("probability", "squared"), [(0.7, 0.845), (0.3, 0.155)])
def test_the_reference_draws_by_the_square_and_its_logarithms_alone_change_no_probability(choice, probability, squared):
    generator, bands = _constant(float(torch.logit(torch.tensor(probability))), reference_choices=(choice,))
    torch.manual_seed(0)
    open_share = float(generator(bands)[:, 0, 0, 1].detach().mean())
    assert abs(open_share - (squared if choice == "squared_sampling" else probability)) < 0.012


def test_the_logarithm_of_a_sigmoid_is_no_number_where_it_saturates_and_ours_is():
    theirs, bands = _constant(20.0, reference_choices=("log_of_sigmoid",))
    ours, _ = _constant(20.0)
    assert theirs.saturates
    assert not ours.saturates
    assert torch.isnan(theirs(bands)).any()
    assert torch.isfinite(ours(bands)).all()


def test_noise_in_evaluation_is_a_choice_of_its_own():
    noisy, bands = _constant(0.0, reference_choices=("noisy_evaluation",))
    noisy.eval()
    assert not torch.equal(noisy(bands), noisy(bands))


def test_loud_bands_saturate_a_generator_that_reads_them_raw():
    generator = ChannelMaskGenerator(3, 4, reference_choices=("raw_mask_input",))
    with torch.no_grad():
        generator.weight.fill_(1.0)
    bands = torch.randn(5, 3, 4)
    torch.testing.assert_close(1024 * generator.logits(bands), generator.logits(1024 * bands))
