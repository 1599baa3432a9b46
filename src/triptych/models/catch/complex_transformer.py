"""The channel-masked transformer in complex numbers: `attention = "complex"`.

Letters: N bands of all windows, C channels, S bins of a band, E complex numbers of a token, H heads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
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
from triptych.models.catch.spectrum import count_bands


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

    Takes and gives what `ChannelTransformer` does. A `kernel` of 0 is half a band, a `stride` of 0 half the kernel;
    bands are padded with zeros so that their last bins lie under the kernel too.
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
        kernel: int,
        stride: int,
        activation: str,
        heads: int,
        heads_kv: int,
        head_size: int,
    ) -> None:
        super().__init__()
        size = numbers // 2
        kernel = kernel or max(1, size // 2)
        stride = stride or max(1, kernel // 2)
        places = count_bands(size, kernel, stride)
        self._behind = (places - 1) * stride + kernel - size
        self.convolve = ComplexConvolution(filters, kernel, stride=stride, activation=activation)
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
        band = torch.complex(*(F.pad(part, (0, self._behind)) for part in (real, imaginary)))
        x = self.embed(self.convolve(band).flatten(-2))
        losses = []
        for block in self.blocks:
            x, q, k = block(x, mask_NHCC)
            if with_loss:
                losses.append(clustering_loss(channel_cosines(q, k), mask_NHCC.mean(dim=1), self._temperature))
        loss = torch.stack(losses).mean() if losses else x.real.new_zeros(())
        return self.out(torch.cat([x.real, x.imag], dim=-1)), loss
