"""The sizes of a CATCH network and the choices in which it may differ from the paper's."""

from __future__ import annotations

from typing import Final, Literal, Self, get_args

from pydantic import Field, model_validator

from triptych.domain import Config as BaseConfig

ReferenceChoice = Literal[
    "full_transform",
    "leaking_mask",
    "squared_sampling",
    "noisy_evaluation",
    "log_of_sigmoid",
    "raw_mask_input",
    "dense_heads",
]
"""What the authors' code does and this does not; `docs/explanation/catch.md` tells what each is worth."""
REFERENCE_CHOICES: Final[tuple[ReferenceChoice, ...]] = get_args(ReferenceChoice)
"""All of them: `compat = "reference"`."""


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
    kernel: int = Field(
        0,
        description="Bins under the kernel of the complex convolution; 0 takes half a band. "
        '`attention = "complex"` only.',
        ge=0,
        le=4096,
    )
    kernel_stride: int = Field(
        0,
        description="Bins from one place of the kernel to the next; 0 takes half the kernel. "
        '`attention = "complex"` only.',
        ge=0,
        le=4096,
    )
    activation: Literal["tanh", "sigmoid", "leaky_relu"] = Field(
        "tanh",
        description="Of the complex convolution: tanh or logistic function of the complex number, or leaky ReLU of "
        'both parts. `attention = "complex"` only.',
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
        description="`reference` reproduces the choices of the authors' code: all of `reference_choices`. For "
        "comparisons.",
    )
    reference_choices: tuple[ReferenceChoice, ...] = Field(
        (),
        description="Single choices of the authors' code, each the opposite of a repair: the full transform; a mask "
        "that leaks; draws with D^2 / (D^2 + (1 - D)^2) instead of D; draws in evaluation; logarithms of sigmoids, NaN "
        "where these saturate; masks from bands that are not normalised; dense heads over all bands. For ablations.",
    )

    @property
    def undone(self) -> frozenset[ReferenceChoice]:
        """The choices of the authors' code that the network is built with."""
        return frozenset(REFERENCE_CHOICES if self.compat == "reference" else self.reference_choices)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.heads_kv and self.heads % self.heads_kv:
            raise ValueError(f"heads_kv must divide heads ({self.heads}), was {self.heads_kv}")
        if self.patch_stride > self.patch_size:
            raise ValueError(
                f"patch_stride must not exceed patch_size ({self.patch_size}), or bins are skipped; "
                f"was {self.patch_stride}"
            )
        if self.compat == "reference" and self.reference_choices:
            raise ValueError('compat = "reference" takes all reference_choices: name some, or set compat')
        if self.undone and self.attention == "complex":
            raise ValueError(
                "the reference has no complex attention: leave compat, reference_choices or attention at its default"
            )
        if self.hidden_rows and (self.undone or self.attention == "complex"):
            raise ValueError("the reference and complex attention reconstruct whole windows: hidden_rows must be 0")
        if 2 * self.hidden_rows > self.length:
            raise ValueError(f"at most half of a window can be hidden, {self.length // 2} rows; was {self.hidden_rows}")
        if "full_transform" in self.undone and self.length < self.patch_size:
            raise ValueError(f"the reference pads no band: length must be at least patch_size ({self.patch_size})")
        return self

    @model_validator(mode="after")
    def _convolution_fits(self) -> Self:
        if self.attention == "real" and (self.kernel or self.kernel_stride or self.activation != "tanh"):
            raise ValueError('kernel, kernel_stride and activation belong to attention = "complex"')
        if self.kernel > self.patch_size:
            raise ValueError(f"kernel must not exceed patch_size ({self.patch_size}), was {self.kernel}")
        kernel = self.kernel or max(1, self.patch_size // 2)
        if self.kernel_stride > kernel:
            raise ValueError(
                f"kernel_stride must not exceed the kernel ({kernel}), or bins are skipped; was {self.kernel_stride}"
            )
        return self
