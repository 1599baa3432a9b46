"""Which parts a CATCH network is made of."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from triptych.models.catch import reference
from triptych.models.catch.attention import ChannelMaskedAttention
from triptych.models.catch.complex_transformer import ComplexChannelTransformer
from triptych.models.catch.conditional import ConditionalCatch
from triptych.models.catch.config import Config
from triptych.models.catch.heads import FactoredHeads, InverseTransform
from triptych.models.catch.mask import ChannelMaskGenerator
from triptych.models.catch.network import Catch
from triptych.models.catch.spectrum import AbstractSpectrum, Spectrum
from triptych.models.catch.transformer import ChannelTransformer
from triptych.models.checks import require_positive


def build_catch(channels: int, config: Config | None = None, *, seed: int | None = None) -> Catch | ConditionalCatch:
    """A network with fresh weights for windows of shape (batch, config.length, channels).

    It reconstructs windows; where the config hides rows it foretells them instead.

    Args:
        channels: columns of a window, 1 or more.
        config: sizes and choices; None takes the defaults.
        seed: of the first weights; None takes them from PyTorch's generator. PyTorch's own state stays as it was.
    """
    config = config or Config()
    require_positive(channels=channels)
    if seed is None:
        return _build(channels, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _build(channels, config)


def _build(channels: int, config: Config) -> Catch | ConditionalCatch:
    if config.hidden_rows:
        return ConditionalCatch(channels, config)
    chosen = config.undone
    is_full, is_dense = "full_transform" in chosen, "dense_heads" in chosen
    spectrum: AbstractSpectrum = (reference.FullSpectrum if is_full else Spectrum)(
        config.length, config.patch_size, config.patch_stride
    )
    numbers = 2 * config.patch_size
    sizes = _sizes(config, numbers)
    transformer: nn.Module
    if config.attention == "complex":
        transformer = ComplexChannelTransformer(
            filters=config.filters, kernel=config.kernel, stride=config.kernel_stride, activation=config.activation,
            heads=config.heads, heads_kv=config.heads_kv or config.heads, head_size=config.head_size, **sizes,
        )  # fmt: skip
        mask_heads = config.heads
    else:
        kind = reference.LeakingAttention if "leaking_mask" in chosen else ChannelMaskedAttention
        attention = partial(kind, config.embedding, config.heads, config.head_size, config.dropout)
        transformer = ChannelTransformer(attention=attention, **sizes)
        mask_heads = 1
    return Catch(
        channels=channels,
        length=config.length,
        regular=config.regular,
        spectrum=spectrum,
        mask_generator=ChannelMaskGenerator(
            channels, numbers, heads=mask_heads, temperature=config.relaxation, reference_choices=chosen
        ),
        transformer=transformer,
        heads=reference.DenseHeads(spectrum.bands, config.width, spectrum.bins)
        if is_dense
        else FactoredHeads(spectrum, config.width, config.head_layers, config.head_rank),
        inverse=reference.ComplexInverse(config.length) if is_full else InverseTransform(config.length),
    )


def _sizes(config: Config, numbers: int) -> dict[str, Any]:
    return {
        "numbers": numbers,
        "embedding": config.embedding,
        "layers": config.layers,
        "feed_forward": config.feed_forward,
        "width": config.width,
        "dropout": config.dropout,
        "temperature": config.temperature,
    }
