import pytest
import torch

from triptych.domain.errors import DataError, RecipeError
from triptych.models.catch import REFERENCE_CHOICES, Config, build_catch
from triptych.models.catch.attention import ChannelMaskedAttention
from triptych.models.catch.heads import FactoredHeads
from triptych.models.catch.reference import DenseHeads, FullSpectrum, LeakingAttention
from triptych.models.catch.spectrum import Spectrum

SMALL = {"length": 32, "patch_size": 8, "patch_stride": 4, "embedding": 8, "head_size": 4, "feed_forward": 16,
         "width": 16, "layers": 2}  # fmt: skip
KINDS = {
    "real": Config(**SMALL),
    "complex": Config(attention="complex", heads_kv=1, **SMALL),
    "reference": Config(compat="reference", **SMALL),
}


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_parameters_at_the_default_are_a_million_and_the_references_are_211_million():
    assert count(build_catch(3)) == 1_012_969
    with torch.device("meta"):
        assert count(build_catch(3, Config(compat="reference"))) == 210_732_000


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({"length": 96, "embedding": 32, "heads": 16, "head_size": 32, "feed_forward": 64, "width": 32}, 0.81e6),
        ({"width": 32}, 3.5e6),
    ],
)
def test_dense_heads_have_as_many_parameters_as_published(changes, parameters):
    network = build_catch(25, Config(compat="reference", **changes))
    assert abs(count(network.heads) / parameters - 1) < 0.06


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_windows_give_equal_numbers_call_after_call(kind, channels):
    network = build_catch(channels, KINDS[kind], seed=1).eval()
    x = torch.randn(4, 32, channels)
    with torch.no_grad():
        assert network(x).shape == x.shape
        assert torch.equal(network(x), network(x))
        torch.testing.assert_close(network(x)[2:3], network(x[2:3]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "leaky_relu"])
@pytest.mark.parametrize(("filters", "kernel", "kernel_stride"), [(1, 8, 8), (3, 3, 1), (2, 5, 3)])
def test_filters_kernel_stride_and_activation_of_the_complex_network_are_chosen(
    activation, filters, kernel, kernel_stride
):
    chosen = Config(
        attention="complex", filters=filters, kernel=kernel, kernel_stride=kernel_stride, activation=activation, **SMALL
    )
    network = build_catch(2, chosen, seed=1)
    convolve = network.transformer.convolve
    assert (convolve.weight_real.shape, convolve.stride) == ((filters, kernel), kernel_stride)
    numbers = []
    convolve.register_forward_hook(lambda _, given, made: numbers.extend((given[0], made)))
    network.losses(torch.randn(4, 32, 2)).total(frequency=0.1, channel=0.1).backward()
    band, made = numbers
    # Every bin of a band lies under the kernel: 8 bins, padded where the last place reaches beyond them.
    assert band.shape[-1] == (made.shape[-1] - 1) * kernel_stride + kernel >= 8
    assert convolve.weight_real.grad.abs().sum() > 0


def test_the_reference_answers_differently_each_time():
    network = build_catch(6, KINDS["reference"], seed=1).eval()
    x = torch.randn(4, 32, 6)
    assert not torch.equal(network(x), network(x))


def test_all_choices_together_are_the_reference():
    network = build_catch(3, KINDS["reference"], seed=4)
    same = build_catch(3, Config(reference_choices=REFERENCE_CHOICES, **SMALL), seed=4)
    assert repr(network) == repr(same)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), same.parameters(), strict=True))


@pytest.mark.parametrize("choice", REFERENCE_CHOICES)
def test_a_single_choice_of_the_reference_changes_one_part_and_trains(choice):
    network = build_catch(3, Config(reference_choices=(choice,), **SMALL), seed=1)
    attention, masks = network.transformer.blocks[0].attention, network.mask_generator
    assert type(network.spectrum) is (FullSpectrum if choice == "full_transform" else Spectrum)
    assert type(network.heads) is (DenseHeads if choice == "dense_heads" else FactoredHeads)
    assert type(attention) is (LeakingAttention if choice == "leaking_mask" else ChannelMaskedAttention)
    assert (masks.bias is None) == (choice == "raw_mask_input")
    assert masks.saturates == (choice == "log_of_sigmoid")
    torch.manual_seed(0)
    x = torch.randn(4, 32, 3)
    network.losses(x).total(frequency=0.1, channel=0.1).backward()
    assert masks.weight.grad.abs().sum() > 0
    network.eval()
    assert torch.equal(network(x), network(x)) == (choice != "noisy_evaluation")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_all_parameters_learn(kind):
    network = build_catch(3, KINDS[kind], seed=1)
    torch.manual_seed(0)
    network.losses(torch.randn(16, 32, 3)).total(frequency=0.1, channel=0.1).backward()
    # The mixing across bands begins as none, so what feeds it has no gradient in the first step.
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert all("down_RP" in name or "key.bias" in name for name in silent), silent


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_a_fixed_mask_leaves_the_generator_alone_and_gives_the_same_losses(kind):
    network = build_catch(3, KINDS[kind], seed=1)
    x = torch.randn(8, 32, 3)
    network.eval()
    free, fixed = network.losses(x), network.losses(x, fixed_mask=True)
    torch.testing.assert_close(free.time, fixed.time)
    torch.testing.assert_close(free.channel, fixed.channel)
    network.train()
    network.losses(x, fixed_mask=True).total(frequency=0.1, channel=0.1).backward()
    assert network.mask_generator.weight.grad is None


def test_a_closed_mask_isolates_channels():
    network = build_catch(3, KINDS["real"], seed=1).eval()
    with torch.no_grad():
        network.mask_generator.bias.fill_(-100.0)
    x = torch.randn(2, 32, 3)
    other = x.clone()
    other[:, :, 2] = torch.randn(2, 32)
    assert torch.equal(network(x)[..., :2], network(other)[..., :2])


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_a_few_steps_learn_to_reconstruct_a_sine(kind):
    network = build_catch(2, KINDS[kind], seed=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    losses = []
    for _ in range(60):
        phase = 6.3 * torch.rand(32, 1, 2, generator=generator)
        x = torch.sin(torch.arange(32)[None, :, None] * 0.6 + phase)
        loss = network.losses(x)
        optimizer.zero_grad()
        loss.total(frequency=0.1, channel=0.01).backward()
        optimizer.step()
        losses.append(loss.time.item())
    assert losses[-1] < 0.3 * losses[0]


def test_the_seed_fixes_the_weights_and_leaves_torch_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (build_catch(2, KINDS["real"], seed=9).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_windows_of_another_shape_are_refused():
    with pytest.raises(DataError) as error:
        build_catch(2, KINDS["real"])(torch.zeros(1, 32, 3))
    assert str(error.value) == (
        "Expected windows of shape (batch, 32, 2), was (1, 32, 3). Cut windows of the length and with the channels the "
        "network was made for."
    )


def test_no_channels_are_refused():
    with pytest.raises(RecipeError, match=r"^channels must be above 0, was 0\.$"):
        build_catch(0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"heads": 2, "heads_kv": 3}, "heads_kv must divide heads (2), was 3"),
        (
            {"patch_size": 4, "patch_stride": 5},
            "patch_stride must not exceed patch_size (4), or bins are skipped; was 5",
        ),
        (
            {"compat": "reference", "attention": "complex"},
            "the reference has no complex attention: leave compat, reference_choices or attention at its default",
        ),
        (
            {"reference_choices": ("full_transform",), "length": 8},
            "the reference pads no band: length must be at least patch_size (16)",
        ),
        (
            {"compat": "reference", "reference_choices": ("dense_heads",)},
            'compat = "reference" takes all reference_choices: name some, or set compat',
        ),
        ({"activation": "sigmoid"}, 'kernel, kernel_stride and activation belong to attention = "complex"'),
        ({"attention": "complex", "kernel": 17}, "kernel must not exceed patch_size (16), was 17"),
        (
            {"attention": "complex", "kernel_stride": 9},
            "kernel_stride must not exceed the kernel (8), or bins are skipped; was 9",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, sentence):
    with pytest.raises(ValueError, match="Value error") as error:
        Config(**changes)
    assert sentence in str(error.value)


def test_masks_are_decided_alike_in_a_batch_and_alone():
    network = build_catch(3, KINDS["real"], seed=0).eval()
    windows = torch.randn(64, 32, 3, generator=torch.Generator().manual_seed(0))
    seen = {}
    network.mask_generator.register_forward_hook(lambda module, given, out: seen.update(logits=module.logits(given[0])))
    with torch.no_grad():
        network.mask_generator.weight.normal_(generator=torch.Generator().manual_seed(1))
        together = network.reconstruct(windows).mask
        logits = seen["logits"].unflatten(0, (64, -1))
        for i in range(64):
            assert torch.equal(network.reconstruct(windows[i : i + 1]).mask[0], together[i])
            torch.testing.assert_close(seen["logits"], logits[i], rtol=0, atol=1e-12)
    assert logits.dtype == torch.float64
    assert 0.2 < float(together.mean()) < 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_rows_alone_are_those_of_the_whole_reconstruction(kind):
    network = build_catch(2, KINDS[kind], seed=0).eval()
    x = torch.randn(3, network.length, 2, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.manual_seed(0)  # the reference draws its masks
        whole = network(x)
        torch.manual_seed(0)
        last = network(x, last=5)
    assert last.shape == (3, 5, 2)
    torch.testing.assert_close(last, whole[:, -5:], rtol=0, atol=1e-6)
