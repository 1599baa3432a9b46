import torch

from triptych.models.catch.attention import ChannelMaskedAttention, masked_attention, masked_softmax
from triptych.models.catch.reference import LeakingAttention


def _qkv(seed, channels=5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, 2, channels, 8, generator=generator, dtype=dtype) for _ in range(3)]


def _mask(seed, channels=5):
    mask = (torch.rand(3, 1, channels, channels, generator=torch.Generator().manual_seed(seed)) > 0.5).float()
    return torch.maximum(mask, torch.eye(channels))


def test_a_masked_channel_has_weight_exactly_zero():
    q, k, v = _qkv(1)
    mask = _mask(2)
    mask[:, :, 0, 3] = 0.0
    before = masked_attention(q, k, v, mask)
    v[:, :, 3] = 1e30
    k[:, :, 3] = 7.0
    after = masked_attention(q, k, v, mask)
    assert torch.equal(before[:, :, 0], after[:, :, 0])
    weights = masked_softmax(torch.randn(3, 2, 5, 5), mask)
    assert (weights[(mask == 0).expand_as(weights)] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 5))


def test_the_fused_path_and_the_one_with_a_gradient_give_the_same_numbers():
    q, k, v = _qkv(1)
    mask = _mask(2)
    torch.testing.assert_close(masked_attention(q, k, v, mask), masked_attention(q, k, v, mask.requires_grad_()))


def test_few_and_many_channels_get_the_same_numbers_with_and_without_a_gradient():
    for channels in (1, 5, 32, 33):
        q, k, v = _qkv(7, channels)
        mask = _mask(8, channels)
        with torch.inference_mode():
            found = masked_attention(q, k, v, mask)
        torch.testing.assert_close(found, masked_softmax(q @ k.mT / 8**0.5, mask) @ v, rtol=1e-5, atol=1e-6)


def test_without_a_gradient_a_masked_channel_has_weight_exactly_zero_too():
    q, k, v = _qkv(1)
    mask = _mask(2)
    mask[:, :, 0, 3] = 0.0
    with torch.inference_mode():
        before = masked_attention(q, k, v, mask)
        v[:, :, 3] = 1e30
        k[:, :, 3] = 1e4
        after = masked_attention(q, k, v, mask)
    assert torch.equal(before[:, :, 0], after[:, :, 0])


def test_a_closed_pair_learns_what_opening_it_would_bring():
    q, k, v = _qkv(1, dtype=torch.float64)
    mask = _mask(2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda m: masked_attention(q, k, v, m), (mask,))


def test_the_reference_lets_masked_channels_through():
    attention = LeakingAttention(8, 1, 64, 0.0)
    q = torch.zeros(1, 1, 2, 64)
    v = torch.eye(2, 64).expand(1, 1, 2, 64)
    gathered = attention.attend(q, q, v, torch.eye(2).expand(1, 1, 2, 2))
    torch.testing.assert_close(float(gathered[0, 0, 0, 1] / gathered[0, 0, 0, 0]), 0.0562, atol=1e-4, rtol=0)


def test_one_channel_attends_to_itself():
    attention = ChannelMaskedAttention(6, 2, 4, 0.0).eval()
    x = torch.randn(2, 1, 6)
    out, q, k = attention(x, torch.ones(2, 1, 1, 1))
    torch.testing.assert_close(out, attention.out(attention.value(x)))
    assert q.shape == k.shape == (2, 2, 1, 4)
