"""The sizes of a CATCH network and the choices in which it may differ from the paper's."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from triptych.domain import Config as BaseConfig


class Config(BaseConfig):
    """A CATCH network (Wu et al. 2025, "CATCH: Channel-Aware Multivariate Time Series Anomaly Detection", ICLR).

    The defaults are the sizes the authors publish; what `compat` changes is told by `docs/explanation/catch.md`.
    """

    length: int = Field(192, description="Rows of a window.", ge=8, le=65_536)
    patch_size: int = Field(16, description="Frequency bins of a band (a frequency patch).", ge=1, le=4096)
    patch_stride: int = Field(8, description="Bins from the start of a band to the start of the next.", ge=1, le=4096)
    embedding: int = Field(64, description="Numbers of a channel token inside the transformer.", ge=2, le=4096)
    layers: int = Field(3, description="Blocks of the channel-masked transformer.", ge=1, le=64)
    heads: int = Field(2, description="Heads of the attention.", ge=1, le=256)
    heads_kv: int = Field(
        0, description="Heads of keys and values, a divisor of `heads`; 0 means as many. Complex attention only.", ge=0
    )
    head_size: int = Field(64, description="Numbers of one head.", ge=1, le=1024)
    feed_forward: int = Field(256, description="Hidden numbers of the feed-forward part of a block.", ge=1, le=16_384)
    width: int = Field(256, description="Numbers of a band's token in the reconstruction heads.", ge=1, le=16_384)
    head_layers: int = Field(2, description="Residual layers of each reconstruction head.", ge=0, le=16)
    head_rank: int = Field(8, description="Rank of the mixing across bands in the heads; 0 mixes none.", ge=0, le=256)
    dropout: float = Field(0.2, description="Share of numbers dropped in training.", ge=0, lt=1)
    temperature: float = Field(0.07, description="Temperature of the clustering loss.", gt=0, le=10)
    regular: float = Field(0.5, description="Weight of the regular loss within the channel loss.", ge=0, le=100)
    relaxation: float = Field(
        1.0, description="Temperature of the binary concrete law that carries the mask's gradient.", gt=0, le=10
    )
    attention: Literal["real", "complex"] = Field(
        "real",
        description="`real`: tokens are projections of real and imaginary parts side by side. `complex`: complex "
        "convolution and complex attention with a mask for each head.",
    )
    filters: int = Field(
        4, description='Filters of the complex convolution; `attention = "complex"` only.', ge=1, le=256
    )
    hidden_rows: int = Field(
        0,
        description="Last rows of each channel that are hidden from it and foretold, with their scale, from its own "
        "past and the other channels. 0: nothing is hidden, the window is reconstructed, as the paper does.",
        ge=0,
        le=4096,
    )
    compat: Literal["none", "reference"] = Field(
        "none",
        description="`reference` reproduces the choices of the authors' code: full transform, leaking mask, noise in "
        "evaluation, dense heads. For comparisons.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.heads_kv and self.heads % self.heads_kv:
            raise ValueError(f"heads_kv must divide heads ({self.heads}), was {self.heads_kv}")
        if self.patch_stride > self.patch_size:
            raise ValueError(
                f"patch_stride must not exceed patch_size ({self.patch_size}), or bins are skipped; "
                f"was {self.patch_stride}"
            )
        if self.compat == "reference" and self.attention == "complex":
            raise ValueError("the reference has no complex attention: leave compat or attention at its default")
        if self.hidden_rows and (self.compat == "reference" or self.attention == "complex"):
            raise ValueError("the reference and complex attention reconstruct whole windows: hidden_rows must be 0")
        if 2 * self.hidden_rows > self.length:
            raise ValueError(f"at most half of a window can be hidden, {self.length // 2} rows; was {self.hidden_rows}")
        if self.compat == "reference" and self.length < self.patch_size:
            raise ValueError(f"the reference pads no band: length must be at least patch_size ({self.patch_size})")
        return self
