import torch

from triptych.models.catch.complex_attention import ComplexMaskedAttention, complex_masked_attention


def _numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def _mask(seed, heads, channels):
    mask = (torch.rand(2, heads, channels, channels, generator=torch.Generator().manual_seed(seed)) > 0.5).double()
    return torch.maximum(mask, torch.eye(channels, dtype=torch.float64))


def test_head_h_reads_keys_of_head_h_modulo_the_groups_and_the_mask_of_its_own():
    q, k, v, mask = _numbers(2, 4, 3, 5), _numbers(2, 2, 3, 5, seed=1), _numbers(2, 2, 3, 5, seed=2), _mask(3, 4, 3)
    got = complex_masked_attention(q, k, v, mask)
    for head in range(4):
        moduli = (q[:, head] @ k[:, head % 2].conj().transpose(-1, -2)).abs() / 5**0.5
        weights = torch.softmax(moduli.masked_fill(mask[:, head] == 0, -torch.inf), dim=-1)
        torch.testing.assert_close(got[:, head], weights.to(v.dtype) @ v[:, head % 2], atol=1e-6, rtol=1e-6)


def test_a_masked_channel_has_weight_exactly_zero():
    q, k, v, mask = _numbers(2, 2, 3, 5), _numbers(2, 2, 3, 5, seed=1), _numbers(2, 2, 3, 5, seed=2), _mask(3, 2, 3)
    mask[:, :, 0, 2] = 0
    before = complex_masked_attention(q, k, v, mask)
    v[:, :, 2] = 1e30
    assert torch.equal(before[:, :, 0], complex_masked_attention(q, k, v, mask)[:, :, 0])


def test_turning_the_phase_of_all_keys_changes_no_weight():
    q, k, v, mask = _numbers(2, 2, 3, 5), _numbers(2, 2, 3, 5, seed=1), _numbers(2, 2, 3, 5, seed=2), _mask(3, 2, 3)
    turned = complex_masked_attention(q, k * torch.exp(torch.tensor(0.7j)), v, mask)
    torch.testing.assert_close(turned, complex_masked_attention(q, k, v, mask))


def test_gradients_are_the_analytic_ones():
    q, k, v = _numbers(1, 2, 3, 2), _numbers(1, 1, 3, 2, seed=1), _numbers(1, 1, 3, 2, seed=2)
    mask = _mask(3, 2, 3)[:1]
    inputs = [x.requires_grad_() for x in (q, k, v, mask)]
    assert torch.autograd.gradcheck(complex_masked_attention, inputs)


def test_the_layer_passes_gradcheck_with_grouped_keys():
    layer = ComplexMaskedAttention(4, 2, 1, 2, 0.0).double()
    x = _numbers(1, 3, 4).requires_grad_()
    mask = _mask(3, 2, 3)[:1]
    assert torch.autograd.gradcheck(lambda x: layer(x, mask)[0], (x,))
