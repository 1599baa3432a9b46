"""The channel-masked transformer in complex numbers: `attention = "complex"`.

Letters: N bands of all windows, C channels, S bins of a band, E complex numbers of a token, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.models.catch.complex_attention import ComplexMaskedAttention
from triptych.models.catch.complex_layers import (
    ComplexConvolution,
    ComplexDropout,
    ComplexLinear,
    ComplexNorm,
    complex_leaky_relu,
)
from triptych.models.catch.losses import channel_cosines, clustering_loss


class ComplexBlock(nn.Module):
    """x + attention(norm x), then x + feed-forward(norm x), in complex numbers."""

    def __init__(self, attention: ComplexMaskedAttention, embedding: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = ComplexNorm(embedding)
        self.attention = attention
        self.feed_forward_norm = ComplexNorm(embedding)
        self.expand = ComplexLinear(embedding, feed_forward)
        self.contract = ComplexLinear(feed_forward, embedding)
        self.dropout = ComplexDropout(dropout)

    def forward(self, x_NCE: Tensor, mask_NHCC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The next tokens, and queries and keys of the attention."""
        gathered, q, k = self.attention(self.attention_norm(x_NCE), mask_NHCC)
        x = x_NCE + gathered
        hidden = self.dropout(complex_leaky_relu(self.expand(self.feed_forward_norm(x))))
        return x + self.dropout(self.contract(hidden)), q, k


class ComplexChannelTransformer(nn.Module):
    """Band -> complex convolution -> complex token -> blocks -> real token of the reconstruction heads.

    Takes and gives what `ChannelTransformer` does. The convolution's kernel is half a band, its stride a quarter.
    """

    def __init__(
        self,
        *,
        numbers: int,
        embedding: int,
        layers: int,
        feed_forward: int,
        width: int,
        dropout: float,
        temperature: float,
        filters: int,
        heads: int,
        heads_kv: int,
        head_size: int,
    ) -> None:
        super().__init__()
        size = numbers // 2
        kernel = max(1, size // 2)
        stride = max(1, kernel // 2)
        places = (size - kernel) // stride + 1
        self.convolve = ComplexConvolution(filters, kernel, stride=stride)
        self.embed = ComplexLinear(filters * places, embedding)
        self.blocks = nn.ModuleList(
            ComplexBlock(
                ComplexMaskedAttention(embedding, heads, heads_kv, head_size, dropout), embedding, feed_forward, dropout
            )
            for _ in range(layers)
        )
        self.out = nn.Linear(2 * embedding, width)
        self._temperature = temperature

    def forward(self, bands_NCS: Tensor, mask_NHCC: Tensor, *, with_loss: bool) -> tuple[Tensor, Tensor]:
        """Tokens of all bands, (N, C, width), and the clustering loss: the mean over blocks, 0 when not asked for."""
        real, imaginary = bands_NCS.chunk(2, dim=-1)
        x = self.embed(self.convolve(torch.complex(real, imaginary)).flatten(-2))
        losses = []
        for block in self.blocks:
            x, q, k = block(x, mask_NHCC)
            if with_loss:
                losses.append(clustering_loss(channel_cosines(q, k), mask_NHCC.mean(dim=1), self._temperature))
        loss = torch.stack(losses).mean() if losses else x.real.new_zeros(())
        return self.out(torch.cat([x.real, x.imag], dim=-1)), loss
