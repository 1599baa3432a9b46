"""Recipes of `triptych anomaly run`: what a detector reads, until when it learns, and how it watches what follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.features.extra_channels import Extra
from triptych.inference.anomaly.configs import DetectorName, detector_config, foretelling
from triptych.inference.anomaly.table import BadRows
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.settings.books_beside import BooksConfig
from triptych.settings.overrides import put_overrides
from triptych.settings.shelf import Shelf
from triptych.settings.validating import validated
from triptych.training.anomaly.config import Config as TrainingConfig

_TRAINED: Final = ("catch", "blend")
"""Detectors with a network."""


class Channels(BaseConfig):
    """What is read of the files."""

    read: Literal["candles", "closes"] = Field(
        "candles",
        description="`candles`: log return, range, volume and signed volume of each instrument. `closes`: log returns "
        "of each numeric column of one table.",
    )
    columns: tuple[str, ...] = Field(
        (), description="Columns of a table of closes, or symbols of candles, in order; empty reads all there are."
    )
    extras: tuple[Extra, ...] = Field(
        (),
        description="Channels of each instrument beyond those of its candles: `spread` and `depth_imbalance` of the "
        "order book at each close, from `books`, and `funding`, the rate last charged, from `funding`.",
    )
    books: BooksConfig = Field(BooksConfig(), description="Order books beside the candles, for `extras`.")
    funding: dict[str, str] = Field(
        {},
        description="Funding rates by symbol, for `extras`: files with the columns timestamp and rate, as "
        "`triptych data fetch --funding` writes them.",
    )
    breaks: bool = Field(
        True,
        description="Whether a gap in time starts the warm-up anew. Off for markets that close at night: every session "
        "would begin with one.",
    )

    @model_validator(mode="after")
    def _of_candles(self) -> Self:
        if self.extras and self.read == "closes":
            raise ValueError('extras stand beside candles: set read = "candles", or leave them out')
        return self


class Period(BaseConfig):
    """Days in UTC: rows are learnt from `start` on and watched from `fit_until` on."""

    start: date | None = Field(None, description="First day; empty takes all there is.")
    fit_until: date = Field(description="First day that is watched; everything before is learnt from.")
    end: date | None = Field(None, description="First day that is left out at the end; empty takes all there is.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.start and self.start >= self.fit_until) or (self.end and self.end <= self.fit_until):
            raise ValueError("start, fit_until and end must follow one another")
        return self


class Learning(BaseConfig):
    """Which detector, and how it is fitted."""

    name: DetectorName = Field("catch", description="Which detector.")
    contamination: float = Field(
        0.01, description="Share of normal rows that the fixed threshold takes for anomalies.", gt=0, le=0.5
    )
    bad_rows: BadRows = Field(
        "refuse",
        description="`refuse`: rows that are not known, such as closes without an order book, are an error. `mask`: "
        "short runs repeat the row before, longer ones break the history.",
    )
    epochs: int = Field(6, description="Passes over CATCH's training windows at most.", ge=1, le=100_000)
    hidden_rows: int = Field(
        0,
        description="Last rows that CATCH's network foretells instead of copying them; 16 is better on channels of a "
        "market.",
        ge=0,
        le=48,
    )
    seed: int = Field(0, description="Seed of everything random.", ge=0)
    settings: dict[str, Any] = Field(
        {}, description="Any other setting of that detector, such as settings.explained = 0.8 of `pca`."
    )
    training: dict[str, Any] = Field({}, description="Any other setting of CATCH's training, such as batch_size.")

    @model_validator(mode="after")
    def _fits_the_detector(self) -> Self:
        own = set(type(self).model_fields) & set(self.settings)
        if own:
            raise ValueError(f"settings.{min(own)} stands in this section itself: write detector.{min(own)}")
        if "epochs" in self.training:
            raise ValueError("training.epochs stands in this section itself: write detector.epochs")
        if self.name not in _TRAINED and (self.hidden_rows or self.training):
            raise ValueError(f"{self.name!r} has no network: leave hidden_rows and training out")
        try:
            detector_config(self.name, self.given())
            TrainingConfig(**self.trained())
        except RecipeError as error:
            raise ValueError(error.message) from error
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"training.{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        return self

    def given(self) -> dict[str, Any]:
        """Settings as `create_detector` takes them."""
        hidden, _ = foretelling(self.hidden_rows)
        network = hidden.get("network", {}) | self.settings.get("network", {})
        common = {name: getattr(self, name) for name in ("contamination", "bad_rows", "seed")}
        return common | self.settings | ({"network": network} if network else {})

    def trained(self) -> dict[str, Any]:
        """Settings of CATCH's training."""
        return foretelling(self.hidden_rows)[1] | self.training | {"epochs": self.epochs}


class Study(BaseConfig):
    """A detector is fitted on the past and watches what came after."""

    title: str = Field("Anomalies", description="Title of the picture.")
    channels: Channels = Channels()
    period: Period
    detector: Learning = Learning()
    beside: tuple[DetectorName, ...] = Field(
        ("pca",),
        description="Plain detectors that are fitted on the same rows and watch beside it by the same threshold: what "
        "they find too, it adds nothing to. Empty for none.",
    )
    threshold: ThresholdConfig = ThresholdConfig()
    marks: dict[date, str] = Field(
        {}, description="Days of known events, for looking at: nothing is learnt or chosen from them."
    )


_SHELF = Shelf(noun="recipe", folder="anomaly")


def shipped_studies() -> tuple[str, ...]:
    """Names of the studies that come with the package."""
    return _SHELF.names()


def load_study(source: str, overrides: Sequence[str] = ()) -> Study:
    """Read a study.

    Args:
        source: path of a TOML file, or the name of a shipped study.
        overrides: `key=value` pairs such as `threshold.method="spot"`.

    Raises RecipeError when there is none, or for what is wrong in it.
    """
    content, where = _SHELF.content(source)
    put_overrides(content, overrides)
    return validated(Study, content, where, remedy="`docs/how-to/find-anomalies.md` explains every key.")
