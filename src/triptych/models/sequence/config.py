"""How a network of sequences differs from its preset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triptych.domain import Config as BaseConfig


class Config(BaseConfig):
    """Wishes for a network of sequences; what is left empty stays as its preset has it."""

    width: int | None = Field(None, ge=2, le=4096, description="Features between the layers.")
    blocks: int | None = Field(None, ge=1, le=64, description="Blocks of an xlstm or tcn, layers of an lstm or gru.")
    heads: int | None = Field(None, ge=1, le=64, description="Heads of an xlstm; they divide its widths.")
    ratio: tuple[int, int] | None = Field(
        None, description="mLSTM blocks to sLSTM blocks of an xlstm: [7, 1], [1, 0] (mLSTM only), [0, 1] (sLSTM only)."
    )
    order: Literal["inner", "first", "last"] | None = Field(
        None,
        description="Where a ratio puts an xlstm's sLSTM blocks: behind one mLSTM block (inner), first, or last.",
    )
    slstm_at: tuple[int, ...] | None = Field(
        None, description="Positions of an xlstm's sLSTM blocks, counted from 0, instead of a ratio."
    )
    kind: Literal["residual", "large"] | None = Field(
        None, description="Kind of an xlstm's blocks: the paper's, or those of xLSTM 7B (mLSTM only)."
    )
    kernel: int | None = Field(None, ge=0, le=64, description="Steps that the convolutions of an xlstm or tcn see.")
    soft_cap: float | None = Field(
        None, ge=0, le=1000, description="mLSTM gates stay within so much of 0; 0 leaves them free."
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="Share dropped inside the layers in training.")
    pool: Literal["last", "mean"] | None = Field(
        None, description="What is judged: the features of the last step, or the mean over all steps."
    )
    selection: bool | None = Field(
        None,
        description="Whether a variable selection stands in front: it weighs the columns anew at every step.",
    )
    adaptive: bool | None = Field(
        None,
        description="Whether the market's regime weighs the blocks of an xlstm: volatility, trend and level of every "
        "column, measured inside the window.",
    )
    periods: tuple[int, ...] | None = Field(
        None,
        description="Timeframes of an xlstm with several, in candles of the window, such as [1, 4, 16]: an encoder for "
        "each, and attention between them. They are those of `features.periods`; empty list: one timeframe.",
    )
    return_head: bool = Field(
        False, description="Whether a second head foretells the return over the horizon; see `training.return_weight`."
    )
    labels_per_parameter: float = Field(
        0.1,
        ge=0,
        le=1000,
        description="Fewest independent labels for each parameter: a network with more is refused before training. "
        "0 allows any size.",
    )
