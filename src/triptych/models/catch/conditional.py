"""CATCH that cannot copy: the last rows of each channel are hidden from it and foretold from all that is left.

A network that sees what it reconstructs learns to copy, anomalies too. Here a channel's token holds the spectrum of its
own window without the last rows, and gathers, band by band, from the tokens of the other channels, which hold theirs
whole. Tokens that are gathered from never gather themselves, so that nothing of a hidden row finds its way back to it.
What is foretold is a distribution: mean and scale, by the likelihood of Student's law.

Letters: B windows, T rows, C channels, F hidden rows, P bands, N bands of all windows, S numbers of a band, E numbers
of a token, H heads, W numbers of a token for the heads, L values that a row is read by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from triptych.models.catch.attention import by_head, masked_attention
from triptych.models.catch.config import Config
from triptych.models.catch.heads import FactoredHeads, InverseTransform
from triptych.models.catch.losses import channel_cosines, clustering_loss, regular_loss
from triptych.models.catch.mask import ChannelMaskGenerator
from triptych.models.catch.network import Losses, require_windows
from triptych.models.catch.spectrum import Spectrum
from triptych.models.catch.transformer import normed_feed_forward

FARTHEST: Final = 6.0
"""Deviations at which rows are clipped before the network sees them: one bad tick must not rule a spectrum."""
_CALMEST: Final = 0.05  # variance of a window's past below which it is not blown up
_FREEDOM: Final = 5.0  # degrees of freedom of Student's law
_RIDGE: Final = 0.02  # of a value's variance
_SHAPES: Final = 3  # values of a channel that the others of the same row read: itself, its modulus, its square
_LEAST, _MOST = -4.0, 3.0  # logarithm of a scale


@dataclass(frozen=True, kw_only=True, slots=True)
class Foretold:
    """What the hidden rows are expected to be.

    Attributes:
        mean, log_scale: (B, F, C), in the units of the input.
        mask: which channel gathered from which, (B, P, 1, C, C); the diagonal, its own past, is open.
        channel_loss: clustering and regular loss; 0 when it was not asked for.
    """

    mean: Tensor
    log_scale: Tensor
    mask: Tensor
    channel_loss: Tensor


class _Gathering(nn.Module):
    """x + what it gathers from the context, then x + feed-forward(norm x)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        inner = config.heads * config.head_size
        self._heads = config.heads
        self.norm = nn.LayerNorm(config.embedding)
        self.context_norm = nn.LayerNorm(config.embedding)
        self.query = nn.Linear(config.embedding, inner)
        self.key = nn.Linear(config.embedding, inner)
        self.value = nn.Linear(config.embedding, inner)
        self.out = nn.Linear(inner, config.embedding)
        self.feed_forward = normed_feed_forward(config.embedding, config.feed_forward, config.dropout)

    def forward(self, x_NCE: Tensor, context_NCE: Tensor, mask_NHCC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The next tokens, and queries and keys. The context has a token more, which no channel owns."""
        context = self.context_norm(context_NCE)
        q, k, v = (
            by_head(linear(x), self._heads)
            for linear, x in ((self.query, self.norm(x_NCE)), (self.key, context), (self.value, context))
        )
        x = x_NCE + self.out(masked_attention(q, k, v, mask_NHCC).transpose(1, 2).flatten(2))
        return x + self.feed_forward(x), q, k


class ConditionalCatch(nn.Module):
    """Mean and scale of the last rows of each channel, given its own past and the other channels."""

    def __init__(self, channels: int, config: Config) -> None:
        """Fresh weights; `begin` then tells it what the other channels of a row say linearly."""
        super().__init__()
        self.channels, self.length, self.hidden = channels, config.length, config.hidden_rows
        self._regular, self._temperature = config.regular, config.temperature
        embedding = config.embedding
        self.spectrum = Spectrum(config.length, config.patch_size, config.patch_stride)
        numbers = 2 * config.patch_size
        self.mask_generator = ChannelMaskGenerator(channels, numbers, temperature=config.relaxation)
        self.own = nn.Linear(numbers, embedding)
        self.other = nn.Linear(numbers, embedding)
        self.own_moments, self.other_moments = nn.Linear(2, embedding), nn.Linear(2, embedding)
        self.own_names = nn.Parameter(0.3 * torch.randn(channels, embedding))
        self.other_names = nn.Parameter(0.3 * torch.randn(channels, embedding))
        self.nobody = nn.Parameter(0.3 * torch.randn(1, 1, embedding))  # who is shut off from all gathers from it
        self.context = normed_feed_forward(config.embedding, config.feed_forward, config.dropout)
        self.blocks = nn.ModuleList(_Gathering(config) for _ in range(config.layers))
        self.out = nn.Linear(embedding, config.width)
        self.heads = FactoredHeads(self.spectrum, config.width, config.head_layers, config.head_rank)
        self.inverse = InverseTransform(config.length)
        self.share = nn.Parameter(torch.zeros(()))  # of the tokens in the mean: the linear part begins alone
        self.mean = nn.Parameter(torch.zeros(channels))
        self.row_weights = nn.Parameter(torch.zeros(channels, _SHAPES * channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.row_scales = nn.Parameter(torch.zeros(channels, _SHAPES * channels))
        self.scales = nn.Linear(self.spectrum.bands * config.width, config.hidden_rows)
        nn.init.zeros_(self.scales.weight)
        nn.init.zeros_(self.scales.bias)
        others = (1.0 - torch.eye(channels)).repeat(1, _SHAPES)
        self.register_buffer("_others", others, persistent=False)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Mean and logarithm of the scale of the hidden rows, (B, F, C, 2)."""
        made = self.foretell(x_BTC)
        return torch.stack([made.mean, made.log_scale], dim=-1)

    def tokens(self, x_BTC: Tensor) -> Tensor:
        """The tokens of all bands, (B, P, C, W): what it sees in windows."""
        return self._tokens(x_BTC.clamp(-FARTHEST, FARTHEST), with_loss=False, fixed_mask=False)[0]

    def masks(self, x_BTC: Tensor) -> Tensor:
        """Which channel gathers from which, (B, P, 1, C, C)."""
        return self.foretell(x_BTC).mask

    def foretell(self, x_BTC: Tensor, *, with_loss: bool = False, fixed_mask: bool = False) -> Foretold:
        """What the hidden rows are expected to be; the arguments are those of `Catch.reconstruct`.

        Raises DataError for windows of another shape.
        """
        require_windows(x_BTC, self.length, self.channels)
        x = x_BTC.clamp(-FARTHEST, FARTHEST)
        tokens, scale, mask, loss = self._tokens(x, with_loss=with_loss, fixed_mask=fixed_mask)
        row_BFL = shapes(x[:, -self.hidden :])
        told = self.inverse(*self.heads(tokens), last=self.hidden) * scale
        said = row_BFL @ (self.row_weights * self.get_buffer("_others")).T
        loud = (row_BFL @ (self.row_scales * self.get_buffer("_others")).T).clamp(-2.0, 2.0)
        wide = self.scales(tokens.transpose(1, 2).flatten(2)).transpose(1, 2)
        return Foretold(
            mean=self.mean + said + self.share * told,
            log_scale=(self.log_scale + loud + wide).clamp(_LEAST, _MOST),
            mask=mask,
            channel_loss=loss,
        )

    def losses(self, x_BTC: Tensor, *, fixed_mask: bool = False) -> Losses:
        """The losses of a batch of windows; `time` is the negative log likelihood of the hidden rows."""
        made = self.foretell(x_BTC, with_loss=True, fixed_mask=fixed_mask)
        return Losses(
            time=self._surprisal(made, x_BTC), frequency=made.mean.new_zeros(()), channel=made.channel_loss
        )  # fmt: skip

    def validate(self, x_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """The loss that decides when training stops, and the masks."""
        made = self.foretell(x_BTC)
        return self._surprisal(made, x_BTC), made.mask

    @torch.no_grad()
    def begin(self, stretches: Sequence[Tensor]) -> None:
        """Start from the ridge regression of each channel on the others of its row, (n_rows, C) each stretch."""
        rows = torch.cat(list(stretches)).double().clamp(-FARTHEST, FARTHEST)
        values = shapes(rows)
        about = rows.mean(dim=0), values.mean(dim=0)
        y, x = rows - about[0], values - about[1]
        square = x.T @ x / len(x) + torch.diag(_RIDGE * x.square().mean(dim=0) + 1e-9)
        weights = torch.zeros_like(self.row_weights, dtype=torch.double)
        for i in range(self.channels):
            asked = torch.tensor([j for j in range(values.shape[1]) if j % self.channels != i], dtype=torch.long)
            if len(asked):
                weights[i, asked] = torch.linalg.solve(square[asked][:, asked], x[:, asked].T @ y[:, i] / len(x))
        self.row_weights.copy_(weights)
        self.mean.copy_(about[0] - weights @ about[1])
        left = (y - x @ weights.T).square().mean(dim=0)
        # Student's law is wider than its scale: of as many deviations as a normal one at 5 degrees of freedom.
        self.log_scale.copy_(0.5 * torch.log(left.clamp_min(1e-6) * (_FREEDOM - 2.0) / _FREEDOM))

    def _surprisal(self, made: Foretold, x_BTC: Tensor) -> Tensor:
        away = x_BTC[:, -self.hidden :].clamp(-FARTHEST, FARTHEST) - made.mean
        z = away * torch.exp(-made.log_scale)
        return (made.log_scale + 0.5 * (_FREEDOM + 1.0) * torch.log1p(z.square() / _FREEDOM)).mean()

    def _tokens(self, x_BTC: Tensor, *, with_loss: bool, fixed_mask: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tokens (B, P, C, W), the scale of each channel's past (B, 1, C), masks and channel loss."""
        # Masks are decided in double precision, see `Catch.reconstruct`.
        exact = x_BTC if self.training else x_BTC.double()
        past = exact[:, : -self.hidden]
        mean = past.mean(dim=1, keepdim=True)
        scale = ((past - mean).square().mean(dim=1, keepdim=True) + _CALMEST).sqrt()
        whole = ((exact - mean) / scale).clamp(-2 * FARTHEST, 2 * FARTHEST)
        blind = torch.cat([whole[:, : -self.hidden], torch.zeros_like(whole[:, -self.hidden :])], dim=1)
        own_BPCS = self.spectrum.split(*self.spectrum.transform(blind))
        other_BPCS = self.spectrum.split(*self.spectrum.transform(whole.to(x_BTC.dtype)))
        mask_NHCC = self.mask_generator(own_BPCS.flatten(0, 1)).to(x_BTC.dtype)
        if fixed_mask:
            mask_NHCC = mask_NHCC.detach()
        eye = torch.eye(self.channels, dtype=mask_NHCC.dtype, device=mask_NHCC.device)
        open_NHCC = torch.cat([mask_NHCC * (1.0 - eye), torch.ones_like(mask_NHCC[..., :1])], dim=-1)
        moments_BPCS = torch.cat([mean, scale.log()], dim=1).transpose(1, 2)[:, None].to(x_BTC.dtype)
        x = self.own(own_BPCS.to(x_BTC.dtype)) + self.own_moments(moments_BPCS) + self.own_names
        context = self.other(other_BPCS) + self.other_moments(moments_BPCS) + self.other_names
        x, context = x.flatten(0, 1), context.flatten(0, 1)
        context = torch.cat([context + self.context(context), self.nobody.expand(context.shape[0], -1, -1)], dim=1)
        losses = []
        for block in self.blocks:
            x, q, k = block(x, context, open_NHCC)
            if with_loss and self.channels > 1:
                cosines = channel_cosines(q, k[:, :, :-1]).masked_fill(eye > 0, -torch.inf)
                losses.append(clustering_loss(cosines, open_NHCC[..., :-1].mean(dim=1), self._temperature))
        loss = x.new_zeros(())
        if losses:
            loss = torch.stack(losses).mean() + self._regular * regular_loss(mask_NHCC.flatten(0, 1))
        bands = (-1, own_BPCS.shape[1])
        return self.out(x).unflatten(0, bands), scale.to(x_BTC.dtype), mask_NHCC.unflatten(0, bands), loss


def shapes(rows: Tensor) -> Tensor:
    """Rows (..., C) with their moduli and squares, (..., 3 C): wide candles go with moves of either sign."""
    x = rows.clamp(-4.0, 4.0)
    return torch.cat([x, x.abs() - 0.8, 0.3 * (x.square() - 1.0)], dim=-1)
