"""Masked attention of complex tokens: a mask for each head and pair of channels, keys and values shared by groups.

Letters: N bands of all windows, C channels, E numbers of a token, H heads, G heads of keys and values, D numbers of a
head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.models.catch.attention import by_head, masked_softmax
from triptych.models.catch.complex_layers import ComplexDropout, ComplexLinear


def complex_masked_attention(q_NHCD: Tensor, k_NGCD: Tensor, v_NGCD: Tensor, mask_NHCC: Tensor) -> Tensor:
    """Values averaged by real weights, (N, H, C, D).

    The complex product of query and conjugated key is reduced to its modulus, which makes the weight of a pair
    independent of the phase at which the window begins; the weights are the softmax of the moduli over open pairs,
    computed after subtracting the greatest. A closed pair weighs 0.

    Args:
        q_NHCD: queries of H heads.
        k_NGCD, v_NGCD: keys and values of G heads; G divides H, and head h reads h mod G.
        mask_NHCC: 0 or 1, every row with at least one 1.
    """
    groups = q_NHCD.shape[1] // k_NGCD.shape[1]
    k, v = k_NGCD.repeat(1, groups, 1, 1), v_NGCD.repeat(1, groups, 1, 1)
    product = q_NHCD @ k.conj().transpose(-1, -2) / q_NHCD.shape[-1] ** 0.5
    # Not abs: where the product is 0 its gradient is not a number.
    modulus = torch.sqrt(product.real.square() + product.imag.square() + 1e-12)
    return masked_softmax(modulus, mask_NHCC).to(v.dtype) @ v


class ComplexMaskedAttention(nn.Module):
    """Multi-head attention over the channels of one band, in complex numbers."""

    def __init__(self, embedding: int, heads: int, heads_kv: int, head_size: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.heads_kv = heads, heads_kv
        self.query = ComplexLinear(embedding, heads * head_size)
        self.key = ComplexLinear(embedding, heads_kv * head_size)
        self.value = ComplexLinear(embedding, heads_kv * head_size)
        self.out = ComplexLinear(heads * head_size, embedding)
        self.dropout = ComplexDropout(dropout)

    def forward(self, x_NCE: Tensor, mask_NHCC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What each channel gathers, (N, C, E), and queries and keys, (N, H, C, D), for the clustering loss."""
        q = by_head(self.query(x_NCE), self.heads)
        k, v = (by_head(linear(x_NCE), self.heads_kv) for linear in (self.key, self.value))
        gathered = complex_masked_attention(q, k, v, mask_NHCC).transpose(1, 2).flatten(2)
        return self.dropout(self.out(gathered)), q, k.repeat(1, self.heads // self.heads_kv, 1, 1)
