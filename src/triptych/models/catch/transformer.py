"""The channel-masked transformer: pre-norm blocks over the channels of one band, one mask for all of them.

Letters: N bands of all windows, C channels, E numbers of a token, S numbers of a band, H heads.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from triptych.models.catch.losses import channel_cosines, clustering_loss


def normed_feed_forward(embedding: int, hidden: int, dropout: float) -> nn.Sequential:
    """Normalisation, then two linear maps with a GELU between them: what a block adds to each token."""
    return nn.Sequential(
        nn.LayerNorm(embedding),
        nn.Linear(embedding, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, embedding),
        nn.Dropout(dropout),
    )


class Block(nn.Module):
    """x + attention(norm x), then x + feed-forward(norm x)."""

    def __init__(self, attention: nn.Module, embedding: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(embedding)
        self.attention = attention
        self.feed_forward = normed_feed_forward(embedding, feed_forward, dropout)

    def forward(self, x_NCE: Tensor, mask_NHCC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The next tokens, and queries and keys of the attention."""
        gathered, q, k = self.attention(self.attention_norm(x_NCE), mask_NHCC)
        x = x_NCE + gathered
        return x + self.feed_forward(x), q, k


class ChannelTransformer(nn.Module):
    """Band -> token -> blocks -> token of the reconstruction heads."""

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
        attention: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(numbers, embedding), nn.Dropout(dropout))
        self.blocks = nn.ModuleList(Block(attention(), embedding, feed_forward, dropout) for _ in range(layers))
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(embedding, width))
        self._temperature = temperature

    def forward(self, bands_NCS: Tensor, mask_NHCC: Tensor, *, with_loss: bool) -> tuple[Tensor, Tensor]:
        """Tokens of all bands, (N, C, width), and the clustering loss: the mean over blocks, 0 when not asked for."""
        x = self.embed(bands_NCS)
        losses = []
        for block in self.blocks:
            x, q, k = block(x, mask_NHCC)
            if with_loss:
                losses.append(clustering_loss(channel_cosines(q, k), mask_NHCC.mean(dim=1), self._temperature))
        loss = torch.stack(losses).mean() if losses else x.new_zeros(())
        return self.out(x), loss
