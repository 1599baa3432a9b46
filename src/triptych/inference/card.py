"""The card of an artifact: what the model is, what it was made from, and how good it was."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from triptych.domain import CLASSES


class Card(BaseModel):
    """Everything needed to rebuild, check and judge a saved model. Stored as `card.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str = Field(description="Name of the model; predictions are signed with it.")
    classes: tuple[str, ...] = Field(CLASSES, description="Meaning of the output columns, in order.")
    length: int = Field(gt=0, description="Rows in a window, one a candle.")
    timeframe: str = Field(description="Timeframe of the candles, such as 15m.")
    symbols: tuple[str, ...] = Field(description="Instruments the model was trained on.")
    columns: int = Field(5, gt=0, description="Columns of a window: the five fields of a candle, or factors.")
    features: dict[str, Any] = Field(
        default_factory=dict,
        description="Factors that windows are made of, with their options; empty: candles.",
    )
    books: dict[str, int] = Field(
        default_factory=dict,
        description="Order books that must stand beside the candles: levels a side, and max_age_ms, the milliseconds "
        "before a close beyond which a book is none; companions where theirs are read too; empty: none.",
    )
    encoding: dict[str, Any] = Field(description="Encoding: its name and its options.")
    model: dict[str, Any] = Field(description="Network: its name and its options.")
    tasks: tuple[str, ...] = Field((), description="Figures foretold beside the class: size, volatility.")
    siamese: dict[str, int] = Field(
        default_factory=dict, description="Dimension of the space and entries of the library; empty: classes learned."
    )
    boosting: dict[str, Any] = Field(
        default_factory=dict, description="Trees that read the network's features: their sizes; empty: none."
    )
    base_rates: tuple[float, float, float] | None = Field(
        None, description="Shares of the classes among the labels of training, by their uniqueness."
    )
    regimes: dict[str, Any] = Field(
        default_factory=dict, description="Filter of the market's regimes beside the network; empty: none."
    )
    begun: dict[str, Any] = Field(
        default_factory=dict,
        description="Network whose weights the training began with: its symbols and timeframe, until when candles "
        "have taught it (UTC), and the SHA-256 of its weights; empty: fresh ones, or published ones of photographs.",
    )
    reference: dict[str, tuple[float, ...]] = Field(
        default_factory=dict,
        description="Quantiles over the validation part, evenly spaced: of the confidence, of statistics of the "
        "windows of candles, and of the factors it reads, at most 32 of them. What drift is measured from.",
    )
    parameters: int = Field(ge=0, description="Number of trained parameters of the network.")
    target: dict[str, Any] = Field(description="What was to be predicted.")
    splits: list[dict[str, Any]] = Field(description="Boundaries of training, validation and test, UTC.")
    period: tuple[str, str] = Field(description="First and last candle of the data, UTC.")
    data_hash: str = Field(description="SHA-256 of the candles the model was made from.")
    metrics: dict[str, Any] = Field(description="Out-of-sample metrics with their intervals.")
    seed: int = Field(description="Seed of the training.")
    versions: dict[str, str] = Field(description="Versions of Triptych, Python and the libraries that matter.")
    files: dict[str, str] = Field(default_factory=dict, description="SHA-256 of each file of the artifact.")
    onnx_difference: float = Field(0.0, description="Largest difference in probability between graph and network.")

    @property
    def taught_until(self) -> str:
        """Until when candles have taught the weights, UTC: in training, in validation, or before it began."""
        ends = [str(fold["validation"]["stop"]) for fold in self.splits]
        return max([*ends, str(self.begun["until"])] if self.begun else ends)
