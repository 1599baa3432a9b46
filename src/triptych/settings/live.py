"""Settings of live trading: what may be lost, how long is waited, who is told. Apart from the recipe, which made the
model and says how it trades.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from triptych import domain
from triptych.domain.errors import RecipeError
from triptych.exchanges.bybit.hosts import Config as HostConfig
from triptych.exchanges.bybit.rest import Config as RestConfig
from triptych.exchanges.bybit.stream import Config as StreamConfig
from triptych.inference.rules import Config as RulesConfig
from triptych.live.booked_candles import Config as BooksConfig
from triptych.live.failover import Config as FailoverConfig
from triptych.live.gate import Config as GateConfig
from triptych.live.monitoring.alerts import Config as AlertsConfig
from triptych.live.monitoring.drift import Config as DriftConfig
from triptych.live.reconciliation import Config as ReconciliationConfig
from triptych.live.reloading import Config as ReloadConfig
from triptych.live.rules import Config as RulesOfTheVenue
from triptych.live.runner import Config as RunnerConfig
from triptych.live.sender import Config as SenderConfig
from triptych.settings.overrides import put_overrides
from triptych.settings.validating import validated


class LiveSettings(domain.Config):
    """One trading instance."""

    name: str = Field(
        default="triptych",
        min_length=1,
        max_length=40,
        description="Name of the instance: its journal entries, its lease and the ids of its orders are made with it.",
    )
    capital: float = Field(
        default=10_000.0, gt=0, description="Capital the engine starts with, in quote currency. On paper: the account."
    )
    more_than_wallet: bool = Field(
        default=False, description="Whether real money may be traded with a capital above what the account holds."
    )
    without_stop: bool = Field(
        default=False,
        description="Whether real money may be traded by a recipe without stop_loss and trailing_stop, so that no stop "
        "lies at the venue.",
    )
    model_deadline_seconds: float = Field(
        default=2.0, gt=0, description="Longest time one model may take for a decision, in seconds."
    )
    sequence_models: Literal["window", "stream"] = Field(
        default="window",
        description="How networks with a memory are asked: of their whole window at each close, as in the run's "
        "backtest (window), or candle by candle with the memory carried along (stream). A network without one is "
        "always asked of its window.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where the first model runs: on a GPU where there is one (auto), never (cpu) or always (cuda). On "
        "a GPU the same model on the CPU is the next to be asked, at the very decision at which the device is lost.",
    )
    last_resort: Literal["flat", "rules"] = Field(
        default="flat",
        description="When every model has failed: close everything (flat), or ask a rule of moving averages first "
        "(rules; `--fallback rules`).",
    )
    rules: RulesConfig = Field(default=RulesConfig(), description="The rule that stands in for models.")
    reload: ReloadConfig = Field(default=ReloadConfig(), description="A new model in the place of the old one.")
    gate: GateConfig = Field(default=GateConfig(), description="The last limits before the wire.")
    failover: FailoverConfig = Field(default=FailoverConfig(), description="When a model is off duty.")
    reconciliation: ReconciliationConfig = Field(
        default=ReconciliationConfig(), description="Differences between venue and books."
    )
    venue_rules: RulesOfTheVenue = Field(
        default=RulesOfTheVenue(), description="When it is asked whether the venue's rules have changed."
    )
    sending: SenderConfig = Field(default=SenderConfig(), description="How late a command may leave.")
    rest: RestConfig = Field(default=RestConfig(), description="Patience with the venue's answers.")
    stream: StreamConfig = Field(default=StreamConfig(), description="Patience with the venue's streams.")
    books: BooksConfig = Field(default=BooksConfig(), description="How order books are waited for.")
    runner: RunnerConfig = Field(default=RunnerConfig(), description="How long is waited for what.")
    hosts: HostConfig = Field(
        default=HostConfig(),
        description="Addresses of the venue instead of its own, such as a regional house or another port; which venue "
        "it is, `--venue` says.",
    )
    drift: DriftConfig = Field(default=DriftConfig(), description="When predictions are no longer what they were.")
    alerts: AlertsConfig = Field(default=AlertsConfig(), description="Who is told.")


def load_live_settings(path: Path | None = None, overrides: Sequence[str] = ()) -> LiveSettings:
    """Read a TOML file of live settings, or take the defaults; `overrides` are `key=value` pairs such as

    `gate.max_order_quote=200`. Raises RecipeError that names every unknown key and wrong value.
    """
    content = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RecipeError(
                f"{path} cannot be read as live settings: {error}.", remedy="Live settings are a TOML file in UTF-8."
            ) from error
    put_overrides(content, overrides)
    where = "live settings" if path is None else str(path)
    return validated(
        LiveSettings, content, where, remedy="See the reference of live settings in the documentation for every key."
    )
