"""Search spaces in plain words: what a value may be, and when it matters. What beside a Config says how to vary it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from triptych.domain.config import Config

Value = bool | int | float | str


class Condition(Config):
    """A dimension that matters only where others took certain values."""

    when: dict[str, tuple[Any, ...]] = Field(
        {},
        description="Other keys with the values at which this one is searched: {'model.name' = ['googlenet']}; empty: "
        "always.",
    )

    def holds(self, chosen: Mapping[str, Any]) -> bool:
        """Whether every key of `when` has one of its values among what was chosen until now."""
        return all(_plain(chosen.get(key)) in map(_plain, values) for key, values in self.when.items())


def _plain(value: Any) -> Any:
    """A list as a tuple: recipes know the first only."""
    return tuple(value) if isinstance(value, list) else value


class Range(Condition):
    """Numbers between two ends, both included: whole where both ends are."""

    low: int | float = Field(description="Smallest value.")
    high: int | float = Field(description="Largest value.")
    log: bool = Field(False, description="Search the logarithm: every factor of ten equally closely.")
    grows: bool = Field(False, description="The network grows with it: stages open it from the low end.")

    @model_validator(mode="after")
    def _ends_are_in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, was {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must lie above 0, low was {self.low}")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def upper(self, share: float) -> int | float:
        """The largest value while only so much of the range, from the low end, is open."""
        if not self.grows or share >= 1.0:
            return self.high
        if self.log:
            found = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + share * (self.high - self.low)
        return max(int(self.low) + 1, round(found)) if self.whole else found


class Choices(Condition):
    """One of several values, which are in no order unless they grow."""

    choices: tuple[Any, ...] = Field(min_length=1, description="The values.")
    grows: bool = Field(
        False, description="From small to large: the network grows with it, and stages open it from the front."
    )

    def open(self, share: float) -> int:
        """How many values, from the front, are open."""
        return max(1, math.ceil(len(self.choices) * share - 1e-9)) if self.grows else len(self.choices)


class Divisors(Condition):
    """A divisor of another value: heads of a width."""

    divisors_of: str = Field(description="Key of the other value, which stands before this one in the space.")
    at_least: int = Field(1, ge=1, description="Smallest divisor.")
    at_most: int = Field(2**31, ge=1, description="Largest divisor.")
    quotient: int = Field(
        1,
        ge=1,
        description="What is left of the other value after the division, at least: 2 keeps a head at two or more.",
    )

    divides: int | None = Field(
        None, ge=1, description="Another number that it divides as well: 64, of which inner widths are multiples."
    )

    def of(self, value: int) -> tuple[int, ...]:
        """The divisors there are, rising; none where nothing fits."""
        most = min(self.at_most, value // self.quotient)
        also = self.divides or 0
        return tuple(n for n in range(self.at_least, most + 1) if value % n == 0 and also % n == 0)


class Subset(Condition):
    """Some of several values: features."""

    subset_of: tuple[str, ...] = Field(min_length=1, description="The values of which some are taken.")
    fewest: int = Field(1, ge=0, description="How many are taken at least.")

    @model_validator(mode="after")
    def _there_are_enough(self) -> Self:
        if self.fewest > len(self.subset_of):
            raise ValueError(f"fewest must be at most {len(self.subset_of)}, the number of values, was {self.fewest}")
        return self


Dimension = Range | Choices | Divisors | Subset
Space = dict[str, Dimension]
"""Dotted keys of a recipe with what each may be, in the order in which they are chosen."""
