"""CATCH, assembled: normalise, transform, mask, attend among channels band by band, reconstruct, restore.

Letters: B windows, T rows, C channels, K bins, P bands, S numbers of a band, H heads of the mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from triptych.domain.errors import DataError
from triptych.models.catch.losses import regular_loss
from triptych.models.catch.normalisation import normalise, restore
from triptych.models.catch.spectrum import AbstractSpectrum


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconstruction:
    """What a network made of a batch of windows.

    Attributes:
        windows: the reconstruction, (B, T, C), in the units of the input.
        spectrum: reconstructed real and imaginary parts of the normalised windows' spectrum, each (B, C, K).
        target: those of the windows themselves.
        mask: which channel looked at which, (B, P, H, C, C).
        channel_loss: clustering and regular loss; 0 when it was not asked for.
    """

    windows: Tensor
    spectrum: tuple[Tensor, Tensor]
    target: tuple[Tensor, Tensor]
    mask: Tensor
    channel_loss: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """The losses of a batch, scalars: `time` (mean squared error), `frequency` (mean modulus), `channel`."""

    time: Tensor
    frequency: Tensor
    channel: Tensor

    def total(self, *, frequency: float, channel: float) -> Tensor:
        """time + frequency weight x frequency + channel weight x channel."""
        return self.time + frequency * self.frequency + channel * self.channel


def require_windows(x_BTC: Tensor, length: int, channels: int) -> None:
    """Raise DataError for windows of another shape than (batch, length, channels)."""
    if x_BTC.ndim != 3 or x_BTC.shape[1:] != (length, channels):
        raise DataError(
            f"Expected windows of shape (batch, {length}, {channels}), was {tuple(x_BTC.shape)}.",
            remedy="Cut windows of the length and with the channels the network was made for.",
        )


class Catch(nn.Module):
    """A CATCH network of parts; `build_catch` chooses them.

    It keeps no state between calls: what one window needs for its way back travels with the window.
    """

    def __init__(
        self,
        *,
        channels: int,
        length: int,
        regular: float,
        spectrum: AbstractSpectrum,
        mask_generator: nn.Module,
        transformer: nn.Module,
        heads: nn.Module,
        inverse: nn.Module,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.length = length
        self._regular = regular
        self.spectrum = spectrum
        self.mask_generator = mask_generator
        self.transformer = transformer
        self.heads = heads
        self.inverse = inverse

    def forward(self, x_BTC: Tensor, *, last: int = 0) -> Tensor:
        """The reconstructed windows, (B, T, C); with `last` only so many rows of their ends."""
        return self.reconstruct(x_BTC, last=last).windows

    def tokens(self, x_BTC: Tensor) -> Tensor:
        """The tokens of all bands before the reconstruction heads, (B, P, C, width): what it sees in windows."""
        z_BTC, _ = normalise(x_BTC.double())
        exact_BPCS = self.spectrum.split(*self.spectrum.transform(z_BTC))
        exact_NCS = exact_BPCS.flatten(0, 1)
        mask_NHCC = self.mask_generator(exact_NCS).to(x_BTC.dtype)
        tokens, _ = self.transformer(exact_NCS.to(x_BTC.dtype), mask_NHCC, with_loss=False)
        return torch.unflatten(tokens, 0, (-1, exact_BPCS.shape[1]))

    def reconstruct(
        self, x_BTC: Tensor, *, with_loss: bool = False, fixed_mask: bool = False, last: int = 0
    ) -> Reconstruction:
        """The reconstruction with all that losses and reports need.

        Args:
            x_BTC: windows, float32, finite.
            with_loss: compute the channel loss too.
            fixed_mask: let no gradient into the mask generator.
            last: rows of the ends of windows that are made; 0 makes all.

        Raises DataError for windows of another shape.
        """
        require_windows(x_BTC, self.length, self.channels)
        # Masks are decided in double precision: rounding differs from batch to batch, and must not open a pair in one
        # that it closes in another.
        exact = x_BTC if self.training else x_BTC.double()
        z_BTC, moments = normalise(exact)
        target = self.spectrum.transform(z_BTC)
        exact_BPCS = self.spectrum.split(*target)
        mask_NHCC = self.mask_generator(exact_BPCS.flatten(0, 1)).to(x_BTC.dtype)
        bands_BPCS = exact_BPCS.to(x_BTC.dtype)
        bands_NCS = bands_BPCS.flatten(0, 1)
        if fixed_mask:
            mask_NHCC = mask_NHCC.detach()
        tokens, clustering = self.transformer(bands_NCS, mask_NHCC, with_loss=with_loss)
        loss = clustering
        if with_loss:
            loss = clustering + self._regular * regular_loss(mask_NHCC.flatten(0, 1))
        real, imaginary = self.heads(tokens.unflatten(0, (-1, bands_BPCS.shape[1])))
        return Reconstruction(
            windows=restore(self.inverse(real, imaginary, last=last), moments).to(x_BTC.dtype),
            spectrum=(real, imaginary),
            target=(target[0].to(x_BTC.dtype), target[1].to(x_BTC.dtype)),
            mask=mask_NHCC.unflatten(0, (-1, bands_BPCS.shape[1])),
            channel_loss=loss,
        )

    def masks(self, x_BTC: Tensor) -> Tensor:
        """Which channel looked at which, (B, P, H, C, C)."""
        return self.reconstruct(x_BTC).mask

    def validate(self, x_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """The loss that decides when training stops, and the masks."""
        made = self.reconstruct(x_BTC)
        return (made.windows - x_BTC).square().mean(), made.mask

    def losses(self, x_BTC: Tensor, *, fixed_mask: bool = False) -> Losses:
        """The losses of a batch of windows."""
        made = self.reconstruct(x_BTC, with_loss=True, fixed_mask=fixed_mask)
        real, imaginary = (made.spectrum[i] - made.target[i] for i in (0, 1))
        return Losses(
            time=(made.windows - x_BTC).square().mean(),
            # Not sqrt(0): its gradient is not a number.
            frequency=torch.sqrt(real.square() + imaginary.square() + 1e-20).mean(),
            channel=made.channel_loss,
        )
