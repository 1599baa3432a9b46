"""How a search is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from triptych.domain import Config as BaseConfig
from triptych.domain.search import Choices, Dimension, Divisors, Range, Subset


class Budget(BaseConfig):
    """What the chosen model may cost at most; a candidate beyond it is rejected before it is trained."""

    latency_ms: float | None = Field(
        None, gt=0, description="Milliseconds of one prediction, of a window or a step, see tune.timed; empty: any."
    )
    quantile: Literal["p50", "p99"] = Field(
        "p50", description="Which latency is held against it: the median, or the one that 1 in 100 exceeds."
    )
    memory_mb: float | None = Field(
        None, gt=0, description="Megabytes of weights and of the tensors of one prediction; empty: any."
    )
    parameters: int | None = Field(None, ge=1, description="Parameters of encoding and network; empty: any.")


_KINDS: dict[str, type[Dimension]] = {
    "low": Range, "high": Range, "choices": Choices, "divisors_of": Divisors, "subset_of": Subset,
}  # fmt: skip


class Config(BaseConfig):
    """A search over networks, training and features: `triptych tune`."""

    trials: int = Field(
        30,
        ge=1,
        le=100_000,
        description="Candidates to train at most, all workers together; rejected ones do not count.",
    )
    timeout_s: float | None = Field(
        None,
        gt=0,
        description="Seconds after the start at which candidates stop, each at the end of its epoch; the same search "
        "goes on with them another time. The chosen one is trained all the same. Empty: any time.",
    )
    skill: Literal["mcc", "sharpe"] = Field(
        "mcc",
        description="What is to be high, out of fold: `mcc`, the correlation of predictions with what came, a mean of "
        "the folds; `sharpe`, the Sharpe ratio a candle of the backtest after costs.",
    )
    cost: Literal["latency", "parameters", "none"] = Field(
        "latency",
        description="What is to be low beside it: `latency` as in the budget, `parameters`, or nothing.",
    )
    folds: int = Field(3, ge=2, le=100, description="Walk-forward folds, all before the test part of the recipe.")
    walked: float = Field(
        0.5, gt=0, lt=1, description="Share of the candles before the test part that the folds walk through."
    )
    prune_below: float = Field(
        50.0,
        ge=0,
        le=100,
        description="Give a candidate up after a fold when its skill until then is below this percentile of what others"
        " had there; 0 gives none up.",
    )
    prune_after: int = Field(5, ge=1, description="Others that must have come as far before one is given up.")
    stages: int = Field(3, ge=1, le=100, description="Steps in which the sizes of the space open, from small to large.")
    stage_trials: int = Field(6, ge=1, description="Candidates judged in a stage before the next one opens.")
    refit_seeds: int = Field(
        3, ge=1, le=100, description="Seeds over which the skill of the chosen candidate is averaged, its own included."
    )
    runtime: Literal["onnx", "torch"] = Field(
        "onnx", description="What latency is measured through: ONNX Runtime, as models are served, or PyTorch."
    )
    threads: int = Field(
        1, ge=1, le=1024, description="CPU threads of the measured prediction of a window; a step takes one."
    )
    timed: Literal["auto", "step", "window"] = Field(
        "auto",
        description="What latency is that of: one `step` of a network that carries its memory from candle to candle, "
        "as live trading asks it with sequence_models = 'stream', or one `window`, as it asks all others. With `step` "
        "whatever cannot be asked so is impossible. auto: the step where all networks of the space can be asked so.",
    )
    budget: Budget = Field(Budget(), description="What the chosen model may cost at most.")
    defaults: bool = Field(
        True, description="Search what the network's family and training offer too, not only the keys of `tune.space`."
    )
    space: dict[str, Dimension] = Field(
        {},
        description="Keys of the recipe with what they may be: a list of values, {low, high, log, grows}, "
        "{choices, grows}, {divisors_of, quotient}, {subset_of, fewest}; each may say `when`. A key may stand twice: "
        "'model.width@large'.",
    )

    @field_validator("space", mode="before")
    @classmethod
    def _dimensions_by_their_keys(cls, space: Any) -> Any:
        if not isinstance(space, Mapping):
            return space  # pydantic says what is wrong
        return {key: _dimension(key, value) for key, value in space.items()}


def _dimension(key: str, value: Any) -> Any:
    """The dimension a table or list of TOML means. Raises ValueError where it means none."""
    if isinstance(value, Range | Choices | Divisors | Subset):
        return value
    if isinstance(value, list | tuple):
        value = {"choices": value}
    if isinstance(value, Mapping):
        for word, kind in _KINDS.items():
            if word in value:
                try:
                    return kind.model_validate(dict(value))
                except ValidationError as error:
                    first = error.errors()[0]
                    place = ".".join(str(part) for part in first["loc"])
                    raise ValueError(
                        f"{key!r}: {place and place + ': '}{first['msg'].removeprefix('Value error, ')}"
                    ) from error
    raise ValueError(
        f"{key!r} must be a list of values, or a table with low and high, choices, divisors_of or subset_of, "
        f"was {value!r}"
    )
