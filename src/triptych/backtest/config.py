"""Settings of a backtest that belong to no other part."""

from __future__ import annotations

from pydantic import Field

from triptych import domain
from triptych.backtest.luck import Config as LuckConfig


class Config(domain.Config):
    """Capital, and the accounting of luck."""

    initial_capital: float = Field(default=10_000.0, gt=0, description="Equity at the start, quote currency.")
    luck: LuckConfig = Field(default=LuckConfig(), description="How luck is judged.")
