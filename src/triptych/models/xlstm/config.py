"""The shape of an xLSTM stack, and what no stack can be."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.models.checks import in_words
from triptych.models.xlstm.feedforward import Activation

ROUND_TO = 64
"""Inner widths are rounded up to a multiple of this."""


class Config(BaseConfig):
    """An xLSTM stack: width, blocks, and which of them are sLSTM blocks."""

    kind: Literal["residual", "large"] = Field(
        "residual",
        description="`residual`: the paper's blocks, mLSTM projected up first and sLSTM with a feed-forward. `large`: "
        "those of xLSTM 7B, mLSTM only, each with a feed-forward, root-mean-square norms and soft-capped gates.",
    )
    width: int = Field(64, ge=2, le=16_384, description="Features between the blocks.")
    blocks: int = Field(2, ge=1, le=256, description="Blocks in the stack.")
    slstm_at: tuple[int, ...] | None = Field(
        None, description="Positions of the sLSTM blocks, counted from 0; empty: by `ratio`."
    )
    ratio: tuple[int, int] | None = Field(
        None,
        description="mLSTM blocks to sLSTM blocks, as in xLSTM[7:1]: each group of so many begins with one mLSTM "
        "block, then come its sLSTM blocks, then the rest. Without it and without `slstm_at` all blocks are mLSTM "
        "blocks.",
    )
    order: Literal["inner", "first", "last"] = Field(
        "inner",
        description="Where a ratio puts the sLSTM blocks of each group: behind one mLSTM block, before all, or last: "
        "then the stack ends with them. Without effect on `slstm_at`.",
    )
    heads: int = Field(4, ge=1, le=1024, description="Heads of every block; they divide the widths.")
    kernel: int = Field(
        4, ge=0, le=64, description="Steps that the causal convolution of a residual block sees; 0 leaves it out."
    )
    mlstm_factor: float = Field(
        2.0,
        gt=0,
        le=16,
        description="Width inside a residual mLSTM block over `width`; rounded up to a multiple of 64.",
    )
    block_size: int = Field(
        4, ge=1, le=4096, description="Side of the blocks of the query, key and value maps of a residual mLSTM block."
    )
    feedforward_factor: float | None = Field(
        None,
        ge=0,
        le=16,
        description="Width inside a feed-forward over `width`, rounded up to a multiple of 64; 0 leaves it out of "
        "sLSTM blocks. Empty: 1.3 in residual blocks, 2.6667 in large ones.",
    )
    query_factor: float = Field(
        0.5, gt=0, le=4, description="Width of queries and keys over `width` in a large block; rounded down."
    )
    activation: Activation | None = Field(
        None, description="What opens a feed-forward. Empty: gelu in residual blocks, silu in large ones."
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="Share dropped inside blocks in training; none in large blocks."
    )
    soft_cap: float | None = Field(
        None,
        ge=0,
        le=1000,
        description="Gates of mLSTM blocks stay within so much of 0 (a tanh so high); 0 leaves them free. Empty: 0 in "
        "residual blocks, 15 in large ones.",
    )
    recurrent_init: Literal["zeros", "uniform"] = Field(
        "zeros", description="First recurrent weights of sLSTM blocks: 0, or uniform within 1 / sqrt(width)."
    )
    bias_init: Literal["powerlaw", "linear", "uniform"] = Field(
        "powerlaw",
        description="First forget biases of sLSTM blocks. `powerlaw`: from 5 down to -7 in each head, steeper in later "
        "blocks. `linear`: from 3 to 6. `uniform`: all biases within 1 / sqrt(width).",
    )
    chunk: int = Field(64, ge=1, le=4096, description="Steps in a chunk of the chunkwise mLSTM form.")

    @model_validator(mode="wrap")
    @classmethod
    def _mistakes_in_words(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(given)
        except ValidationError as error:
            raise RecipeError(f"xlstm: {in_words(error)}.", remedy="Its `Config` says what each may be.") from error

    @model_validator(mode="after")
    def _must_be_possible(self) -> Self:
        _check_places(self)
        if self.kind == "large":
            _check_heads("queries and keys", self.query_width, self.heads, self.width)
            _check_heads("values", self.width, self.heads, self.query_width)
        if self.slstm_places:
            also = self.inner if len(self.slstm_places) < self.blocks else self.width
            _check_heads("an sLSTM block", self.width, self.heads, also)
        if self.kind == "residual" and len(self.slstm_places) < self.blocks:
            also = self.width if self.slstm_places else self.inner
            _check_heads("an mLSTM block", self.inner, self.heads, also)
            if self.inner % self.block_size:
                raise RecipeError(
                    f"xlstm: blocks of {self.block_size} do not divide the {self.inner} features of an mLSTM block.",
                    remedy="Set block_size to 1, 2, 4, 8, 16, 32 or 64, which always divide.",
                )
        if self.kernel == 1:
            raise RecipeError(
                "xlstm: a convolution that sees 1 step is none.", remedy="Set kernel to 0 to leave it out, or to 4."
            )
        return self

    @property
    def slstm_places(self) -> tuple[int, ...]:
        """Positions of the sLSTM blocks, ascending."""
        if self.slstm_at is not None:
            return tuple(sorted(self.slstm_at))
        if self.ratio is None:
            return ()
        before, among = min(self.ratio[0], 1) if self.order == "inner" else 0, self.ratio[1]
        chosen = [place for place in range(self.blocks) if before <= place % sum(self.ratio) < before + among]
        if self.order == "last":  # the mirror image of `first`, so that an incomplete group stands in front
            chosen = [self.blocks - 1 - place for place in reversed(chosen)]
        return tuple(chosen)

    @property
    def inner(self) -> int:
        """Width inside a residual mLSTM block."""
        return rounded_up(self.mlstm_factor * self.width)

    @property
    def feedforward_width(self) -> int:
        """Width inside a feed-forward; 0 without one."""
        usual = 1.3 if self.kind == "residual" else 2.6667
        return rounded_up((usual if self.feedforward_factor is None else self.feedforward_factor) * self.width)

    @property
    def query_width(self) -> int:
        """Width of the queries and of the keys of a large block."""
        return int(self.query_factor * self.width)

    @property
    def opening(self) -> Activation:
        """The activation of the feed-forwards."""
        return self.activation or ("gelu" if self.kind == "residual" else "silu")

    @property
    def gate_cap(self) -> float:
        """What mLSTM gates are soft-capped at; 0 for nothing."""
        return (0.0 if self.kind == "residual" else 15.0) if self.soft_cap is None else self.soft_cap


def rounded_up(width: float) -> int:
    """The next multiple of 64."""
    return math.ceil(width / ROUND_TO) * ROUND_TO


def _check_places(config: Config) -> None:
    if config.slstm_at is not None and config.ratio is not None:
        raise RecipeError("xlstm: slstm_at and ratio both place the sLSTM blocks.", remedy="Give only one of them.")
    if config.ratio is not None and (min(config.ratio) < 0 or sum(config.ratio) == 0):
        raise RecipeError(
            f"xlstm: a ratio of {config.ratio[0]}:{config.ratio[1]} names no blocks.",
            remedy="Give mLSTM blocks to sLSTM blocks, such as 7:1, 1:0 or 0:1.",
        )
    places = config.slstm_places
    wrong = [place for place in places if not 0 <= place < config.blocks]
    if wrong or len(set(places)) < len(places):
        what = f"{wrong[0]} is none" if wrong else f"{list(places)} names one twice"
        raise RecipeError(
            f"xlstm: slstm_at holds positions among {config.blocks} blocks, and {what}.",
            remedy=f"Positions are 0 to {config.blocks - 1}, each at most once.",
        )
    if config.kind == "large" and places:
        raise RecipeError(
            "xlstm: large blocks are mLSTM blocks, and sLSTM blocks are asked for.",
            remedy="Set kind to residual, or leave out slstm_at and ratio.",
        )
    if config.kind == "large" and config.feedforward_width == 0:
        raise RecipeError(
            "xlstm: a large block has a feed-forward.", remedy="Set feedforward_factor above 0, or leave it out."
        )


def _check_heads(what: str, width: int, heads: int, also: int) -> None:
    """Heads divide a width and are at least 2 wide; `also` is another width that they must divide."""
    if width % heads == 0 and width // heads >= 2:
        return
    possible = [n for n in range(1, width // 2 + 1) if width % n == 0 and also % n == 0 and also // n >= 2]
    shown = ", ".join(str(n) for n in possible[:12])
    remedy = f"Set heads to one of {shown}." if possible else "Widen it."
    if width % heads:
        raise RecipeError(f"xlstm: {heads} heads do not divide the {width} features of {what}.", remedy=remedy)
    raise RecipeError(
        f"xlstm: {heads} heads leave each 1 of the {width} features of {what}, and a head needs at least 2.",
        remedy=remedy,
    )
